"""Every pixel type: the text is found and masked, nothing else changes."""

from __future__ import annotations

import io
import subprocess

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.data import get_testdata_file
from pydicom.encaps import get_frame
from pydicom.pixels import apply_color_lut
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from airlock.errors import InstanceNotUnderstood
from airlock.pixels.decode import StoredImage
from airlock.pixels.detect import examine
from airlock.pixels.engine import load_engine
from airlock.pixels.mask import MARGIN
from airlock.pixels.rewrite import rewrite_file
from demo.phantoms import Patient, radiograph, ultrasound_cine
from tests.peers import require

NATIVE = ExplicitVRLittleEndian
BOX = (3, 4, 20, 12)

KINDS = [
    ("RGB", NATIVE, 0),
    ("RGB", NATIVE, 1),
    ("RGB", RLELossless, 0),
    ("RGB", JPEGLSLossless, 0),
    ("RGB", JPEG2000Lossless, 0),
    ("RGB", DeflatedExplicitVRLittleEndian, 0),
    ("YBR_FULL", NATIVE, 0),
    ("YBR_FULL_422", NATIVE, 0),
    ("YBR_FULL_422", JPEGBaseline8Bit, 0),
    ("MONOCHROME1", NATIVE, 0),
    ("MONOCHROME1", JPEGBaseline8Bit, 0),
    ("MONOCHROME2", ImplicitVRLittleEndian, 0),
    ("MONOCHROME2", JPEG2000Lossless, 0),
    ("PALETTE COLOR", NATIVE, 0),
    ("PALETTE COLOR", RLELossless, 0),
]


def boxes_of(path) -> dict:
    return {n: [f.box for f in found] for n, found in examine(StoredImage(path), load_engine(), 20) if found}


def rgb(path) -> np.ndarray:
    """What a viewer shows, decoded by pydicom itself."""
    ds = dcmread(path)
    values = ds.pixel_array
    return apply_color_lut(values, ds) if ds.PhotometricInterpretation == "PALETTE COLOR" else values


def inside(boxes, shape) -> np.ndarray:
    mask = np.zeros(shape[:3], bool)
    for frame, found in boxes.items():
        for x0, y0, x1, y1 in found:
            mask[frame, max(y0 - MARGIN, 0) : y1 + MARGIN, max(x0 - MARGIN, 0) : x1 + MARGIN] = True
    return mask


@pytest.mark.parametrize(("photometric", "syntax", "planar"), KINDS)
def test_text_on_one_frame_is_masked_and_nothing_else(tmp_path, photometric, syntax, planar):
    [source] = ultrasound_cine(
        tmp_path, Patient(), 2, text_frames=[1], photometric=photometric, syntax=syntax, planar=planar, rows=240,
        columns=320, size=13,
    )  # fmt: skip
    boxes = boxes_of(source)
    assert list(boxes) == [1]
    assert len(boxes[1]) >= 3
    target, frames = rewrite_file(source, tmp_path / "out", boxes)
    assert frames == 2

    before, after, mask = rgb(source), rgb(target), inside(boxes, rgb(source).shape)
    assert before.shape == after.shape
    assert (before == after)[~mask].all()
    assert len(np.unique(after[mask].reshape(mask.sum(), -1), axis=0)) == 1
    assert boxes_of(target) == {}
    ds = dcmread(target)
    assert ds.BurnedInAnnotation == "NO"
    assert ds.LossyImageCompression == ("01" if syntax == JPEGBaseline8Bit else "00")
    header = dcmread(source, stop_before_pixels=True)
    assert target.relative_to(tmp_path / "out").as_posix() == f"{header.SeriesInstanceUID}/{header.SOPInstanceUID}.dcm"
    assert str(ds.PatientName) == str(header.PatientName)


