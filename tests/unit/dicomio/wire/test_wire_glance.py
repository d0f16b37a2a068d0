"""The short cut never says anything else than the careful reader."""

import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from airlock.dicomio.header import UnreadableInstance, read_header
from airlock.dicomio.outgoing import Outgoing
from airlock.dicomio.wire import glance
from airlock.dicomio.wire.sender import meta_of
from tests.studies import make_instance

SHIPPED = [
    "CT_small.dcm",
    "MR_small.dcm",
    "rtplan.dcm",
    "reportsi.dcm",
    "JPEG2000.dcm",
    "MR_small_bigendian.dcm",
    "image_dfl.dcm",
    "MR_truncated.dcm",
    "rtplan_truncated.dcm",
    "nested_priv_SQ.dcm",
    "SC_rgb_rle_2frame.dcm",
    "UN_sequence.dcm",
    "693_J2KI.dcm",
    "liver_1frame.dcm",
    "no_meta.dcm",
]
NAMES = {
    "sop_class_uid": glance.SOP_CLASS,
    "sop_instance_uid": glance.SOP_INSTANCE,
    "study_instance_uid": glance.STUDY,
    "series_instance_uid": glance.SERIES,
}


def agree(data: bytes, path: Path) -> int:
    """Compare both readers; return how much the short cut was sure of."""
    path.write_bytes(data)
    meta = glance.read_meta(data)
    whole = meta and glance.scan(data, meta.offset, len(data), meta.transfer_syntax_uid)
    looked = meta and glance.look(data[meta.offset :], meta.transfer_syntax_uid)
    header = None
    with suppress(UnreadableInstance):
        header = read_header(path, whole=whole is not None)
    if whole is not None:
        # What is whole to the short cut is whole.
        assert header is not None
    if looked is not None and header is not None:
        assert {tag: header[name] for name, tag in NAMES.items() if header[name]} == looked
    if meta is not None and header is not None:
        assert header.transfer_syntax_uid == meta.transfer_syntax_uid
        assert header.media_sop_class_uid == meta.sop_class_uid
        assert header.media_sop_instance_uid == meta.sop_instance_uid
    return (meta is not None) + (whole is not None) + (looked is not None)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_files(name, tmp_path):
    agree(Path(get_testdata_file(name, download=False)).read_bytes(), tmp_path / "x.dcm")


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_common_files_take_the_short_cut_and_cut_ones_never(syntax, tmp_path):
    path = make_instance(tmp_path / "x", "1.2.3", "1.2.3.4", "1.2.3.4.5", syntax=syntax, size=8)
    data = path.read_bytes()
    assert agree(data, tmp_path / "y") == 3
    assert Outgoing.of("x", path).transfer_syntax_uid == syntax
    meta = meta_of(path)
    assert (meta.sop_instance_uid, data[meta.offset : meta.offset + 4]) == ("1.2.3.4.5", b"\x08\x00\x08\x00")
    pixels = len(data) - 128
    for length in range(pixels, len(data)):
        assert glance.scan(data[:length], meta.offset, length, syntax) is None
        path.write_bytes(data[:length])
        with pytest.raises(UnreadableInstance):
            Outgoing.of("x", path, whole=True)


@settings(max_examples=150, deadline=None)
@given(
    implicit=st.booleans(),
    cut=st.integers(0, 2000),
    flips=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=4),
)
def test_damaged_files(tmp_path_factory, implicit, cut, flips):
    syntax = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    folder = tmp_path_factory.getbasetemp()
    path = folder / f"made-{implicit}.dcm"
    if not path.exists():
        sequence = b"\x08\x00\x40\x11" + (b"" if implicit else b"SQ\0\0") + b"\xff\xff\xff\xff"
        sequence += b"\xfe\xff\x00\xe0\xff\xff\xff\xff\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
        made = make_instance(path, "1.2.3", "1.2.3.4", "1.2.3.4.5", syntax=syntax, size=4)
        whole = made.read_bytes()
        at = whole.index(b"\x10\x00\x10\x00")
        made.write_bytes(whole[:at] + sequence + whole[at:])
        assert agree(made.read_bytes(), folder / "checked.dcm") == 3
    data = bytearray(path.read_bytes())
    for place, value in flips:
        data[128 + place % (len(data) - 128)] = value
    agree(bytes(data[: max(140, len(data) - cut)]), folder / "damaged.dcm")


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_long_meta_information_is_read_with_care(syntax, tmp_path):
    path = make_instance(tmp_path / "x", "1.2.3", "1.2.3.4", "1.2.3.4.5", syntax=syntax, size=8)
    data = path.read_bytes()
    expected = meta_of(path)
    private = b"\x02\x00\x02\x01OB\0\0" + struct.pack("<L", 100_000) + bytes(100_000)
    path.write_bytes(data[: expected.offset] + private + data[expected.offset :])
    meta = meta_of(path)
    assert (meta.sop_instance_uid, meta.transfer_syntax_uid) == ("1.2.3.4.5", syntax)
    assert path.read_bytes()[meta.offset :] == data[expected.offset :]
    assert Outgoing.of("x", path, whole=True).sop_class_uid == expected.sop_class_uid


def test_meta_information_alone_is_no_instance(tmp_path):
    path = make_instance(tmp_path / "x", "1.2.3", "1.2.3.4", "1.2.3.4.5", size=0)
    offset = meta_of(path).offset
    path.write_bytes(path.read_bytes()[:offset])
    with pytest.raises(UnreadableInstance):
        Outgoing.of("x", path)
    assert meta_of(path).offset == offset
