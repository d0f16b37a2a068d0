"""Pictures of every kind of pixels, and how peers read them."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended, generate_frames
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    MultiFrameSingleBitSecondaryCaptureImageStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    RLELossless,
)

from demo.phantoms import Patient, invent_uid
from demo.phantoms.dataset import common, save, set_pixels

Array = npt.NDArray[Any]
Store = Callable[[Dataset, Array, Path], Path]

FRAMES, ROWS, COLUMNS = 3, 41, 52
ENCAPSULATED = UID("1.2.840.10008.1.2.1.98")
STREAMS = Path(__file__).parent / "component" / "pixels" / "htj2k"


def texture(bits: int, *, signed: bool = False, colours: bool = False) -> Array:
    """Values over the whole range: slopes with noise, `(frames, rows, columns[, 3])`."""
    samples = 3 if colours else 1
    frame, y, x, sample = np.mgrid[:FRAMES, :ROWS, :COLUMNS, :samples]
    slope = (
        0.5 + 0.35 * np.sin(x / 9 + frame + sample) * np.cos(y / 7) + np.random.default_rng(7).normal(0, 0.02, x.shape)
    )
    values = np.rint(np.clip(slope, 0, 1) * (2**bits - 1)).astype(np.int64)
    values = values - (1 << (bits - 1)) if signed else values
    width = 8 if bits <= 8 else 16 if bits <= 16 else 32
    return values.astype(f"{'i' if signed else 'u'}{width // 8}")[..., slice(None) if colours else 0]


@dataclass(frozen=True)
class Kind:
    """A kind of pixels.

    :param values: as they are stored before any compression.
    :param store: writes them into a file.
    :param kept: whether a rewritten file keeps the transfer syntax, and frames without boxes their bytes.
    :param black: what a box is filled with, when it isn't the frame's smallest value.
    """

    name: str
    values: Array
    bits: int
    photometric: str
    store: Store
    kept: bool = False
    black: tuple[int, ...] | None = None

    def write(self, folder: Path) -> Path:
        """Write the file."""
        ds = common(Patient(), _sop_class(self), "OT", 1, 1)
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = invent_uid(self.name)
        ds.ImageType, ds.ConversionType, ds.PatientOrientation = ["DERIVED", "SECONDARY"], "WSD", ""
        ds.NumberOfFrames, ds.FrameIncrementPointer, ds.PageNumberVector = FRAMES, 0x00182001, [1, 2, 3]
        ds.BurnedInAnnotation, ds.RecognizableVisualFeatures = "NO", "NO"
        if self.photometric == "MONOCHROME2" and self.bits > 1:
            ds.PresentationLUTShape, ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "IDENTITY", 0, 1, "US"
        set_pixels(ds, self.values, self.photometric, self.bits)
        if self.bits == 1:
            ds.BitsAllocated, content = 1, np.packbits(self.values.ravel(), bitorder="little").tobytes()
            ds.PixelData = content + b"\0" * (len(content) % 2)
        folder.mkdir(parents=True, exist_ok=True)
        return self.store(ds, self.values, folder)


def _sop_class(kind: Kind) -> UID:
    if kind.values.ndim == 4 or kind.photometric == "PALETTE COLOR":
        return MultiFrameTrueColorSecondaryCaptureImageStorage
    if kind.bits == 1:
        return MultiFrameSingleBitSecondaryCaptureImageStorage
    if kind.values.dtype.itemsize == 1:
        return MultiFrameGrayscaleByteSecondaryCaptureImageStorage
    return MultiFrameGrayscaleWordSecondaryCaptureImageStorage


# Ways to store


def native(ds: Dataset, _values: Array, folder: Path, syntax: UID = ExplicitVRLittleEndian) -> Path:
    ds.file_meta.TransferSyntaxUID = syntax
    return save(ds, folder)


def implicit(ds: Dataset, values: Array, folder: Path) -> Path:
    return native(ds, values, folder, ImplicitVRLittleEndian)


def deflated(ds: Dataset, values: Array, folder: Path) -> Path:
    return native(ds, values, folder, DeflatedExplicitVRLittleEndian)


def big_endian(ds: Dataset, values: Array, folder: Path) -> Path:
    """Values of up to 16 bits in words of 16 bits, as DCMTK writes them too."""
    if ds.BitsAllocated <= 16:
        ds.PixelData = np.frombuffer(ds.PixelData, "<u2").byteswap().tobytes()
    else:
        ds.PixelData = values.astype(values.dtype.newbyteorder(">")).tobytes()
    ds["PixelData"].VR = "OW"
    if ds.PhotometricInterpretation == "PALETTE COLOR":
        for colour in ("Red", "Green", "Blue"):
            for element in ds:
                if element.keyword.startswith(("Segmented" + colour, colour)) and element.VR == "OW":
                    element.value = np.frombuffer(element.value, "<u2").byteswap().tobytes()
    return native(ds, values, folder, ExplicitVRBigEndian)


def by_plane(ds: Dataset, values: Array, folder: Path) -> Path:
    ds.PlanarConfiguration = 1
    ds.PixelData = np.ascontiguousarray(values.transpose(0, 3, 1, 2)).tobytes()
    return native(ds, values, folder)


def partial(ds: Dataset, values: Array, folder: Path) -> Path:
    """Two pixels share their chroma: Y Y Cb Cr."""
    packed = np.stack(
        [values[:, :, ::2, 0], values[:, :, 1::2, 0], values[:, :, ::2, 1], values[:, :, ::2, 2]], axis=-1
    )
    ds.PixelData = packed.tobytes()
    return native(ds, values, folder)


def palette(ds: Dataset, bits: int, *, segmented: bool = False, words: bool = True) -> None:
    """Add a palette whose darkest colour is entry 7 of all that pixels can have."""
    entries = 1 << ds.BitsStored
    for colour, gain in (("Red", 1.0), ("Green", 0.9), ("Blue", 0.7)):
        shades = np.rint(np.roll(np.linspace(0, gain * (2**bits - 1), entries), 7)).astype(np.uint16)
        setattr(ds, f"{colour}PaletteColorLookupTableDescriptor", [entries % 65536, 0, bits])
        if not segmented:
            content = shades.astype("<u2" if bits == 16 or words else "u1").tobytes()
            setattr(ds, f"{colour}PaletteColorLookupTableData", content)
            continue
        # Discrete segments (0, length, values), then a line to its last value (1, length, value).
        top = int(gain * (2**bits - 1))
        content = np.array([0, 8, *([top] * 7), 0, 1, entries - 8, top], "<u2").tobytes()
        setattr(ds, f"Segmented{colour}PaletteColorLookupTableData", content)


def with_palette(bits: int, store: Store = native, **how: bool) -> Store:
    def write(ds: Dataset, values: Array, folder: Path) -> Path:
        palette(ds, bits, **how)
        return store(ds, values, folder)

    return write


def tool(*command: str) -> Store:
    """A program of DCMTK or GDCM that compresses a native file."""

    def write(ds: Dataset, values: Array, folder: Path) -> Path:
        source, target = native(ds, values, folder), folder / "compressed.dcm"
        subprocess.run([*command, str(source), str(target)], check=True, capture_output=True)
        return target

    return write


def compressed(syntax: UID) -> Store:
    """pydicom's own encoders."""

    def write(ds: Dataset, values: Array, folder: Path) -> Path:
        ds.compress(syntax, generate_instance_uid=False)
        return save(ds, folder)

    return write