@pytest.mark.parametrize(
    ("photometric", "syntax"),
    [
        ("RGB", NATIVE),
        ("YBR_FULL_422", JPEGBaseline8Bit),
        ("RGB", JPEG2000Lossless),
        ("PALETTE COLOR", RLELossless),
        ("MONOCHROME2", JPEGLSLossless),
    ],
)
def test_what_was_valid_stays_valid(tmp_path, photometric, syntax):
    require("dciodvfy")
    [source] = ultrasound_cine(tmp_path, Patient(), 2, photometric=photometric, syntax=syntax, rows=64, columns=64)
    target, _ = rewrite_file(source, tmp_path / "out", {0: [BOX]})
    for path in (source, target):
        told = subprocess.run(["dciodvfy", "-new", str(path)], check=False, capture_output=True, text=True)
        assert "USMultiFrameImage" in told.stdout + told.stderr
        assert not [line for line in (told.stdout + told.stderr).splitlines() if line.startswith("Error")]


def test_jpeg_colours_are_those_of_an_independent_decoder(tmp_path):
    [source] = ultrasound_cine(tmp_path, Patient(), 2, photometric="YBR_FULL_422", syntax=JPEGBaseline8Bit)
    target, _ = rewrite_file(source, tmp_path / "out", {0: [BOX]})
    picture = Image.open(io.BytesIO(get_frame(dcmread(source).PixelData, 1, number_of_frames=2)))
    expected = np.asarray(picture.convert("RGB")).astype(int)
    assert np.abs(dcmread(target).pixel_array[1].astype(int) - expected).max() <= 2


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_low_contrast_text_of_16_bit_is_found(tmp_path, photometric):
    """40 of 4096 grey levels, in an image whose full range is used."""
    source = radiograph(tmp_path, Patient(), photometric=photometric, contrast=40, outliers=True)
    boxes = boxes_of(source)
    assert len(boxes[0]) >= 3
    target, _ = rewrite_file(source, tmp_path / "out", boxes)
    assert boxes_of(target) == {}


SAMPLES = [
    "CT_small.dcm",
    "MR_small.dcm",
    "MR_small_bigendian.dcm",
    "ExplVR_BigEnd.dcm",
    "image_dfl.dcm",
    "SC_rgb_small_odd.dcm",
    "SC_rgb_jpeg_gdcm.dcm",
    "liver_1frame.dcm",
    "examples_palette.dcm",
    "JPEG2000.dcm",
    "693_J2KI.dcm",
    "MR_small_RLE.dcm",
    "SC_ybr_full_422_uncompressed.dcm",
    "examples_overlay.dcm",
]


@pytest.mark.parametrize("name", SAMPLES)
def test_files_of_other_makers_keep_everything_but_the_box(tmp_path, name):
    source = get_testdata_file(name, download=False)
    small = StoredImage(source).pixels
    box = (1, 1, min(20, small.Columns - 1), min(12, small.Rows - 1))
    target, _ = rewrite_file(source, tmp_path, {0: [box]})
    before, after = rgb(source), rgb(target)
    mask = inside({0: [box]}, (1, *before.shape[:2]))[0]
    assert (before == after)[~mask].all()
    changed = {
        "BurnedInAnnotation",
        "PixelData",
        "PhotometricInterpretation",
        "PlanarConfiguration",
        "IconImageSequence",
    }
    assert differing(dcmread(source), dcmread(target)) <= changed | {"LossyImageCompression"} | {
        "LossyImageCompressionMethod",
        "LossyImageCompressionRatio",
    }


def differing(one: Dataset, other: Dataset) -> set[str]:
    tags = set(one.keys()) | set(other.keys())
    return {one.get(t, other.get(t)).keyword for t in tags if one.get(t) != other.get(t) and t.element != 0}


