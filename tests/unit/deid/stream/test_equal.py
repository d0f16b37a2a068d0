"""The streaming engine writes the same bytes as the plain one, whatever it is given."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGLSLossless

from airlock.dicomio.quiet import quiet
from tests.synthetic import ct
from tests.unit.deid.stream.conftest import OPTIONS, Both

DATA = Path(pydicom.__file__).parent / "data"
SAMPLES = sorted(
    path for folder in ("test_files", "charset_files") for path in (DATA / folder).rglob("*") if path.is_file()
)


@pytest.mark.parametrize("options", OPTIONS)
def test_samples(both: Both, options: tuple[str, ...]) -> None:
    delivered = 0
    for path in SAMPLES:
        delivered += len(both(path.read_bytes(), options)) > 1
    assert delivered >= 140


# Attributes with all kinds of actions, of most VRs, of the CT and of no IOD; a private block; a character set.
TAGS = {
    0x00080008: "CS", 0x00080012: "DA", 0x0008002A: "DT", 0x00080050: "SH", 0x00080070: "LO", 0x00080080: "LO",
    0x00081030: "LO", 0x00081040: "LO", 0x00081090: "LO", 0x00082111: "ST", 0x00100010: "PN", 0x00100020: "LO",
    0x00100030: "DA", 0x00101010: "AS", 0x00104000: "LT", 0x00120020: "LO", 0x00120062: "CS", 0x00180060: "DS",
    0x00181012: "DA", 0x00181030: "LO", 0x00181151: "IS", 0x00189073: "FD", 0x00200010: "SH", 0x00200052: "UI",
    0x00204000: "LT", 0x00280010: "US", 0x00280106: "SS", 0x00281052: "DS", 0x00283010: "SQ", 0x00324000: "LT",
    0x00400002: "DA", 0x00400244: "DA", 0x00400275: "SQ", 0x00400555: "SQ", 0x0040A160: "UT", 0x0040A730: "SQ",
    0x00081140: "SQ", 0x00081110: "SQ", 0x00089215: "SQ", 0x0040A043: "SQ", 0x00080100: "SH", 0x00080102: "SH",
    0x00080104: "LO", 0x00081150: "UI", 0x00081155: "UI", 0x00090010: "LO", 0x00091001: "LO", 0x00091002: "SQ",
    0x00420011: "OB", 0x60003000: "OW", 0x7FE00020: "UV", 0x0040A040: "CS", 0xFFFCFFFC: "OB",
    0x00020010: "UI", 0x00080000: "UL",
}  # fmt: skip
TEXT = st.one_of(
    st.text(st.sampled_from("AZaz09 ^=\\._-\0\x1b"), max_size=12),
    st.sampled_from(
        ["Quillfeather^Zebedee", "QF-7731942", "20200110", "19610203", "20200110101112", "1.2.840.10008.1.2",
         "1.2.276.0.7230010.3.1.2.100", "CT Thorax 5 mm Zebedee",
         "12.5", "0040", "DCM", "99X", "TEXT", "7731942", "058Y"]
    ),
)  # fmt: skip
RAW = st.one_of(TEXT.map(lambda text: text.encode()), st.binary(max_size=9), st.just("Müller^Jörg".encode()))


def element(tag: int, vr: str, value: bytes, *, implicit: bool, length: int | None = None) -> bytes:
    size = len(value) if length is None else length
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    if implicit:
        return head + struct.pack("<I", size) + value
    if vr in ("OB", "OW", "SQ", "UN", "UT", "UV"):
        return head + vr.encode() + struct.pack("<HI", 0, size) + value
    return head + vr.encode() + struct.pack("<H", min(size, 0xFFFF)) + value


@st.composite
def datasets(draw: st.DrawFn, implicit: bool, depth: int = 0, need: tuple[bytes, ...] = ()) -> bytes:
    """Return encoded elements, nearly always in order."""
    chosen = draw(st.lists(st.sampled_from(sorted(TAGS)), max_size=8, unique=draw(st.integers(0, 19)) > 0))
    parts = [(int.from_bytes(one[:2], "little") << 16 | int.from_bytes(one[2:4], "little"), one) for one in need]
    for tag in chosen:
        vr = TAGS[tag]
        if tag == 0x7FE00020 and depth == 0:
            continue
        if vr == "SQ" and depth < 3:
            parts.append((tag, draw(sequences(tag, implicit, depth))))
            continue
        value = draw(RAW)
        if tag in (0x00080100, 0x00080102, 0x0040A040):
            # Codes and value types that mean something, and bytes that mean nothing.
            value = draw(st.one_of(RAW, st.sampled_from([b"DCM ", b"121071", b"99X ", b"TEXT", b"NUM "])))
        odd = draw(st.integers(0, 9)) == 0
        value += b"" if odd or len(value) % 2 == 0 else b" "
        named = "UN" if draw(st.integers(0, 9)) == 0 else "OB" if vr == "SQ" else vr
        parts.append((tag, element(tag, named, value, implicit=implicit)))
    if draw(st.integers(0, 19)) > 0:
        parts.sort(key=lambda part: part[0])
    return b"".join(part for _, part in parts)


@st.composite
def sequences(draw: st.DrawFn, tag: int, implicit: bool, depth: int) -> bytes:
    """Return a sequence with lengths of either kind, sometimes a wrong one."""
    body = b""
    for item in draw(st.lists(datasets(implicit, depth + 1), max_size=2)):
        if draw(st.booleans()):
            body += b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + item + b"\xfe\xff\x0d\xe0\0\0\0\0"
        else:
            body += b"\xfe\xff\x00\xe0" + struct.pack("<I", len(item)) + item
    if draw(st.booleans()):
        return element(tag, "SQ", body + b"\xfe\xff\xdd\xe0\0\0\0\0", implicit=implicit, length=0xFFFFFFFF)
    wrong = draw(st.sampled_from([0] * 19 + [2]))
    return element(tag, draw(st.sampled_from(["SQ"] * 9 + ["UN"])), body, implicit=implicit, length=len(body) + wrong)


def part10(dataset: bytes, syntax: str) -> bytes:
    uid = syntax.encode() + b"\0" * (len(syntax) % 2)
    return bytes(128) + b"DICM" + element(0x00020010, "UI", uid, implicit=False) + dataset


@st.composite
def files(draw: st.DrawFn) -> bytes:
    implicit = draw(st.booleans())
    need = [
        element(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.2\0", implicit=implicit),
        element(0x00080018, "UI", b"1.2.276.5\0", implicit=implicit),
        element(0x0020000D, "UI", b"1.2.276.0.7230010.3.1.2.100\0", implicit=implicit),
        element(0x0020000E, "UI", b"1.2.276.7\0", implicit=implicit),
    ]
    if charset := draw(st.sampled_from([b"", b"ISO_IR 100", b"ISO_IR 192", b"\\ISO 2022 IR 87", b"nonsense"])):
        need.append(element(0x00080005, "CS", charset + b" " * (len(charset) % 2), implicit=implicit))
    dataset = draw(datasets(implicit, need=tuple(need)))
    pixels = draw(st.sampled_from(["", "whole", "odd", "short", "fragments"]))
    if pixels:
        value = {"odd": b"123"}.get(pixels, b"12345678")
        length = {"short": 100, "fragments": 0xFFFFFFFF}.get(pixels)
        if pixels == "fragments":
            value = b"\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\x00\xe0\x02\0\0\0ab\xfe\xff\xdd\xe0\0\0\0\0"
        dataset += element(0x7FE00010, "OB", value, implicit=implicit, length=length)
        dataset += draw(st.sampled_from([b"", b"", bytes(20), b"junk", TAIL_IMPLICIT if implicit else TAIL]))
    return part10(dataset, ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian)


TAIL = (
    element(0x7FE00020, "UV", struct.pack("<Q", 8), implicit=False)
    + element(0x7FE10010, "LO", b"PRIVATE ", implicit=False)
    + element(0xFFFCFFFC, "OB", b"Quillfeather", implicit=False)
)
TAIL_IMPLICIT = element(0xFFFCFFFC, "OB", b"Quillfeather", implicit=True)


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@example(part10(b"", ExplicitVRLittleEndian), ())
@given(files(), st.sampled_from(OPTIONS))
def test_anything(both: Both, content: bytes, options: tuple[str, ...]) -> None:
    both(content, options)


def encoded(ds: Dataset, **keywords: bool) -> bytes:
    buffer = BytesIO()
    with quiet():
        dcmwrite(buffer, ds, enforce_file_format=True, **keywords)
    return buffer.getvalue()


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("options", OPTIONS)
def test_what_is_ordinary_is_streamed(both: Both, implicit: bool, options: tuple[str, ...]) -> None:
    ds = ct()
    if implicit:
        ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    both(encoded(ds, implicit_vr=implicit), options, streamed=True)
    for name in ("ReferencedImageSequence", "ReferencedPatientSequence"):
        ds[name].is_undefined_length = True
        ds[name].value[0].is_undefined_length_sequence_item = True
    both(encoded(ds, implicit_vr=implicit), options, streamed=True, pixels_rewritten=True)


def test_compressed_pixel_data_is_streamed(both: Both) -> None:
    ds = ct()
    ds.file_meta.TransferSyntaxUID = JPEGLSLossless
    ds.PixelData = encapsulate([b"\xff\xd8one\xff\xd9", b"\xff\xd8other\xff\xd9"])
    ds["PixelData"].is_undefined_length = True
    made = both(encoded(ds), streamed=True)[0]
    assert isinstance(made, bytes)
    assert ds.PixelData in made


def test_what_follows_the_pixel_data_is_treated_too(both: Both) -> None:
    made = both(encoded(ct(SpecificCharacterSet="ISO_IR 100")) + TAIL, streamed=True)[0]
    out = pydicom.dcmread(BytesIO(made))
    assert out[0x7FE00020].value == 8
    assert b"Quillfeather" not in made
    assert (0x7FE10010 in out, 0xFFFCFFFC in out) == (False, False)
    assert "damaged" in str(both(encoded(ct()) + b"\x10\0\x10\0PN\x30\0Zebedee")[0])


def test_a_large_header_is_read_in_parts(both: Both) -> None:
    ds = ct()
    ds.ReferencedImageSequence = ds.ReferencedImageSequence._list * 6000
    both(encoded(ds), streamed=True)
    ds = ct()
    ds.PixelData = bytes(1 << 20)
    both(encoded(ds), streamed=True)


@pytest.mark.parametrize("value", [b"\0D\xffM\0\0", b" DCM", b"DCM  \0", b"A\\B "])
def test_looking_at_a_code_does_not_change_it(both: Both, value: bytes) -> None:
    kind = element(0x0040A040, "CS", b"TEXT", implicit=False)
    item = b"\xfe\xff\x00\xe0" + struct.pack("<I", len(kind)) + kind
    parts = {
        0x00080016: ("UI", b"1.2.840.10008.5.1.4.1.1.2\0"),
        0x00080018: ("UI", b"1.2.276.5\0"),
        0x00080100: ("SH", value),
        0x00080102: ("SH", value),
        0x0020000D: ("UI", b"1.2.276.6\0"),
        0x0020000E: ("UI", b"1.2.276.7\0"),
        0x0040A040: ("CS", value),
        0x0040A730: ("SQ", item),
    }
    dataset = b"".join(element(tag, vr, data, implicit=False) for tag, (vr, data) in parts.items())
    made = both(part10(dataset, ExplicitVRLittleEndian), streamed=True)[0]
    assert isinstance(made, bytes)
    assert made.count(struct.pack("<H", len(value)) + value) == 3