def pieces(ds: Dataset, frames: list[bytes], syntax: UID, folder: Path, table: str = "basic") -> Path:
    """Encapsulate frames."""
    ds.file_meta.TransferSyntaxUID = syntax
    if table == "extended":
        ds.PixelData, ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths = encapsulate_extended(frames)
    else:
        fragments = 3 if table.startswith("fragments") else 1
        ds.PixelData = encapsulate(frames, fragments_per_frame=fragments, has_bot=table in ("basic", "fragments"))
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    return save(ds, folder)


def again(syntax: UID, table: str) -> Store:
    """pydicom's encoder, and another table of the frames."""

    def write(ds: Dataset, values: Array, folder: Path) -> Path:
        ds.compress(syntax, generate_instance_uid=False)
        return pieces(ds, list(generate_frames(ds.PixelData, number_of_frames=FRAMES)), syntax, folder, table)

    return write


def uncompressed_pieces(ds: Dataset, values: Array, folder: Path) -> Path:
    if ds.BitsAllocated == 1:
        return pieces(ds, [np.packbits(v, bitorder="little").tobytes() for v in values], ENCAPSULATED, folder)
    if values.ndim == 4:
        ds.PlanarConfiguration = 1
        return pieces(ds, [v.transpose(2, 0, 1).tobytes() for v in values], ENCAPSULATED, folder)
    return pieces(ds, [v.tobytes() for v in values], ENCAPSULATED, folder)


