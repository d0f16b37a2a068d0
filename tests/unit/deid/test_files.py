"""Reading and writing files: hostile ones are held, pixel data is copied byte for byte."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
)

from airlock.deid.instance import Deidentifier, Recipe, Written
from airlock.dicomio.part10 import open_instance
from airlock.errors import InstanceNotUnderstood
from airlock.identity.harvest import Evidence, harvest
from airlock.identity.keys import KeyRing
from tests.synthetic import PLANTED, ct

Process = Callable[..., Written]


def encoded(ds: Dataset, **keywords: bool) -> bytes:
    buffer = BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True, **keywords)
    return buffer.getvalue()


@pytest.fixture
def process(tmp_path: Path) -> Process:
    def run(content: bytes, evidence: Evidence | None = None, subject: str = "S-1") -> Written:
        source = tmp_path / "in.dcm"
        source.write_bytes(content)
        recipe = Recipe(KeyRing(b"k" * 32), "P", subject, "", "2026d", (), -17, evidence or harvest(ct()))
        return Deidentifier(recipe).process(source, tmp_path / "out", pixels_rewritten=False)

    return run


@pytest.mark.parametrize("syntax", ["explicit", "implicit", "big", "deflated", "fragments"])
def test_pixels_and_syntax_stay(process: Process, tmp_path: Path, syntax: str) -> None:
    ds = ct()
    if syntax == "fragments":
        ds.file_meta.TransferSyntaxUID = JPEGLSLossless
        ds.PixelData = encapsulate([b"\xff\xd8one\xff\xd9", b"\xff\xd8other\xff\xd9"])
        ds["PixelData"].is_undefined_length = True
        content = encoded(ds)
    else:
        chosen = {"implicit": ImplicitVRLittleEndian, "big": ExplicitVRBigEndian}
        ds.file_meta.TransferSyntaxUID = chosen.get(syntax, ds.file_meta.TransferSyntaxUID)
        if syntax == "deflated":
            ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        content = encoded(ds, implicit_vr=syntax == "implicit", little_endian=syntax != "big")
    written = process(content)
    out = pydicom.dcmread(tmp_path / "out" / written.path)
    assert out.PixelData == ds.PixelData
    assert out.file_meta.TransferSyntaxUID == ds.file_meta.TransferSyntaxUID
    assert out.file_meta.MediaStorageSOPInstanceUID == out.SOPInstanceUID == written.sop_instance_uid
    assert (out.preamble, out.PatientID) == (bytes(128), "S-1")
    raw = (tmp_path / "out" / written.path).read_bytes()
    assert not [word for word in PLANTED if word.encode() in raw.lower()]


def deflated_bomb() -> bytes:
    ds = ct()
    ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    whole = encoded(ds)
    length = int.from_bytes(whole[140:144], "little")
    deflater = zlib.compressobj(9, wbits=-15)
    bomb = b"".join(deflater.compress(bytes(1 << 20)) for _ in range(20)) + deflater.flush()
    return whole[: 144 + length] + bomb


def private_class() -> bytes:
    ds = ct()
    ds.SOPClassUID = "1.3.12.2.1107.5.9.1"
    return encoded(ds)


def declares_three_gigabytes() -> bytes:
    ds = ct()
    del ds.PixelData
    return encoded(ds) + b"\xe0\x7f\x10\x00OW\0\0" + (3 << 30).to_bytes(4, "little") + b"ab"


def long_value_cut() -> bytes:
    ds = ct()
    del ds.PixelData
    return encoded(ds) + b"\x08\x50\x10\x00OB\0\0" + (3 << 30).to_bytes(4, "little") + b"ab"


def private_value_cut() -> bytes:
    ds = ct()
    del ds.PixelData
    return encoded(ds) + b"\x99\x50\x10\x10UN\0\0" + (3 << 30).to_bytes(4, "little") + b"ab"


def directory() -> bytes:
    return Path(get_testdata_file("DICOMDIR", download=False)).read_bytes()


def deep_file() -> bytes:
    ds = ct()
    del ds.PixelData
    item = b"\x00\x52\x29\x92SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    return encoded(ds) + item * 5000


HOSTILE = {
    "empty": lambda: b"",
    "text": lambda: b"Zebedee Quillfeather " * 40,
    "pdf": lambda: b"%PDF-1.7\n" + bytes(300),
    "cut": lambda: encoded(ct())[:-40],
    "cut in a header": lambda: encoded(ct())[:700],
    "three gigabytes of pixels": declares_three_gigabytes,
    "three gigabytes of value": long_value_cut,
    "three gigabytes of private value": private_value_cut,
    "directory": directory,
    "bomb": deflated_bomb,
    "private class": private_class,
    "deep": deep_file,
    "private syntax": lambda: encoded(ct()).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.113619.5.2\0\0", 1),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_not_understood_is_held(
    process: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("airlock.dicomio.part10.LARGEST_INFLATED_BYTES", 16 << 20)
    with pytest.raises(InstanceNotUnderstood) as caught:
        process(HOSTILE[name]())
    assert not [word for word in PLANTED if word in str(caught.value).lower()]
    assert ("DICOMDIR" in str(caught.value)) == (name == "directory")
    assert not list((tmp_path / "out").rglob("*.*")) if (tmp_path / "out").exists() else True


def test_without_file_meta_information(process: Process, tmp_path: Path) -> None:
    whole = encoded(ct())
    with (tmp_path / "x.dcm").open("wb") as stream:
        stream.write(whole)
    with open_instance(tmp_path / "x.dcm") as instance:
        assert not instance.guessed
    start = whole.index(b"\x08\x00\x08\x00CS")
    written = process(whole[start:])
    assert pydicom.dcmread(tmp_path / "out" / written.path).PixelData == ct().PixelData


@pytest.mark.parametrize("declared", ["", "ISO_IR 100", "ISO_IR 192"])
def test_a_subject_that_is_not_ascii(process: Process, tmp_path: Path, declared: str) -> None:
    ds = ct()
    if declared:
        ds.SpecificCharacterSet = declared
        ds.ManufacturerModelName = "Gerät"
    written = process(encoded(ds), subject="患者-1")
    out = pydicom.dcmread(tmp_path / "out" / written.path)
    assert (out.PatientID, out.SpecificCharacterSet) == ("患者-1", "ISO_IR 192")
    assert out.ManufacturerModelName == ("Gerät" if declared else "Scanner of")


def test_marks_of_an_earlier_de_identification_are_overwritten(process: Process, tmp_path: Path) -> None:
    ds = ct(PatientIdentityRemoved="NO", LongitudinalTemporalInformationModified="UNMODIFIED")
    ds.DeidentificationMethod = "by Zebedee"
    ds.BurnedInAnnotation = "YES"
    out = pydicom.dcmread(tmp_path / "out" / process(encoded(ds)).path)
    assert (out.PatientIdentityRemoved, out.LongitudinalTemporalInformationModified) == ("YES", "REMOVED")
    assert [code.CodeValue for code in out.DeidentificationMethodCodeSequence] == ["113100"]
    assert (out.BurnedInAnnotation, out.InstitutionName) == ("YES", "P")
    assert "Zebedee" not in out.DeidentificationMethod


def test_a_private_element_behind_the_pixels_may_have_any_length(tmp_path: Path) -> None:
    """pydicom decodes it when it is put into a dataset: six bytes are no number of four."""
    ds = ct()
    ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    behind = b"\xe3\x7f\x10\x00\x0c\0\0\0SIEMENS MED \xe3\x7f\x15\x10\x06\0\0\0abcdef"
    path = tmp_path / "in.dcm"
    path.write_bytes(encoded(ds) + behind)
    with open_instance(path) as instance:
        assert instance.dataset.get_item(0x7FE31015).value == b"abcdef"
