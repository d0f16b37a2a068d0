"""Everything that is known of text in one image: the header's word, known places, the text detector, overlay planes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from airlock.findings import Found, Overlays
from airlock.pixels.decode import StoredImage
from airlock.pixels.detect import examine
from airlock.pixels.engine import TextEngine
from airlock.pixels.judge import SAFE_WORDS, merge
from airlock.pixels.locations import load_library
from airlock.pixels.native import has_hidden_bits
from airlock.pixels.overlays import DATA, GROUPS, overlay_text
from airlock.pixels.regions import OUTSIDE, lies_outside, ultrasound_regions
from airlock.pixels.rules import suspicions
from airlock.pixels.words import known_words


@dataclass
class Inspection:
    """What was found in the frames that were looked at."""

    found: list[Found] = field(default_factory=list)
    overlays: Overlays = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)


def inspect(
    image: StoredImage,
    engine: Callable[[], TextEngine],
    *,
    confidence: float,
    numbers: range,
    known: frozenset[str] = frozenset(),
    safe_words: frozenset[str] = SAFE_WORDS,
    locations: Path | None = None,
    alive: Callable[[], None] = lambda: None,
) -> Inspection:
    """Examine frames of an image, and with its first frame its overlay planes.

    :param engine: returns the text detector; called only when there is something to examine.
    :param locations: folder of the location library; None is none.
    :param alive: called after each frame.
    :raises InstanceNotUnderstood: when something cannot be decoded.
    :raises DetectorUnavailable: when there is no detector.
    :raises PolicyError: when a file of the location library is not valid.
    """
    if not image.has_pixels:
        return Inspection()
    result = Inspection(reasons=suspicions(image.dataset))
    shape = int(image.pixels.Rows), int(image.pixels.Columns)
    known_places = load_library(locations).boxes(image.dataset, shape) if locations else []
    regions = ultrasound_regions(image.dataset, shape)
    for number, boxes in examine(image, engine(), confidence, numbers, known, safe_words):
        alive()
        places = [Found(number, box, "location", 100.0) for box in known_places]
        result.found += merge([*boxes, *places])
        if regions and OUTSIDE not in result.reasons and any(lies_outside(f.box, regions) for f in boxes):
            result.reasons.append(OUTSIDE)
    if hides_bits(image, numbers):
        # As if its header were there: the rewritten file has no such bits.
        result.overlays = {f"{next(g for g in GROUPS if (g, DATA) not in image.dataset):04x}": {}}
    if numbers.start == 0:
        words = known | known_words(image.dataset)
        result.overlays = result.overlays | overlay_text(image, engine(), confidence, words)
    return result


def hides_bits(image: StoredImage, numbers: range) -> bool:
    """Return whether unused bits of uncompressed frames hold something, such as an overlay that no header tells of."""
    allocated, stored = int(image.pixels.BitsAllocated), int(image.pixels.get("BitsStored") or 0)
    if image.keyword != "PixelData" or image.syntax.is_encapsulated or allocated not in (8, 16, 32):
        return False
    if stored >= allocated:
        return False
    little = image.syntax.is_little_endian
    return any(has_hidden_bits(c, allocated, stored, little_endian=little) for c in image.encoded(numbers))