def jpeg_2000(*, irreversible: bool) -> Store:
    """Pillow's encoder; colours become YBR_ICT or YBR_RCT."""

    options: dict[str, Any] = {"no_jp2": True, "mct": 1, "irreversible": irreversible}
    options["quality_layers"] = [8 if irreversible else 0]

    def write(ds: Dataset, values: Array, folder: Path) -> Path:
        frames = []
        for frame in values:
            stream = io.BytesIO()
            Image.fromarray(frame).save(stream, "JPEG2000", **options)
            frames.append(stream.getvalue())
        ds.PhotometricInterpretation = "YBR_ICT" if irreversible else "YBR_RCT"
        return pieces(ds, frames, JPEG2000 if irreversible else JPEG2000Lossless, folder)

    return write


def high_throughput(name: str, photometric: str, syntax: UID = HTJ2KLossless) -> Store:
    """Code streams that OpenJPH 0.26 made of `texture`'s first frame (see the folder's README)."""

    def write(ds: Dataset, values: Array, folder: Path) -> Path:
        ds.PhotometricInterpretation = photometric
        return pieces(ds, [(STREAMS / f"{name}.j2c").read_bytes()] * FRAMES, syntax, folder)

    return write


_GREY_8, _GREY_12, _GREY_16, _SIGNED_16 = texture(8), texture(12), texture(16), texture(16, signed=True)
_COLOURS, _COLOURS_16 = texture(8, colours=True), texture(16, colours=True)
_BITS = (texture(8) > 127).astype(np.uint8)
_STUDIO = np.repeat(np.clip(_COLOURS[:, :, ::2], 16, 235), 2, axis=2)
_STUDIO[..., 0] = np.clip(_COLOURS[..., 0], 16, 235)
_SEGMENTED_BIG_ENDIAN = with_palette(16, big_endian, segmented=True)
M1, M2, RGB, PALETTE = "MONOCHROME1", "MONOCHROME2", "RGB", "PALETTE COLOR"

