"""Files that keep their compression, overlays, and memory."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.encaps import generate_frames
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, JPEGLSLossless, RLELossless

from airlock.errors import InstanceNotUnderstood
from airlock.pixels.decode import StoredImage
from airlock.pixels.engine import load_engine
from airlock.pixels.inspection import inspect
from airlock.pixels.overlays import overlay_text, read_planes
from airlock.pixels.pool import worker_environment
from airlock.pixels.rewrite import rewrite_file
from demo.phantoms import Patient, draw_text, ultrasound_cine

BOX = (3, 4, 20, 12)


# The phantom's JPEG 2000 has no palette.
KINDS = [
    *((syntax, kind) for syntax in (RLELossless, JPEGLSLossless) for kind in ("MONOCHROME2", "RGB", "PALETTE COLOR")),
    *((JPEG2000Lossless, kind) for kind in ("MONOCHROME2", "RGB")),
]


@pytest.mark.parametrize(("syntax", "photometric"), KINDS)
def test_frames_without_boxes_keep_their_bytes(tmp_path, syntax, photometric):
    [source] = ultrasound_cine(tmp_path, Patient(), 3, rows=48, columns=64, syntax=syntax, photometric=photometric)
    target, _ = rewrite_file(source, tmp_path / "out", {1: [BOX]})
    before, after = dcmread(source), dcmread(target)
    assert after.file_meta.TransferSyntaxUID == syntax
    assert after.PhotometricInterpretation == before.PhotometricInterpretation
    old, new = (list(generate_frames(ds.PixelData, number_of_frames=3)) for ds in (before, after))
    assert [a.rstrip(b"\0") == b.rstrip(b"\0") for a, b in zip(old, new, strict=True)] == [True, False, True]
    changed = (before.pixel_array != after.pixel_array).reshape(3, 48, 64, -1).any(axis=3)
    assert changed[1].any()
    assert not changed[[0, 2]].any()
    assert not changed[1, 12 + 2 :].any()


def test_lossy_files_become_uncompressed_and_say_what_they_were(tmp_path):
    [source] = ultrasound_cine(tmp_path, Patient(), 2, rows=48, columns=64, syntax=JPEGBaseline8Bit)
    ds = dcmread(rewrite_file(source, tmp_path / "out", {1: [BOX]})[0])
    assert not ds.file_meta.TransferSyntaxUID.is_compressed
    assert (ds.LossyImageCompression, ds.LossyImageCompressionMethod) == ("01", "ISO_10918_1")


def with_overlay(path, lines, group=0x6000) -> None:
    ds = dcmread(path)
    bits = draw_text(np.zeros((ds.Rows, ds.Columns), np.uint8), lines, (10, 200), 14, 1)
    ds.add_new((group, 0x0010), "US", ds.Rows)
    ds.add_new((group, 0x0011), "US", ds.Columns)
    ds.add_new((group, 0x0040), "CS", "G")
    ds.add_new((group, 0x0050), "SS", [1, 1])
    ds.add_new((group, 0x0100), "US", 1)
    ds.add_new((group, 0x0102), "US", 0)
    ds.add_new((group, 0x3000), "OW", np.packbits(bits, bitorder="little").tobytes())
    ds.save_as(path)


def test_text_in_an_overlay_plane_is_found_and_cleared(tmp_path):
    [source] = ultrasound_cine(tmp_path, Patient(), 1, rows=240, columns=320, text=())
    with_overlay(source, ["HANSEN^KARI 771234"])
    image = StoredImage(source)
    overlays = overlay_text(image, load_engine(), 20, frozenset())
    assert list(overlays) == ["6000"]
    target, _ = rewrite_file(source, tmp_path / "out", {}, overlays)
    before, after = dcmread(source), dcmread(target)
    assert read_planes(before, 0x6000).any()
    assert read_planes(after, 0x6000).sum() < 0.02 * read_planes(before, 0x6000).sum()
    assert (before.pixel_array == after.pixel_array).all()


def test_an_overlay_in_unused_bits_is_removed_with_its_bits(tmp_path):
    [source] = ultrasound_cine(tmp_path, Patient(), 1, rows=48, columns=64, text=(), photometric="MONOCHROME2")
    ds = dcmread(source)
    pixels = ds.pixel_array.astype(np.uint16)
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 12, 11
    ds.PixelData = (pixels | np.uint16(0x8000)).tobytes()
    ds.add_new(0x60000100, "US", 16)
    ds.add_new(0x60000102, "US", 15)
    ds.save_as(source)
    overlays = overlay_text(StoredImage(source), load_engine(), 20, frozenset())
    assert overlays == {"6000": {}}
    result = dcmread(rewrite_file(source, tmp_path / "out", {}, overlays)[0])
    assert (np.frombuffer(result.PixelData, "<u2").reshape(pixels.shape[-2:]) == pixels).all()
    assert 0x60000102 not in result


@pytest.mark.parametrize("signed", [False, True])
def test_bits_that_nothing_tells_of_are_removed(tmp_path, signed):
    """Somebody removed the header of an overlay, and left its bits."""
    [source] = ultrasound_cine(tmp_path, Patient(), 1, rows=48, columns=64, text=(), photometric="MONOCHROME2")
    ds = dcmread(source)
    values = (ds.pixel_array.reshape(48, 64).astype(np.int16) - 100) if signed else ds.pixel_array.reshape(48, 64)
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, int(signed)
    hidden = np.zeros((48, 64), np.uint16)
    hidden[10:20, 10:50] = 0x4000
    stored = values.astype(np.int16).view(np.uint16)
    for bits, found in ((stored, {}), (stored ^ hidden, {"6000": {}})):
        ds.PixelData = bits.tobytes()
        ds.save_as(source)
        told = inspect(StoredImage(source), load_engine, confidence=20, numbers=range(1))
        assert told.overlays == found
    result = dcmread(rewrite_file(source, tmp_path / "out", {}, told.overlays)[0])
    assert (np.frombuffer(result.PixelData, "<i2").reshape(48, 64) == values).all()


def test_an_overlay_that_is_too_short_is_refused():
    ds = Dataset()
    ds.add_new(0x60000010, "US", 100)
    ds.add_new(0x60000011, "US", 100)
    ds.add_new(0x60003000, "OW", b"\0" * 10)
    with pytest.raises(InstanceNotUnderstood, match="overlay"):
        read_planes(ds, 0x6000)


def test_memory_does_not_grow_with_the_cine(tmp_path):
    """A native cine of 700 MB, a hole on the disk."""
    [source] = ultrasound_cine(tmp_path, Patient(), 1, rows=512, columns=512, text=(), photometric="MONOCHROME2")
    ds = dcmread(source)
    frames = 2800
    ds.NumberOfFrames, ds.PixelData = frames, b""
    ds.save_as(source)
    with source.open("r+b") as stream:
        stream.seek(-4, 2)
        stream.write((frames * 512 * 512).to_bytes(4, "little"))
        stream.truncate(stream.tell() + frames * 512 * 512)
    code = (
        "import re, sys\n"
        "from pathlib import Path\n"
        "from airlock.pixels.decode import StoredImage\n"
        "image = StoredImage(Path(sys.argv[1]))\n"
        "assert sum(1 for _ in image.read(range(0, image.frames, 7))) == 400\n"
        # Not getrusage: its maximum includes the process that this one was forked from.
        "print(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(source)], env=worker_environment(), check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) * 1024 < 300 << 20