def test_big_endian_palettes_and_words_are_turned(tmp_path):
    [source] = ultrasound_cine(tmp_path, Patient(), 1, photometric="PALETTE COLOR", rows=64, columns=64)
    ds = dcmread(source)
    for colour in ("Red", "Green", "Blue"):
        name = f"{colour}PaletteColorLookupTableData"
        ds[name].value = np.frombuffer(ds[name].value, "<u2").astype(">u2").tobytes()
    ds["PixelData"].VR = "OW"
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.2"
    big = tmp_path / "big.dcm"
    ds["PixelData"].value = np.frombuffer(ds.PixelData, "<u2").byteswap().tobytes()
    dcmwrite(big, ds)
    target, _ = rewrite_file(big, tmp_path / "out", {0: [BOX]})
    mask = inside({0: [BOX]}, (1, 64, 64))[0]
    assert (rgb(target) == rgb(source))[~mask].all()


def test_icons_go_and_one_bit_images_stay_packed(tmp_path):
    [source] = ultrasound_cine(tmp_path, Patient(), 3, photometric="MONOCHROME2", rows=5, columns=9)
    ds = dcmread(source)
    bits = np.random.default_rng(5).integers(0, 2, (3, 5, 9), dtype=np.uint8)
    ds.BitsAllocated = ds.BitsStored = 1
    ds.HighBit = 0
    ds.PixelData = np.packbits(bits.ravel(), bitorder="little").tobytes() + b"\0"
    icon = Dataset()
    icon.Rows = icon.Columns = 8
    ds.IconImageSequence = [icon]
    nested = Dataset()
    nested.IconImageSequence = [icon]
    ds.ReferencedImageSequence = [nested]
    ds.save_as(source)
    target, _ = rewrite_file(source, tmp_path / "out", {1: [(4, 2, 5, 3)]})
    result = dcmread(target)
    expected = bits.copy()
    expected[1, 0:5, 2:7] = 0
    assert (result.pixel_array == expected).all()
    assert "IconImageSequence" not in result
    assert "IconImageSequence" not in result.ReferencedImageSequence[0]


@pytest.mark.parametrize("damage", ["more frames than said", "fewer frames", "unknown syntax", "no text file"])
def test_what_is_not_certain_is_refused(tmp_path, damage):
    [source] = ultrasound_cine(tmp_path, Patient(), 3, rows=64, columns=64, photometric="MONOCHROME2")
    ds = dcmread(source)
    match damage:
        case "more frames than said":
            ds.NumberOfFrames = 2
        case "fewer frames":
            ds.NumberOfFrames = 4
        case "unknown syntax":
            ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.100"
            ds.PixelData = b"\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\x00\xe0\x04\0\0\0abcd\xfe\xff\xdd\xe0\0\0\0\0"
            ds["PixelData"].is_undefined_length = True
    ds.save_as(source)
    if damage == "no text file":
        source.write_bytes(b"hello")
    with pytest.raises(InstanceNotUnderstood):
        rewrite_file(source, tmp_path / "out", {0: [BOX]})
    assert not [p for p in (tmp_path / "out").rglob("*") if p.is_file()]


def test_two_files_with_one_uid_are_not_written_over_each_other(tmp_path):
    [source] = ultrasound_cine(tmp_path, Patient(), 1, rows=64, columns=64)
    target, _ = rewrite_file(source, tmp_path / "out", {0: [BOX]})
    first = target.read_bytes()
    with pytest.raises(InstanceNotUnderstood, match="same SOPInstanceUID"):
        rewrite_file(source, tmp_path / "out", {0: [(30, 30, 40, 40)]})
    assert target.read_bytes() == first


@pytest.mark.parametrize("series", ["../../escape", "/absolute", "", "a b"])
def test_uids_that_are_paths_are_refused(tmp_path, series):
    [source] = ultrasound_cine(tmp_path, Patient(), 1, rows=64, columns=64)
    ds = dcmread(source)
    ds["SeriesInstanceUID"]._value = series
    ds.save_as(source)
    with pytest.raises(InstanceNotUnderstood, match="UID"):
        rewrite_file(source, tmp_path / "out", {0: [BOX]})
