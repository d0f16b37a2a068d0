"""Read the input that an output came from, whatever state it is in."""

from __future__ import annotations

import io
import os
from functools import lru_cache

from airlock.errors import InstanceNotUnderstood
from airlock.typed import TYPE_CHECKING, Any
from airlock.verify.levels import Level, Malformed, Order
from airlock.verify.parser import parse_level
from airlock.verify.reader import BIG_ENDIAN, DEFLATED, IMPLICIT, File, PixelPlace, Reader
from airlock.verify.stored import Source
from airlock.verify.widths import VRS

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_new = tuple.__new__
# In bytes, of all inputs together, and what each takes beside its values.
_MOST_KEPT, _BESIDE_VALUES = 8 << 20, 1500


class Sources:
    """Reads inputs, remembers how their elements lay, and keeps what it read of some until it is asked for again."""

    def __init__(self) -> None:
        self._reader = Reader(strict=False)
        # Bytes and time of the file's latest change, which say whether it is still the same, what it holds, and bytes
        # that this takes.
        self._kept: dict[str, tuple[tuple[int, int], tuple[Any, ...], int]] = {}
        self._room = _MOST_KEPT

    def open(self, path: str | os.PathLike[str]) -> tuple[File, int]:
        """Read an input; return it with the open descriptor, which the caller closes.

        What the strict reader refuses is read by pydicom and encoded again.

        :raises Malformed: when neither can read it.
        :raises OSError: when the file cannot be opened.
        """
        kept = self._kept.pop(os.fspath(path), None)
        if kept is not None:
            state, fields, room = kept
            self._room += room
            descriptor = os.open(path, os.O_RDONLY)
            if _state(descriptor) == state:
                return _new(File, (*fields, Source(descriptor, state[0]))), descriptor
            os.close(descriptor)
        try:
            return self._reader.open(path)
        except Malformed:
            return _by_other_means(path)

    def keep(self, path: str, file: File, descriptor: int) -> None:
        """Keep what was read of an input, if that is little: what it has in common with others is there anyway."""
        if file.meta.shape is None or file.dataset.shape is None or file.tail is not None or file.syntax == DEFLATED:
            return
        room = _room_for(file.dataset)
        if room <= self._room and path not in self._kept:
            self._room -= room
            # Without the source, which has the bytes.
            self._kept[path] = _state(descriptor), file[:-1], room


def _room_for(dataset: Level) -> int:
    return sum([len(element.value) for element in dataset.varied], _BESIDE_VALUES)


def _state(descriptor: int) -> tuple[int, int]:
    found = os.fstat(descriptor)
    return found.st_size, found.st_mtime_ns


@lru_cache(maxsize=1)
def sources() -> Sources:
    """Return what reads the inputs of all patients: how they lie has nothing to do with whose they are."""
    return Sources()


def _by_other_means(path: str | os.PathLike[str]) -> tuple[File, int]:
    try:
        return _by_library(path)
    except (InstanceNotUnderstood, RecursionError):
        raise Malformed("no reader can read its source") from None
    except (OSError, MemoryError):
        raise
    except Exception:  # noqa: BLE001 - a library's errors on hostile bytes are of any kind, and quote them
        raise Malformed("no reader can read its source") from None


def _name_unknown(top: Dataset) -> None:
    """Say of values in VRs that don't exist that their VR is unknown (UN), as de-identification reads them.

    Then an attribute's VR is what the dictionary says, and what identifies is harvested from it.
    """
    from pydicom.dataelem import RawDataElement  # noqa: PLC0415 - as in `_by_library`

    levels = [top]
    while levels:
        level = levels.pop()
        for tag in list(level.keys()):
            element = level.get_item(tag)
            if isinstance(element, RawDataElement):
                if element.VR is not None and element.VR.encode("latin-1") not in VRS:
                    level[tag] = element._replace(VR="UN")
            elif element.VR == "SQ":
                levels += element.value or []


def _by_library(path: str | os.PathLike[str]) -> tuple[File, int]:
    # They import pydicom, which few inputs need.
    from pathlib import Path  # noqa: PLC0415 - as the comment says

    from airlock.dicomio.part10 import PIXEL_TAGS, UNDEFINED, open_instance  # noqa: PLC0415 - as above
    from airlock.dicomio.splice import encode  # noqa: PLC0415 - as above

    with open_instance(Path(path)) as instance:
        _name_unknown(instance.dataset)
        order = Order(implicit=instance.syntax == IMPLICIT, little=instance.syntax != BIG_ENDIAN)
        data, after = encode(instance)
        found = instance.pixels
        inflated = instance.stream.getvalue() if isinstance(instance.stream, io.BytesIO) else None
    dataset, _end = parse_level(data, 0, len(data), order, strict=False, below=PIXEL_TAGS[0])
    pixels = None
    if found is not None:
        pixels = PixelPlace(found.tag, found.vr, found.offset, found.size, found.length == UNDEFINED)
    tail = parse_level(after, 0, len(after), order, strict=False)[0] if after else None
    descriptor = os.open(path, os.O_RDONLY)
    size = len(inflated) if inflated is not None else os.fstat(descriptor).st_size
    source = Source(descriptor, size, inflated)
    meta = Level(Order(implicit=False, little=True))
    return File(b"", meta, instance.syntax, order, dataset, pixels, tail, source), descriptor