LOSSLESS = [
    Kind("10 of 16 bits", texture(10), 10, M2, native),
    Kind("12 bits, MONOCHROME1, implicit", _GREY_12, 12, M1, implicit),
    Kind("signed 16 bits, big endian", _SIGNED_16, 16, M2, big_endian),
    Kind("8 bits, big endian words", _GREY_8, 8, M2, big_endian, black=(0,)),
    Kind("RGB, big endian words", _COLOURS, 8, RGB, big_endian, black=(0, 0, 0)),
    Kind("32 bits", texture(32), 32, M2, native),
    Kind("signed 32 bits", texture(32, signed=True), 32, M2, native),
    Kind("32 bits, big endian", texture(32), 32, M2, big_endian),
    Kind("32 bits, RLE", texture(32), 32, M2, tool("gdcmconv", "--rle")),
    Kind("1 bit", _BITS, 1, M2, native, black=(0,)),
    Kind("1 bit, big endian", _BITS, 1, M2, big_endian, black=(0,)),
    Kind("RGB of 16 bits", _COLOURS_16, 16, RGB, native, black=(0, 0, 0)),
    Kind("RGB of 16 bits by plane", _COLOURS_16, 16, RGB, by_plane, black=(0, 0, 0)),
    Kind("RGB by plane, deflated", _COLOURS, 8, RGB, deflated, black=(0, 0, 0)),
    Kind("palette of 16 bits", _GREY_16, 16, PALETTE, with_palette(16), black=(7,)),
    Kind("palette, big endian", _GREY_8, 8, PALETTE, with_palette(16, big_endian), black=(7,)),
    Kind("palette of 8 bits in words", _GREY_8, 8, PALETTE, with_palette(8), black=(7,)),
    Kind("palette of bytes", _GREY_8, 8, PALETTE, with_palette(8, words=False), black=(7,)),
    Kind("segmented palette", _GREY_8, 8, PALETTE, with_palette(16, segmented=True), black=(7,)),
    Kind("segmented palette of 16 bits", _GREY_16, 16, PALETTE, with_palette(16, segmented=True), black=(7,)),
    Kind(
        "segmented palette, big endian", _GREY_8, 8, PALETTE, with_palette(16, big_endian, segmented=True), black=(7,)
    ),
    Kind("YBR_PARTIAL_422", _STUDIO, 8, "YBR_PARTIAL_422", partial, black=(16, 128, 128)),
    Kind("16 bits, RLE", _GREY_16, 16, M2, compressed(RLELossless), kept=True),
    Kind("RGB of 16 bits, RLE", _COLOURS_16, 16, RGB, compressed(RLELossless), kept=True, black=(0, 0, 0)),
    Kind("16 bits, JPEG lossless SV1", _GREY_16, 16, M2, tool("dcmcjpeg", "+e1")),
    Kind("12 bits, JPEG lossless process 14", _GREY_12, 12, M2, tool("dcmcjpeg", "+el", "+sv", "6")),
    Kind("signed 16 bits, JPEG lossless SV1", _SIGNED_16, 16, M2, tool("dcmcjpeg", "+e1")),
    Kind("RGB, JPEG lossless SV1", _COLOURS, 8, RGB, tool("dcmcjpeg", "+e1"), black=(0, 0, 0)),
    Kind("signed 16 bits, JPEG-LS", _SIGNED_16, 16, M2, tool("dcmcjpls"), kept=True),
    Kind("RGB of 16 bits, JPEG-LS", _COLOURS_16, 16, RGB, tool("dcmcjpls"), kept=True, black=(0, 0, 0)),
    Kind("12 bits, JPEG 2000", _GREY_12, 12, M2, compressed(JPEG2000Lossless), kept=True),
    Kind("signed 16 bits, JPEG 2000", _SIGNED_16, 16, M2, compressed(JPEG2000Lossless), kept=True),
    Kind("YBR_RCT, JPEG 2000", _COLOURS, 8, RGB, jpeg_2000(irreversible=False), kept=True, black=(0, 0, 0)),
    Kind("8 bits, HTJ2K", _GREY_8[[0, 0, 0]], 8, M2, high_throughput("grey8", M2), black=(0,)),
    Kind("signed 16 bits, HTJ2K", _SIGNED_16[[0, 0, 0]], 16, M2, high_throughput("signed16", M2)),
    Kind("YBR_RCT, HTJ2K", _COLOURS[[0, 0, 0]], 8, RGB, high_throughput("colours", "YBR_RCT"), black=(0, 0, 0)),
    Kind("16 bits, encapsulated uncompressed", _GREY_16, 16, M2, uncompressed_pieces, kept=True),
    Kind("1 bit, encapsulated uncompressed", _BITS, 1, M2, uncompressed_pieces, kept=True, black=(0,)),
    Kind("RGB by plane, encapsulated uncompressed", _COLOURS, 8, RGB, uncompressed_pieces, kept=True, black=(0, 0, 0)),
    *(
        Kind(f"JPEG-LS, offset table: {table}", _GREY_8, 8, M2, again(JPEGLSLossless, table), kept=True, black=(0,))
        for table in ("basic", "none", "extended", "fragments", "fragments without table")
    ),
    Kind("RLE, no offset table", _GREY_8, 8, M2, again(RLELossless, "none"), kept=True, black=(0,)),
]

LOSSY = [
    Kind("12 bits, JPEG Extended", _GREY_12, 12, M2, tool("dcmcjpeg", "+ee")),
    Kind("12 bits, JPEG Extended, MONOCHROME1", _GREY_12, 12, M1, tool("dcmcjpeg", "+ee", "+q", "100")),
    Kind("8 bits, JPEG Extended", _GREY_8, 8, M2, tool("dcmcjpeg", "+ee"), black=(0,)),
    Kind("8 bits, JPEG baseline", _GREY_8, 8, M2, tool("dcmcjpeg", "+eb"), black=(0,)),
    Kind("12 bits, JPEG-LS near-lossless", _GREY_12, 12, M2, tool("dcmcjpls", "+en", "+md", "3"), kept=True),
    Kind("RGB, JPEG-LS near-lossless", _COLOURS, 8, RGB, tool("dcmcjpls", "+en"), kept=True, black=(0, 0, 0)),
    Kind("12 bits, JPEG 2000 lossy", _GREY_12, 12, M2, tool("gdcmconv", "--j2k", "--irreversible"), kept=True),
    Kind("YBR_ICT, JPEG 2000", _COLOURS, 8, RGB, jpeg_2000(irreversible=True), black=(0, 0, 0)),
    Kind("YBR_ICT, HTJ2K", _COLOURS, 8, RGB, high_throughput("lossy", "YBR_ICT", HTJ2K), black=(0, 0, 0)),
]
