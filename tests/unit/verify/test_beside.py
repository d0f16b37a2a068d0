"""What compressed frames and images say beside their pixels goes, and nothing else; what is left is found."""

from __future__ import annotations

import struct
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, JPEG2000Lossless, JPEGBaseline8Bit, RLELossless

from tests.synthetic import ct
from tests.unit.verify.conftest import Case, make_case

NAME = b"for Zebedee Quillfeather"
HARMLESS = b"Made by a coder 4.2 "
EXIF = b"Exif\0\0MM\0*2020:01:10 10:11:12 N 48"
XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + b"<x:xmpmeta/>"
JPEG, J2K = b"\xff\xd8", b"\xff\x4f\xff\x51\0\x04\0\0"
PIXELS = b"\xff\xda\0\x02\x12\x34" + bytes(range(1, 0xF0)) * 9 + b"\xff\xd9"


def segment(marker: int, data: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data


def box(name: bytes, data: bytes) -> bytes:
    return struct.pack(">L4s", len(data) + 8, name) + data


BOXES = b"\0\0\0\x0cjP  \r\n\x87\n"
# A frame, and what must go of it.
FRAMES: dict[str, tuple[UID, bytes, bytes]] = {
    "comment": (JPEGBaseline8Bit, JPEG + segment(0xFE, NAME) + PIXELS, NAME),
    "behind others": (JPEGBaseline8Bit, JPEG + segment(0xDB, bytes(3000)) + segment(0xFE, NAME) + PIXELS, NAME),
    "number": (JPEGBaseline8Bit, JPEG + b"\xff" + segment(0xEC, b"id 7731942 ") + PIXELS, b"id 7731942 "),
    "camera": (JPEGBaseline8Bit, JPEG + segment(0xE0, b"JFIF\0") + segment(0xE1, EXIF) + PIXELS, EXIF),
    "end": (JPEGBaseline8Bit, JPEG + PIXELS + NAME, NAME),
    "JPEG 2000": (JPEG2000Lossless, J2K + segment(0x64, b"\0\1" + NAME) + PIXELS, b"\0\1" + NAME),
    "box": (JPEG2000Lossless, BOXES + box(b"jp2c", J2K + PIXELS) + box(b"xml ", EXIF), EXIF),
    "XMP": (JPEG2000Lossless, BOXES + box(b"jp2c", J2K + PIXELS) + box(b"uuid", XMP), XMP),
    "in a box": (JPEG2000Lossless, BOXES + box(b"jp2c", J2K + segment(0x64, b"\0\1" + NAME) + PIXELS), b"\0\1" + NAME),
    "RLE": (RLELossless, bytes([1, *bytes(63)]) + b"\x81\x02" * 40 + b"gray Quillfeather", b"Quillfeather"),
}


def compressed(number: int, syntax: UID, *frames: bytes) -> Dataset:
    ds = ct(number)
    ds.file_meta.TransferSyntaxUID, ds.NumberOfFrames = syntax, len(frames)
    ds.PixelData = encapsulate([frame + b"\0" * (len(frame) % 2) for frame in frames])
    ds["PixelData"].is_undefined_length = True
    return ds


@pytest.mark.parametrize("name", FRAMES)
def test_it_goes_and_nothing_else(tmp_path: Path, name: str) -> None:
    syntax, frame, goes = FRAMES[name]
    ds = compressed(1, syntax, frame, frame)
    case = make_case(tmp_path, [ds])
    assert pydicom.dcmread(case.outputs[0]).PixelData == ds.PixelData.replace(goes, bytes(len(goes)))
    assert case.verify() == {"1": []}


@pytest.mark.parametrize("name", FRAMES)
def test_what_is_left_is_found(tmp_path: Path, name: str) -> None:
    syntax, frame, _goes = FRAMES[name]
    ds = compressed(1, syntax, frame)
    case = make_case(tmp_path, [ds])
    output = pydicom.dcmread(case.outputs[0])
    output.PixelData = ds.PixelData
    output.save_as(case.outputs[0])
    assert any(problem.attribute == "PixelData" for problem in case.verify()["1"])


def test_what_says_nothing_of_anybody_stays(tmp_path: Path) -> None:
    frame = JPEG + segment(0xE0, b"JFIF\0") + segment(0xFE, HARMLESS) + segment(0xEE, b"Adobe") + PIXELS
    other = BOXES + box(b"uuid", bytes(range(60))) + box(b"jp2c", J2K + PIXELS)
    ds = compressed(1, JPEGBaseline8Bit, frame, other)
    case = make_case(tmp_path, [ds])
    assert pydicom.dcmread(case.outputs[0]).PixelData == ds.PixelData
    assert case.verify() == {"1": []}


def test_pixels_may_not_become_zeros(tmp_path: Path) -> None:
    frame = JPEG + segment(0xFE, NAME) + PIXELS
    case = make_case(tmp_path, [compressed(1, JPEGBaseline8Bit, frame)])
    output = pydicom.dcmread(case.outputs[0])
    output.PixelData = output.PixelData.replace(b"\x12\x34", b"\0\0")
    output.save_as(case.outputs[0])
    assert [problem.reason for problem in case.verify()["1"]] == ["differs from its source"]


@pytest.mark.parametrize("implicit", [False, True])
def test_text_behind_an_image_goes(tmp_path: Path, implicit: bool) -> None:
    ds = ct()
    if implicit:
        ds.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
    image = ds.PixelData
    ds.PixelData = image + NAME
    case: Case = make_case(tmp_path, [ds])
    assert pydicom.dcmread(case.outputs[0]).PixelData == image + bytes(len(NAME))
    assert case.verify() == {"1": []}
    output = pydicom.dcmread(case.outputs[0])
    output.PixelData = ds.PixelData
    output.save_as(case.outputs[0])
    assert any(problem.identifier for problem in case.verify()["1"])
