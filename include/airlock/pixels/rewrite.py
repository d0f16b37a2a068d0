"""Write an image again with boxes masked: same headers and UIDs, every frame without boxes as it was.

Frames stream one by one, so that memory holds a few of them, whatever the size of the file. A compressed file keeps its
transfer syntax, and the frames without boxes their very bytes, where the masked frames can be compressed in it without
loss. Every other compressed file becomes Explicit VR Little Endian, which every receiver takes and which loses nothing.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pydicom import Dataset

from airlock.errors import InstanceNotUnderstood
from airlock.findings import Box, Overlays
from airlock.pixels.check import check_rewritten
from airlock.pixels.decode import StoredImage
from airlock.pixels.encode import encode, encoder_for
from airlock.pixels.header import clean_header, note_lossy, uncompressed
from airlock.pixels.mask import masked
from airlock.pixels.native import frame_bits
from airlock.pixels.overlays import embedded
from airlock.pixels.write import MAX_ELEMENT_BYTES, Table, native_frames, write_encapsulated, write_native

FILE_NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def rewrite_file(
    source: Path, folder: Path, boxes: dict[int, list[Box]], overlays: Overlays | None = None
) -> tuple[Path, int]:
    """Write `<folder>/<SeriesInstanceUID>/<SOPInstanceUID>.dcm` and prove it, decoding it again.

    :param boxes: what to mask, by frame number.
    :param overlays: what to clear in overlay planes.
    :return: the new file and its number of frames.
    :raises InstanceNotUnderstood: when it cannot be done for certain; then there is no new file.
    """
    target = _target(StoredImage(source).dataset, folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        frames = _write_and_check(source, part, boxes, overlays or {})
        # Never over another file: two inputs with one UID would lose one. The empty file reserves the name.
        target.touch(exist_ok=False)
        part.replace(target)
    except FileExistsError:
        raise InstanceNotUnderstood("another input has the same SOPInstanceUID") from None
    except InstanceNotUnderstood:
        raise
    except Exception as error:  # noqa: BLE001 - values that cannot be encoded make pydicom raise almost anything
        raise InstanceNotUnderstood(f"it cannot be written ({type(error).__name__})") from None
    finally:
        with suppress(FileNotFoundError):
            part.unlink()
    return target, frames


def _target(dataset: Dataset, folder: Path) -> Path:
    series, instance = (str(dataset.get(k) or "") for k in ("SeriesInstanceUID", "SOPInstanceUID"))
    if not (FILE_NAME_PATTERN.fullmatch(series) and FILE_NAME_PATTERN.fullmatch(instance)):
        raise InstanceNotUnderstood("its SeriesInstanceUID or SOPInstanceUID is missing or not a UID")
    return folder / series / f"{instance}.dcm"


def _write_and_check(source: Path, part: Path, boxes: dict[int, list[Box]], overlays: Overlays) -> int:
    image = StoredImage(source)
    if image.keyword != "PixelData":
        raise InstanceNotUnderstood("it has no pixels of a kind that can be masked")
    # Overlays in unused bits go only when every frame is written anew.
    if encoder_for(image) is not None and not embedded(image.dataset):
        try:
            _write_compressed(image, part, boxes, overlays)
            return check_rewritten(source, part, boxes, overlays)
        except InstanceNotUnderstood:
            # The codec cannot give these values back exactly: uncompressed it loses nothing. What is wrong with the
            # file itself is found again below.
            image = StoredImage(source)
    _write_uncompressed(image, part, boxes, overlays)
    return check_rewritten(source, part, boxes, overlays)


def _write_compressed(image: StoredImage, part: Path, boxes: dict[int, list[Box]], overlays: Overlays) -> None:
    encoder = encoder_for(image)
    assert encoder is not None
    table = _table(image)
    clean_header(image.dataset, overlays)
    note_lossy(image.dataset, image.syntax, None)

    def content(number: int, stored: bytes) -> bytes:
        if not boxes.get(number):
            return stored
        [frame] = image.read([number])
        return encode(replace(frame, pixels=masked(frame, image.pixels, boxes[number])), image, encoder)

    frames = (content(number, stored) for number, stored in enumerate(image.encoded()))
    write_encapsulated(part, image.dataset, frames, image.frames, table)


def _table(image: StoredImage) -> Table:
    """Return the table of frames that an image has: a rewritten one gets the same."""
    assert image.stored.element
    if "ExtendedOffsetTable" in image.dataset:
        return "extended"
    return "basic" if image.stored.element.offsets else "none"


def _write_uncompressed(image: StoredImage, part: Path, boxes: dict[int, list[Box]], overlays: Overlays) -> None:
    frames = native_frames(image, boxes)
    layout, first = next(frames)
    rows, columns = first.shape[:2]
    bits = frame_bits(rows, columns, layout.samples, layout.bits_allocated, layout.photometric)
    total = -(-bits * image.frames // 8)
    if total + total % 2 > MAX_ELEMENT_BYTES:
        raise InstanceNotUnderstood("uncompressed, its pixels would be larger than 4 GiB")
    clean_header(image.dataset, overlays)
    if image.syntax.is_encapsulated:
        note_lossy(image.dataset, image.syntax, total / max(image.compressed_bytes, 1))
    uncompressed(image.dataset, image.syntax, layout)
    write_native(part, image.dataset, total, layout, first, frames)
