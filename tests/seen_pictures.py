"""The pictures of :mod:`tests.seen`: one patient's study of every kind, with the name burned in at the top."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, JPEGLSLossless

from demo.phantoms import Patient, ct_series, draw_text, radiograph, ultrasound_cine
from demo.phantoms.drawing import ellipse

TEXT_ROWS = 115
"""Rows at the top in which all text is."""
SMALL = {"rows": 240, "columns": 320, "size": 13}
MPEG2 = "1.2.840.10008.1.2.4.100"


@dataclass(frozen=True, eq=False)
class Picture:
    """One object of the study.

    :param marked: frames with text, from 0.
    :param also: frames that are shown besides.
    :param held: whether nobody can decode it.
    """

    name: str
    make: Callable[[Path, Patient], Path]
    marked: list[int] = field(default_factory=lambda: [0])
    also: list[int] = field(default_factory=list)
    held: bool = False


def _cine(frames: int, series: int, **how) -> Callable[[Path, Patient], Path]:
    return lambda folder, patient: ultrasound_cine(folder, patient, frames, series=series, **{**SMALL, **how})[0]


def _doppler(series: int, *, jpeg: bool) -> Callable[[Path, Patient], Path]:
    """Flow in red and blue, and a colour bar."""

    def make(folder: Path, patient: Patient) -> Path:
        [path] = ultrasound_cine(folder, patient, 2, series=series, **SMALL)
        ds = dcmread(path)
        pixels = ds.pixel_array.copy()
        x = np.linspace(-1, 1, 320)[None, :].repeat(240, axis=0)
        inside = ellipse(240, 320, 0.65, 0.5, 0.12, 0.2)
        flow = np.stack([np.clip(x * 2, 0, 1), np.abs(x) / 3, np.clip(-x * 2, 0, 1)], axis=-1) * 255
        pixels[:, inside] = flow.astype(np.uint8)[inside]
        pixels[:, 150:230, 300:312] = (np.linspace(1, 0, 80)[:, None, None] * [255, 80, 0]).astype(np.uint8)
        ds.PixelData = pixels.tobytes()
        if jpeg:
            frames = []
            for frame in pixels:
                stream = io.BytesIO()
                Image.fromarray(frame).save(stream, "JPEG", quality=92, subsampling="4:2:2")
                frames.append(stream.getvalue())
            ds.PixelData = encapsulate(frames)
            ds["PixelData"].is_undefined_length = True
            ds.file_meta.TransferSyntaxUID, ds.PhotometricInterpretation = JPEGBaseline8Bit, "YBR_FULL_422"
            ds.LossyImageCompression, ds.LossyImageCompressionMethod = "01", "ISO_10918_1"
        ds.save_as(path)
        return path

    return make


def _faint_ct(folder: Path, patient: Patient) -> Path:
    """Text in the air, 90 Hounsfield units above it, where noise is 12."""
    return ct_series(folder, patient, 1, side=384, text=patient.lines, text_hounsfield=-910, series=13)[0]


def _overlay(folder: Path, patient: Patient) -> Path:
    [path] = ultrasound_cine(folder, patient, 1, text=(), series=18, **SMALL)
    ds = dcmread(path)
    bits = draw_text(np.zeros((240, 320), np.uint8), patient.lines, (10, 10), 14, 1)
    values = {0x0010: ("US", 240), 0x0011: ("US", 320), 0x0040: ("CS", "G"), 0x0050: ("SS", [1, 1])}
    values |= {0x0100: ("US", 1), 0x0102: ("US", 0)}
    values[0x3000] = ("OW", np.packbits(bits, bitorder="little").tobytes())
    for element, (vr, value) in values.items():
        ds.add_new((0x6000, element), vr, value)
    ds.save_as(path)
    return path


def _undecodable(folder: Path, patient: Patient) -> Path:
    [path] = ultrasound_cine(folder, patient, 1, series=19, **SMALL)
    ds = dcmread(path)
    ds.file_meta.TransferSyntaxUID = MPEG2
    ds.PixelData = encapsulate([b"\0\0\1\xb3" + bytes(996)])
    ds["PixelData"].is_undefined_length = True
    ds.save_as(path)
    return path


def _extended(folder: Path, patient: Patient) -> Path:
    """A radiograph in JPEG of 12 bits."""
    source = radiograph(folder, patient, photometric="MONOCHROME2", contrast=1500, rows=420, columns=420, series=20)
    target = source.with_name("extended.dcm")
    subprocess.run(["dcmcjpeg", "+ee", "+q", "98", str(source), str(target)], check=True)
    return target


PICTURES = [
    Picture("cine with a name on frame 37 only", _cine(40, 3, text_frames=[36]), [36], [37]),
    Picture("RGB Doppler", _doppler(11, jpeg=False), [0, 1]),
    Picture("YBR Doppler in JPEG", _doppler(12, jpeg=True), [0, 1]),
    Picture("CT of 16 bits with faint text", _faint_ct),
    Picture("PALETTE COLOR", _cine(2, 14, photometric="PALETTE COLOR"), [0, 1]),
    Picture(
        "MONOCHROME1",
        lambda folder, patient: radiograph(folder, patient, rows=420, columns=420, series=15),
    ),
    Picture("JPEG-LS", _cine(3, 16, syntax=JPEGLSLossless, text_frames=[1]), [1], [2]),
    Picture("JPEG 2000", _cine(3, 17, syntax=JPEG2000Lossless, text_frames=[1]), [1], [2]),
    Picture("overlay with a name", _overlay, []),
    Picture("12 bits in JPEG Extended", _extended),
    Picture("MPEG-2, which nobody here decodes", _undecodable, held=True),
]
