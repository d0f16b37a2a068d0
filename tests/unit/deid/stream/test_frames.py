"""Frames are treated column by column: the same comes out, and nothing planted in one of them stays."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from airlock.deid.batch import Task
from airlock.deid.frame import Frame
from airlock.deid.onepass import OnePass
from airlock.deid.stream.walk import Walk
from airlock.deid.terms import Terms
from airlock.identity.harvest import harvest_file
from airlock.identity.keys import KeyRing
from tests.unit.deid.stream.conftest import OPTIONS, Both
from tests.unit.deid.stream.test_equal import element, part10
from tests.unit.deid.stream.test_series import NAME, NUMBER, left_in

# Where in a frame an element stands: the sequences that lead to it, and its VR.
CONTENT, PLANE, ECHO = (0x00209111,), (0x00209113,), (0x00189114,)
SOURCE = (0x00089124, 0x00082112)
Values = dict[tuple[int, ...], bytes]


def frame(n: int, planted: Values) -> dict[tuple[int, ...], tuple[str, bytes]]:
    """Return the values of a frame by their paths."""
    values = {
        (*SOURCE, 0x00081150): ("UI", b"1.2.840.10008.5.1.4.1.1.4"),
        (*SOURCE, 0x00081155): ("UI", f"1.2.276.0.88.{100 + n}".encode()),
        (*ECHO, 0x00189082): ("FD", struct.pack("<d", 90 + n % 4)),
        (*CONTENT, 0x00189074): ("DT", f"2020011110{n % 60:02}14.5".encode()),
        (*CONTENT, 0x00189151): ("DT", f"2020011110{n % 60:02}14.5".encode()),
        (*CONTENT, 0x00189220): ("FD", struct.pack("<d", 33.5)),
        (*CONTENT, 0x00209056): ("SH", b"1"),
        (*CONTENT, 0x00209057): ("UL", struct.pack("<I", n)),
        (*CONTENT, 0x00209157): ("UL", struct.pack("<II", 1, n)),
        (*PLANE, 0x00200032): ("DS", f"-120\\-120\\{2.5 * n}".encode()),
    }
    return {path: (vr, planted.get(path, value)) for path, (vr, value) in values.items()}


def nested(values: dict[tuple[int, ...], tuple[str, bytes]], *, implicit: bool, undefined: bool, at: int = 0) -> bytes:
    """Return the elements of an item, with sequences of one item each."""
    made: dict[int, bytes] = {}
    for path, (vr, value) in values.items():
        if len(path) == at + 1:
            padded = value + (b"\0" if vr == "UI" else b" ") * (len(value) % 2)
            made[path[at]] = element(path[at], vr, padded, implicit=implicit)
    for tag in {path[at] for path in values if len(path) > at + 1}:
        inside = {path: value for path, value in values.items() if path[at] == tag}
        body = item(nested(inside, implicit=implicit, undefined=undefined, at=at + 1), undefined=undefined)
        made[tag] = sequence(tag, body, implicit=implicit, undefined=undefined)
    return b"".join(made[tag] for tag in sorted(made))


def item(body: bytes, *, undefined: bool) -> bytes:
    if undefined:
        return b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + body + b"\xfe\xff\x0d\xe0\0\0\0\0"
    return b"\xfe\xff\x00\xe0" + struct.pack("<I", len(body)) + body


def sequence(tag: int, body: bytes, *, implicit: bool, undefined: bool) -> bytes:
    if undefined:
        return element(tag, "SQ", body + b"\xfe\xff\xdd\xe0\0\0\0\0", implicit=implicit, length=0xFFFFFFFF)
    return element(tag, "SQ", body, implicit=implicit)


def multiframe(
    planted: dict[int, Values] | None = None, *, implicit: bool = False, undefined: bool = False, frames: int = 12
) -> bytes:
    """Return an object of many frames.

    :param planted: values of a frame that are others than those of its neighbours.
    """
    items = [frame(n, (planted or {}).get(n, {})) for n in range(1, frames + 1)]
    body = b"".join(
        item(nested(values, implicit=implicit, undefined=undefined), undefined=undefined) for values in items
    )
    elements = (
        (0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.4.1\0"),
        (0x00080018, "UI", b"1.2.276.0.77.5"),
        (0x00100010, "PN", b"Quillfeather^Zebedee"),
        (0x00100020, "LO", b"QF-7731942"),
        (0x0020000D, "UI", b"1.2.276.0.7230010.3.1.2.100\0"),
        (0x0020000E, "UI", b"1.2.276.0.7230010.3.1.3.200\0"),
    )
    top = b"".join(element(tag, vr, value, implicit=implicit) for tag, vr, value in elements)
    top += sequence(0x52009230, body, implicit=implicit, undefined=undefined)
    return part10(top, ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("undefined", [False, True])
def test_frames_are_not_walked_over(
    both: Both, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], implicit: bool, undefined: bool
) -> None:
    found: list[bytes] = []
    walked = Walk.item
    monkeypatch.setattr(Walk, "item", lambda self, data, table: found.append(data) or walked(self, data, table))
    made = both(multiframe(implicit=implicit, undefined=undefined), options, streamed=True)[0]
    assert isinstance(made, bytes)
    assert (b"1.2.276.0.88." in made) == ("retain_uids" in options)
    assert not [data for data in found if len(data) > 60]


PLANTED: dict[str, Values] = {
    "DS": {(*PLANE, 0x00200032): b"-120\\-120\\" + NUMBER},
    "text in DS": {(*PLANE, 0x00200032): b"-120\\" + NAME},
    "FD": {(*ECHO, 0x00189082): NAME + bytes(4)},
    "FD, of the usual length": {(*ECHO, 0x00189082): NUMBER + b"\0"},
    "FD, in 16-bit characters": {(*ECHO, 0x00189082): NAME.decode().encode("utf-16-be")},
    "UL": {(*CONTENT, 0x00209157): NUMBER + b" "},
    "binary number in FD": {(*ECHO, 0x00189082): struct.pack("<d", 7731942)},
    "binary number in UL": {(*CONTENT, 0x00209157): struct.pack("<II", 1, 7731942)},
    "SH": {(*CONTENT, 0x00209056): b"Zebedee"},
    "SH of another length": {(*CONTENT, 0x00209056): NAME + b" of 1"},
    "UI": {(*SOURCE, 0x00081155): b"1.2." + NUMBER + b".123456"},
    "several in UI": {(*SOURCE, 0x00081155): b"1.2.276.5\\1.2.276"},
    "registered UI": {(*SOURCE, 0x00081155): b"1.2.840.10008.1.4.1.1"},
    "text in UI": {(*SOURCE, 0x00081155): NAME},
    "text in DT": {(*CONTENT, 0x00189074): NAME},
    "text as long as a DT": {(*CONTENT, 0x00189151): b"Quillfeather1234"},
    "class": {(*SOURCE, 0x00081150): b"1.2." + NUMBER + b".4.5.6.7.8.9.0.1"},
}


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
@pytest.mark.parametrize("options", OPTIONS[:2])
@pytest.mark.parametrize("undefined", [False, True])
def test_what_is_planted_in_frames(both: Both, options: tuple[str, ...], planted: Values, undefined: bool) -> None:
    for frames in ({7: planted}, dict.fromkeys(range(1, 13), planted)):
        made = both(multiframe(frames, undefined=undefined), options, streamed=True)[0]
        assert isinstance(made, bytes)
        assert not left_in(made)


def test_frames_that_each_have_a_shape_of_their_own(both: Both) -> None:
    lengths: dict[int, Values] = {n: {(*CONTENT, 0x00209056): b"Zebedee " * n} for n in range(1, 40)}
    made = both(multiframe(lengths, frames=40), streamed=True)[0]
    assert isinstance(made, bytes)
    assert b"Zebedee" not in made
    places: dict[int, Values] = {
        n: {(*CONTENT, 0x00209056): b"1 " * n, (*PLANE, 0x00200032): b"1\\" * (60 - n)} for n in range(1, 40)
    }
    both(multiframe(places, frames=40), streamed=True)


def test_dates_that_cannot_be_moved_are_counted_in_every_frame(both: Both) -> None:
    planted = {n: {(*CONTENT, 0x00189074): b"2020"} for n in (3, 4, 9)}
    assert both(multiframe(planted), ("retain_longitudinal_modified_dates",), streamed=True)[3] == 3


@pytest.mark.parametrize("damage", [b"\xfe\xff\x0d\xe0", b"\xfe\xff\x00\xe0", b"\x20\0\x57\x90"])
def test_frames_that_are_damaged(both: Both, damage: bytes) -> None:
    content = multiframe(undefined=True)
    both(content.replace(damage, b"\x20\0\x10\0", 3))
    both(content[:-30])


@pytest.mark.parametrize(
    "value",
    [b"20200304", b"  20200304", b"20200304\\20190506", b"2020.03.04", b"20200304101112.5+0100", b"nothing", b""],
)
def test_the_evidence_is_that_of_the_plain_harvest(tmp_path: Path, value: bytes) -> None:
    path = tmp_path / "in.dcm"
    planted = {
        5: {(*CONTENT, 0x00189074): value, (*SOURCE, 0x00081155): b"1.2.276.0.99"},
        # Of a palette that PS3.6 lists: it is nobody's.
        6: {(*SOURCE, 0x00081155): b"1.2.840.10008.1.5.1"},
    }
    # So many that they are told of only while they are treated.
    path.write_bytes(multiframe(planted, frames=90))
    expected = harvest_file(path)
    for options in OPTIONS[:2]:
        one = OnePass(Frame(KeyRing(b"k" * 32), "P", Terms(options=options)), tmp_path)
        first = one.process(Task("x", path, name="x.dcm"))
        assert first.written is not None
        assert first.evidence == expected
