"""Reading a file by how others of its series begin gives what reading it part by part gives, and refuses the same."""

from __future__ import annotations

import io
import os
import random
from pathlib import Path

import pytest
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from airlock.dicomio.quiet import quiet
from airlock.verify.heads import Heads
from airlock.verify.levels import Malformed
from airlock.verify.reader import Reader
from tests.synthetic import ct

SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian]


def written(number: int, syntax: UID, *, pixels: bool = True) -> bytes:
    """A file of a series: texts differ in length, and so do the file meta information and the pixel data."""
    ds = ct(number, SeriesDescription="x" * (number % 5), SOPInstanceUID=f"1.2.3.{10**number}")
    ds.ReferencedImageSequence[0].ReferencedSOPInstanceUID = f"1.2.3.{number % 4}"
    if pixels:
        ds.Rows = number
        ds.PixelData = bytes(range(2 * number))
    else:
        del ds.PixelData
    ds.file_meta.TransferSyntaxUID = syntax
    buffer = io.BytesIO()
    implicit, little = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
    with quiet():
        dcmwrite(buffer, ds, enforce_file_format=True, implicit_vr=implicit, little_endian=little)
    return buffer.getvalue()


def read(reader: Reader, path: Path, data: bytes) -> tuple[object, ...] | str:
    """Everything that a file says, or why it is refused."""
    path.write_bytes(data)
    try:
        file, descriptor = reader.open(path)
    except Malformed as malformed:
        return str(malformed)
    os.close(descriptor)
    return (*file[:-1], file.source.size)


def broken(data: bytes, dice: random.Random) -> bytes:
    """The same with a few other bytes, mostly near its beginning, or with more or fewer of them at its end."""
    changed = bytearray(data)
    for _ in range(dice.choice((0, 1, 1, 4))):
        changed[dice.randrange(dice.choice((400, len(changed))))] = dice.choice((0, 1, 0x20, 0xFF))
    end = dice.random()
    if end < 0.2:
        del changed[dice.randrange(len(changed)) :]
    elif end < 0.4:
        changed += dice.choice((b"\0", b"\0\0", b"\xfc\xff\xfc\xffOB\0\0\2\0\0\0ab", b"QUILLFEATHER"))
    return bytes(changed)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("syntax", SYNTAXES, ids=["explicit", "implicit", "big"])
def test_a_series_and_what_is_broken_in_it(syntax: UID, strict: bool, tmp_path: Path) -> None:
    reader, dice, path = Reader(strict=strict), random.Random(7), tmp_path / "one.dcm"
    outcomes: set[type] = set()
    for number in range(1, 16):
        data = written(number, syntax, pixels=number % 7 != 6)
        assert read(reader, path, data) == read(Reader(strict=strict), path, data)
        for _ in range(10):
            other = broken(data, dice)
            found = read(reader, path, other)
            outcomes.add(type(found))
            assert found == read(Reader(strict=strict), path, other)
    assert outcomes == {tuple, str}


def test_most_of_a_series_is_read_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[bool] = []
    whole = Heads.read

    def watched(self: Heads, data: bytes, size: int) -> object:
        found = whole(self, data, size)
        begun.append(found is not None)
        return found

    monkeypatch.setattr(Heads, "read", watched)
    reader = Reader(strict=False)
    for number in range(1, 21):
        read(reader, tmp_path / "one.dcm", written(number, ExplicitVRLittleEndian))
    assert begun.count(True) >= 12


def test_two_series_in_turns(tmp_path: Path) -> None:
    """What is known of one series is not taken for the other."""
    reader, path = Reader(strict=False), tmp_path / "one.dcm"
    for number in range(1, 13):
        for syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian):
            data = written(number, syntax)
            found = read(reader, path, data)
            assert found == read(Reader(strict=False), path, data)
            assert not isinstance(found, str)
