"""The location library: places where devices are known to write into their pictures.

A folder of text files that admins read and extend: `*.script` in the syntax of CTP's DicomPixelAnonymizer, `*.deid` in
that of the recipes of pydicom's `deid`. Every file is validated as a whole; a word that is not known stops the load.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pydicom import Dataset
from pydicom.datadict import tag_for_keyword

from airlock.errors import PolicyError
from airlock.findings import Box
from airlock.pixels.regions import outside, ultrasound_regions

Condition = Callable[[Dataset], bool]


@dataclass(frozen=True)
class Location:
    """One kind of picture and where text is in it.

    :param label: what the file calls it.
    :param boxes: rectangles; those that reach beyond the frame are cut.
    :param everything: mask the whole frame.
    :param outside_regions: mask what SequenceOfUltrasoundRegions does not name.
    """

    label: str
    matches: Condition
    boxes: tuple[Box, ...] = ()
    everything: bool = False
    outside_regions: bool = False

    def within(self, header: Dataset, shape: tuple[int, int]) -> list[Box]:
        """Return the rectangles inside a frame of so many rows and columns."""
        rows, columns = shape
        boxes = [(0, 0, columns, rows)] if self.everything else list(self.boxes)
        if self.outside_regions and (regions := ultrasound_regions(header, shape)):
            boxes += outside(regions, shape)
        cut = [(max(x0, 0), max(y0, 0), min(x1, columns), min(y1, rows)) for x0, y0, x1, y1 in boxes]
        return [box for box in cut if box[0] < box[2] and box[1] < box[3]]


@dataclass(frozen=True)
class Library:
    """All locations of a folder."""

    locations: tuple[Location, ...] = ()

    def boxes(self, header: Dataset, shape: tuple[int, int]) -> list[Box]:
        """Return what is masked in every frame of an image: the union of all locations that match.

        :param shape: rows and columns.
        """
        found = {b for location in self.locations if location.matches(header) for b in location.within(header, shape)}
        return sorted(found)


@lru_cache(maxsize=4)
def load_library(folder: Path) -> Library:
    """Read every file of a folder.

    :raises PolicyError: when there is no such folder; with file, line and reason of the first problem of each file that
        has one.
    """
    if not folder.is_dir():
        raise PolicyError(
            f"{folder}: no such folder. Set AIRLOCK_PIXEL_LOCATIONS to the folder of known places of text."
        )
    locations: list[Location] = []
    problems: list[str] = []
    for path in filter(is_location_file, sorted(folder.iterdir())):
        try:
            locations += parse_file(path)
        except PolicyError as error:
            problems.append(str(error))
    if problems:
        raise PolicyError("\n".join(problems))
    return Library(tuple(locations))


def is_location_file(path: Path) -> bool:
    """Whether a file of the folder must be one of the library; notes and hidden files need not."""
    return path.suffix != ".md" and not path.name.startswith(".")


def parse_file(path: Path) -> list[Location]:
    """Read one file.

    :raises PolicyError: with file, line and reason of its first problem.
    """
    from airlock.pixels.location_ctp import parse_ctp  # noqa: PLC0415 - they import this module
    from airlock.pixels.location_deid import parse_deid  # noqa: PLC0415 - likewise

    parsers = {".script": parse_ctp, ".deid": parse_deid}
    try:
        if path.suffix not in parsers:
            raise LocationError(1, "unknown kind of file; use .script (CTP) or .deid (recipe)")
        return list(parsers[path.suffix](path.read_text("utf-8")))
    except UnicodeDecodeError:
        raise PolicyError(f"{path}:1: not UTF-8 text") from None
    except OSError as error:
        raise PolicyError(f"{path}:1: {error.strerror}") from None
    except LocationError as error:
        raise PolicyError(f"{path}:{error.line}: {error.reason}") from None


class LocationError(Exception):
    """A line of a location file is not understood.

    :param line: counted from 1.
    """

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(line, reason)
        self.line, self.reason = line, reason


def values_of(header: Dataset, name: str | int) -> list[str]:
    """Return an element's values as text; [] when it is absent.

    :param name: keyword or tag.
    """
    if name not in header:
        return []
    value = header[name].value
    if value is None:
        return [""]
    return [str(v) for v in value] if isinstance(value, (list, tuple)) or hasattr(value, "append") else [str(value)]


def tag_of(name: str) -> int | None:
    """Return the tag of a keyword, or of digits like `[0008,0060]`; None when it is not known."""
    digits = name.strip("[]()").replace(",", "")
    if "," in name and re.fullmatch(r"[0-9A-Fa-f]{8}", digits):
        return int(digits, 16)
    return tag_for_keyword(name)


def check_pattern(pattern: str, error: Callable[[str], LocationError]) -> None:
    """Raise an error of the caller's making when a text is not a regular expression."""
    try:
        re.compile(pattern)
    except re.error:
        raise error("not a regular expression") from None
