"""Light datasets end in the bytes that pydicom's end in, or refuse."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from airlock.deid.instance import check_identity
from airlock.deid.marks import stamp_method, stamp_subject
from airlock.deid.profile import Profile
from airlock.deid.stream import noted, stamps
from airlock.deid.stream.light import LightDataset, Unusual
from airlock.dicomio.head import Irregular


def encoded(tag: int, vr: str, value: bytes, *, implicit: bool) -> bytes:
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    return head + (struct.pack("<I", len(value)) if implicit else vr.encode() + struct.pack("<H", len(value))) + value


def stamp(dataset: Any, subject: str = "S-1", project: str = "Trial 7", event: str = "visit 1") -> None:
    stamp_subject(dataset, subject, project, event, str(len(dataset.StudyInstanceUID)))
    stamp_method(dataset, Profile("2026d", ("clean_descriptors",)), "2026d", pixels_rewritten=True)


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("study", [b"1.2.840.1\0", b"1.2.8401", b"1.2.840.1 "])
def test_the_same_bytes(implicit: bool, study: bytes) -> None:
    touched = stamps.touched_by(stamp, check_identity)
    assert touched == noted.touched_by(stamp, check_identity)
    elements = dict.fromkeys(touched | {0x00080005}, b"")
    elements[0x0020000D] = encoded(0x0020000D, "UI", study, implicit=implicit)
    elements[0x00080070] = encoded(0x00080070, "LO", b"Maker of scanners ", implicit=implicit)
    elements[0x00120071] = encoded(0x00120071, "LO", b"text", implicit=implicit)
    made = stamps.Stamps(["iso8859"], implicit=implicit).apply(elements, stamp, "key")
    assert made == noted.stamp_noted(elements, stamp, ["iso8859"], implicit=implicit)
    assert b"Trial 7" in made[0x00080080]


@pytest.mark.parametrize("text", ["Jörg", "a\\b", "a^b", " a", "a ", "a=b", "\x1b"])
def test_what_may_be_encoded_otherwise_is_refused(text: str) -> None:
    with pytest.raises(Unusual):
        LightDataset({}, ["iso8859"], implicit=False).PatientName = text


def test_a_stamp_that_touches_others_is_not_for_bytes() -> None:
    elements = {0x0020000D: encoded(0x0020000D, "UI", b"1.2.3.45", implicit=False)}
    with pytest.raises(Irregular):
        stamps.Stamps(["iso8859"], implicit=False).apply(elements, stamp, "key")
