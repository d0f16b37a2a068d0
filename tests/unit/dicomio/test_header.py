import resource
import shutil
import struct
import time
import zlib
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from airlock.dicomio.header import Category, UnreadableInstance, read_header
from tests.studies import CT, make_instance

SHIPPED = [
    "CT_small.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_implicit.dcm",
    "JPEG2000.dcm",
    "SC_rgb_rle_2frame.dcm",
    "image_dfl.dcm",
    "UN_sequence.dcm",
    "nested_priv_SQ.dcm",
    "rtplan.dcm",
    "reportsi.dcm",
    "no_meta_group_length.dcm",
]


@pytest.mark.parametrize("name", SHIPPED)
def test_says_what_pydicom_says(name):
    path = get_testdata_file(name, download=False)
    dataset = dcmread(path)
    header = read_header(Path(path), whole=True)
    for key, keyword in (
        ("sop_class_uid", "SOPClassUID"),
        ("sop_instance_uid", "SOPInstanceUID"),
        ("study_instance_uid", "StudyInstanceUID"),
        ("series_instance_uid", "SeriesInstanceUID"),
        ("modality", "Modality"),
    ):
        assert header[key] == str(dataset.get(keyword) or "")
    assert header.transfer_syntax_uid == dataset.file_meta.TransferSyntaxUID


def category(path, **options):
    with pytest.raises(UnreadableInstance) as caught:
        read_header(path, **options)
    return caught.value.category


def test_what_is_not_dicom(tmp_path):
    path = tmp_path / "x.dcm"
    for content in (b"", b"%PDF-1.7", b"\xff\xd8\xff\xe0" + bytes(500), b"PK\x03\x04" + bytes(200), bytes(131)):
        path.write_bytes(content)
        assert category(path) == Category.INVALID_DICOM


@pytest.mark.parametrize("name", ["MR_truncated.dcm", "rtplan_truncated.dcm"])
def test_truncated_files_are_found_out(name, tmp_path):
    path = tmp_path / "x.dcm"
    shutil.copyfile(get_testdata_file(name, download=False), path)
    assert category(path, whole=True) == Category.DICOM_READ_ERROR


def test_a_file_cut_anywhere_is_never_whole(tmp_path):
    whole = make_instance(tmp_path / "whole.dcm", "1.2.3", "1.2.3.4", "1.2.3.4.5", size=4).read_bytes()
    path = tmp_path / "cut.dcm"
    boundaries = 0
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        try:
            header = read_header(path, whole=True)
        except UnreadableInstance:
            continue
        boundaries += 1  # between two elements nobody can tell, but pixels are missing then and something is absent
        assert header["sop_instance_uid"] in ("", "1.2.3.4.5")
    assert boundaries < 40


def test_a_declaration_of_3_gb_costs_nothing(tmp_path):
    path = make_instance(tmp_path / "x.dcm", "1.2.3", "1.2.3.4", "1.2.3.4.5", size=0)
    for element in (b"\xe0\x7f\x10\x00OW\0\0", b"\x28\x00\x10\x12OW\0\0"):
        liar = tmp_path / "liar.dcm"
        liar.write_bytes(path.read_bytes() + element + struct.pack("<L", 3 << 30) + bytes(100))
        before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        assert category(liar, whole=True) == Category.DICOM_READ_ERROR
        assert time.process_time() - start < 1
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 << 10


def test_a_uid_of_3_gb_is_not_read(tmp_path):
    path = make_instance(tmp_path / "x.dcm", "1.2.3", "1.2.3.4", "1.2.3.4.5", size=0, syntax=ImplicitVRLittleEndian)
    data = path.read_bytes()
    at = data.index(b"\x08\x00\x18\x00")
    path.write_bytes(data[: at + 4] + struct.pack("<L", 3 << 30) + data[at + 8 :])
    assert category(path) == Category.DICOM_READ_ERROR


def test_nesting_is_bounded(tmp_path):
    path = make_instance(tmp_path / "x.dcm", "1.2.3", "1.2.3.4", "1.2.3.4.5", size=0)
    opening = b"\x40\x00\x00\x01SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    path.write_bytes(path.read_bytes() + opening * 100_000)
    assert category(path, whole=True) == Category.DICOM_READ_ERROR


def test_a_deflate_bomb_is_bounded(tmp_path):
    path = make_instance(
        tmp_path / "x.dcm", "1.2.3", "1.2.3.4", "1.2.3.4.5", size=0, syntax=DeflatedExplicitVRLittleEndian
    )
    data = path.read_bytes()
    meta_end = 132 + 12 + struct.unpack("<L", data[140:144])[0]
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = deflater.compress(bytes(100 << 20)) + deflater.flush()
    path.write_bytes(data[:meta_end] + bomb)
    assert category(path) == Category.DICOM_READ_ERROR


def test_missing_and_unknown_transfer_syntaxes(tmp_path):
    path = make_instance(tmp_path / "x.dcm", "1.2.3", "1.2.3.4", "1.2.3.4.5", size=0)
    path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.113619.5.2\0\0"))
    assert category(path) == Category.DICOM_READ_ERROR
    shipped = tmp_path / "y.dcm"
    shutil.copyfile(get_testdata_file("meta_missing_tsyntax.dcm", download=False), shipped)
    assert category(shipped) == Category.MISSING_ATTRIBUTES


def test_duplicate_elements_are_not_understood(tmp_path):
    path = make_instance(tmp_path / "x.dcm", "1.2.3", "1.2.3.4", "1.2.3.4.5", size=0)
    data = path.read_bytes()
    element = data[data.index(b"\x08\x00\x18\x00UI") :][: 8 + 10]
    path.write_bytes(data.replace(element, element * 2))
    assert category(path) == Category.DICOM_READ_ERROR


def test_errors_and_reprs_hold_no_values(tmp_path):
    path = make_instance(tmp_path / "x.dcm", "1.2.3", "1.2.3.4", "1.2.3.4.5", syntax=ExplicitVRBigEndian, size=0)
    header = read_header(path, whole=True)
    assert header["sop_class_uid"] == CT
    assert "1.2.3" not in repr(header)
    path.write_bytes(path.read_bytes().replace(b"1.2.3.4.5\0", b"Doe^Jane\0\0"))
    with pytest.raises(UnreadableInstance) as caught:
        read_header(path)
    assert "Doe" not in str(caught.value)
