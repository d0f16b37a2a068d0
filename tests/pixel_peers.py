"""How programs of other makers read rewritten files."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.encaps import generate_frames
from pydicom.uid import JPEG2000, UID, JPEG2000Lossless, JPEGLSLossless, JPEGLSNearLossless, RLELossless

from tests.pixel_kinds import COLUMNS, ENCAPSULATED, FRAMES, ROWS, Array


def read_by_peer(path: Path, folder: Path) -> Array:
    """Return the values of a file: `(frames, rows, columns[, 3])`, decompressed by DCMTK or GDCM."""
    ds = dcmread(path)
    syntax = ds.file_meta.TransferSyntaxUID
    if syntax == ENCAPSULATED:
        return _values(ds, b"".join(generate_frames(ds.PixelData, number_of_frames=FRAMES)), per_frame=True)
    if syntax.is_compressed:
        target = folder / f"read-{path.stem[-8:]}.dcm"
        subprocess.run([*_reader(syntax), str(path), str(target)], check=True, capture_output=True)
        ds = dcmread(target)
    elif not syntax.is_little_endian:
        raise ValueError("peers are asked for what is little endian")
    return _values(ds, ds.PixelData)


def _reader(syntax: UID) -> list[str]:
    if syntax == RLELossless:
        return ["dcmdrle"]
    if syntax in (JPEGLSLossless, JPEGLSNearLossless):
        return ["dcmdjpls", "+px"]
    return ["gdcmconv", "--raw"] if syntax in (JPEG2000, JPEG2000Lossless) else ["dcmdjpeg", "+px", "+cn"]


def _values(ds: Dataset, content: bytes, *, per_frame: bool = False) -> Array:
    if ds.BitsAllocated == 1:
        bits = np.unpackbits(np.frombuffer(content, np.uint8), bitorder="little")
        if per_frame:
            return bits.reshape(FRAMES, -1)[:, : ROWS * COLUMNS].reshape(FRAMES, ROWS, COLUMNS)
        return bits[: FRAMES * ROWS * COLUMNS].reshape(FRAMES, ROWS, COLUMNS)
    values = np.frombuffer(content, f"<{'i' if ds.PixelRepresentation else 'u'}{ds.BitsAllocated // 8}")
    if ds.PhotometricInterpretation == "YBR_PARTIAL_422":
        packed = values.reshape(FRAMES, ROWS, COLUMNS // 2, 4)
        luma = packed[..., :2].reshape(FRAMES, ROWS, COLUMNS)
        return np.stack([luma, *(np.repeat(packed[..., n], 2, axis=2) for n in (2, 3))], axis=-1)
    if ds.SamplesPerPixel == 1:
        return values[: FRAMES * ROWS * COLUMNS].reshape(FRAMES, ROWS, COLUMNS)
    if ds.PlanarConfiguration:
        return values[: FRAMES * ROWS * COLUMNS * 3].reshape(FRAMES, 3, ROWS, COLUMNS).transpose(0, 2, 3, 1)
    return values[: FRAMES * ROWS * COLUMNS * 3].reshape(FRAMES, ROWS, COLUMNS, 3)
