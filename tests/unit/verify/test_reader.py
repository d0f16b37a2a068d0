"""The reader accounts for every byte, and refuses what it does not understand."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from airlock.verify.levels import Level, Malformed, Order, Short
from airlock.verify.parser import parse_level
from airlock.verify.reader import File, Reader
from tests.synthetic import ct
from tests.unit.verify.conftest import Case

EXPLICIT, IMPLICIT = Order(implicit=False, little=True), Order(implicit=True, little=True)


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


def long(tag: int, vr: bytes, value: bytes, length: int | None = None) -> bytes:
    size = len(value) if length is None else length
    return struct.pack("<HH2sHL", tag >> 16, tag & 0xFFFF, vr, 0, size) + value


def item(value: bytes, length: int | None = None) -> bytes:
    return struct.pack("<HHL", 0xFFFE, 0xE000, len(value) if length is None else length) + value


END, SEQUENCE_END = struct.pack("<HHL", 0xFFFE, 0xE00D, 0), struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
UNDEFINED = 0xFFFFFFFF
NAME = element(0x00100010, b"PN", b"AB")


def parse(data: bytes, *, strict: bool = True, order: Order = EXPLICIT) -> Level:
    level, end = parse_level(data, 0, len(data), order, strict=strict)
    assert end == len(data)
    return level


def opened(path: Path, *, strict: bool = True) -> File:
    file, descriptor = Reader(strict=strict).open(path)
    os.close(descriptor)
    return file


GOOD = {
    "empty": b"",
    "one": NAME,
    "sequence": long(0x00081140, b"SQ", item(NAME) + item(b"") + item(NAME)),
    "undefined": long(0x00081140, b"SQ", item(NAME + END, UNDEFINED) + SEQUENCE_END, UNDEFINED),
    "mixed": long(0x00081140, b"SQ", item(NAME) + item(NAME + END, UNDEFINED) + SEQUENCE_END, UNDEFINED),
    "fragments": long(0x00282000, b"OB", item(b"abcd") + item(b"ef") + SEQUENCE_END, UNDEFINED),
    "unknown": long(0x00081140, b"UN", item(struct.pack("<HHL", 0x10, 0x10, 2) + b"AB")),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_is_well_formed_is_read_and_every_shorter_part_of_it_refused(name: str) -> None:
    data = GOOD[name]
    assert len(parse(data).elements) == (name != "empty")
    for length in range(1, len(data)):
        with pytest.raises((Malformed, Short)):
            parse_level(data[:length], 0, len(data), EXPLICIT, strict=True)
        with pytest.raises(Malformed):
            parse_level(data[:length], 0, length, EXPLICIT, strict=True)


BAD = {
    "odd length": element(0x00100010, b"PN", b"ABC"),
    "width": element(0x00280010, b"US", b"ABCD") + element(0x00280011, b"UL", b"AB"),
    "VR": element(0x00100010, b"XX", b"AB"),
    "order": NAME + element(0x00100000, b"UL", b"ABCD"),
    "twice": NAME + NAME,
    "reserved bytes": struct.pack("<HH2sHL", 0x0042, 0x0011, b"OB", 1, 0),
    "delimiter": END,
    "delimiter in an item of known length": long(0x00081140, b"SQ", item(NAME + END)),
    "sequence end in a level": SEQUENCE_END,
    "no item": long(0x00081140, b"SQ", NAME),
    "item too long": long(0x00081140, b"SQ", item(NAME, 99)),
    "text of undefined length": long(0x00081140, b"UT", SEQUENCE_END, UNDEFINED),
    "delimiter with a length": long(0x00081140, b"SQ", item(NAME + END[:4] + b"\2\0\0\0", UNDEFINED), UNDEFINED),
    "fragments without end": long(0x00282000, b"OB", item(b"abcd"), UNDEFINED),
    "sequence that isn't one": long(0x00081140, b"UN", b"ABCDEFGH"),
    "zeros": NAME + bytes(6),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_is_refused(name: str) -> None:
    with pytest.raises(Malformed):
        parse(BAD[name])


def test_inputs_are_forgiven_what_devices_do() -> None:
    assert len(parse(BAD["odd length"] + bytes(4), strict=False).elements) == 1
    assert len(parse(BAD["order"], strict=False).elements) == 2
    with pytest.raises(Malformed):
        parse(BAD["twice"], strict=False)
    apart = element(0x00100020, b"LO", b"AB") + NAME + element(0x00100020, b"LO", b"CD")
    with pytest.raises(Malformed):
        parse(apart, strict=False)


def test_any_depth() -> None:
    data = NAME
    for _ in range(2000):
        data = long(0x00081140, b"SQ", item(data))
    level, depth = parse(data), 0
    while 0x00081140 in level.elements:
        (level,) = level.elements[0x00081140].items or []
        depth += 1
    assert (depth, level.value(0x00100010)) == (2000, b"AB")


def test_implicit_sequences_are_told_by_the_dictionary() -> None:
    inner = struct.pack("<HHL", 0x10, 0x10, 2) + b"AB"
    data = struct.pack("<HHL", 0x0008, 0x1140, len(item(inner))) + item(inner)
    (found,) = parse(data, order=IMPLICIT).elements[0x00081140].items or []
    assert found.value(0x00100010) == b"AB"


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
def test_other_encodings_give_the_same_values(syntax: str, tmp_path: Path) -> None:
    ds = ct()
    dcmwrite(tmp_path / "a", ds, enforce_file_format=True)
    plain = opened(tmp_path / "a")
    ds.file_meta.TransferSyntaxUID = syntax
    ds._is_implicit_VR = ds._is_little_endian = None
    pydicom.dcmwrite(tmp_path / "b", ds, enforce_file_format=True, implicit_vr=None, little_endian=None)
    other = opened(tmp_path / "b")
    assert other.syntax == syntax
    for tag in (0x00100010, 0x00080018, 0x00081030):
        assert other.dataset.value(tag) == plain.dataset.value(tag)
    assert other.pixels is not None
    assert other.pixels.size == 128


def test_a_file_cut_anywhere_is_refused(good: Callable[..., Case], tmp_path: Path) -> None:
    data = good().outputs[0].read_bytes()
    whole = opened(good().outputs[0]).dataset.elements.keys()
    path = tmp_path / "cut"
    path.write_bytes(data)
    refused = 0
    for length in reversed(range(len(data))):
        os.truncate(path, length)
        try:
            file = opened(path)
        except Malformed:
            refused += 1
        else:
            # Cut between two elements it is a whole file, without what the input had.
            assert file.pixels is None
            assert file.dataset.elements.keys() <= whole
    # Three of the places between elements are in the file meta information.
    assert refused >= len(data) - len(whole) - 3


@pytest.mark.parametrize("more", [b"\0", b"\0" * 64, b"Quillfeather", b"\xfc\xff\xfc\xff"])
def test_bytes_after_the_end_are_refused(good: Callable[..., Case], tmp_path: Path, more: bytes) -> None:
    path = tmp_path / "long"
    path.write_bytes(good().outputs[0].read_bytes() + more)
    with pytest.raises(Malformed):
        opened(path)


def test_a_deflated_dataset_ends_with_its_file(tmp_path: Path) -> None:
    ds = ct()
    ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    path = tmp_path / "a"
    dcmwrite(path, ds, enforce_file_format=True)
    data = path.read_bytes()
    path.write_bytes(data + b"hidden")
    with pytest.raises(Malformed):
        opened(path)
    path.write_bytes(data[:-20])
    with pytest.raises(Malformed):
        opened(path)


def test_nothing_is_read_beyond_a_declared_3_gigabytes(good: Callable[..., Case], tmp_path: Path) -> None:
    path = tmp_path / "huge"
    data = good().outputs[0].read_bytes()
    position = data.rindex(struct.pack("<HH2s", 0x7FE0, 0x0010, b"OW"))
    path.write_bytes(data[: position + 8] + struct.pack("<L", 3 << 30) + data[position + 12 :])
    with pytest.raises(Malformed, match="cut short"):
        opened(path)


def test_messages_hold_no_values(good: Callable[..., Case], tmp_path: Path) -> None:
    path = tmp_path / "bad"
    path.write_bytes(good().outputs[0].read_bytes()[:-1] + b"Quill")
    with pytest.raises(Malformed) as caught:
        opened(path)
    assert "Quill" not in str(caught.value)


def test_group_length_and_odd_inputs(tmp_path: Path) -> None:
    ds = Dataset()
    ds.file_meta = ct().file_meta
    path = tmp_path / "a"
    ds.SOPClassUID, ds.SOPInstanceUID = ct().SOPClassUID, "1.2.3"
    dcmwrite(path, ds, enforce_file_format=True)
    path.write_bytes(path.read_bytes() + bytes(5))
    assert opened(path, strict=False).dataset.value(0x00080018) == b"1.2.3\0"
    with pytest.raises(Malformed):
        opened(path)
