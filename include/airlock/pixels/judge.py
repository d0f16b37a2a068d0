"""Which of the boxes that the detection network found are masked.

Masking too much costs picture, masking too little costs privacy: a box is left only for a stated reason. What was
read stays in this module.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher

from airlock.findings import Box, Found
from airlock.pixels.engine import Reading
from airlock.pixels.grow import continues
from airlock.pixels.words import plain

SAFE_WORDS = frozenset({"A", "P", "I", "L", "R", "H", "F", "S", "PATIENT", "NAME", "STUDY", "PROTOCOL", "DATE"})
"""Orientation letters and bare labels, left when they stand alone and were read without doubt."""

SURE = 90.0
"""Confidence from which a safe word counts as read."""

SINGLE = 60.0
"""Confidence below which one single character is taken for anatomy."""

GLYPH = 1 / 40
"""Part of the frame's shorter side above which one single character is taken for anatomy: a cyst is read as O."""

LARGE = 1 / 16
"""Part of the frame's shorter side above which a line must be read as surely: large letters are read well."""

GIANT = 1 / 5
"""Part of the shorter side above which it must be read without doubt: no device writes so large."""

CLEARLY = 80.0
"""Confidence below which letters that are larger than the enlarged part shows are taken for anatomy, and one letter
that comes again and again for a pattern: coarse tissue is read as 58 or SS, the rings of a stent as 00000."""

WORD = 3
"""Characters below which giant letters are taken for anatomy, however surely they were read, where the picture does not
show such: a cyst below the tip of an ultrasound sector is read as 10, from its side."""

SQUARE = 2.0
"""How many times as long as high a box is at least that holds a line of more than a few letters."""

HUGE = 1 / 3
"""Part of the shorter side above which the letters of such a box would be larger than any device writes."""

SOLID = 0.3
"""Part of such a box that looks like text, below which it is anatomy in an enlarged part, if the reduced frame would
show letters of its size too: crossing vessels, corners of ribs. Lines fill more of the box around them."""

MOSTLY = 0.7
"""Part of the smaller of two boxes that lies inside the larger when both show the same line."""

ALIKE = 0.75
"""Similarity from which a word counts as a known identifier (1 = equal)."""


@dataclass(frozen=True)
class Verdict:
    """A candidate that is masked.

    :param confidence: 0 to 100, of its reading.
    """

    box: Box
    confidence: float
    matches_identifier: bool


@dataclass(frozen=True)
class Judge:
    """Decides over boxes.

    :param confidence: percent; text that was read with less is left, unless it is known.
    :param known: plain words of :func:`airlock.pixels.words.known_words`.
    :param safe_words: in capitals; left when they stand alone and were read without doubt.
    """

    confidence: float = 20.0
    known: frozenset[str] = field(default=frozenset(), repr=False)
    safe_words: frozenset[str] = SAFE_WORDS

    def judge(
        self,
        boxes: list[Box],
        readings: list[Reading],
        side: int,
        tallest: float = math.inf,
        weak: frozenset[Box] = frozenset(),
        letters: int = 0,
        certain: frozenset[Box] = frozenset(),
    ) -> list[Verdict]:
        """Return the boxes to mask, in their order.

        :param side: shorter side of the whole frame, in pixels of the picture that the boxes are in.
        :param tallest: height of letters that the picture shows, in the same pixels; larger ones are looked for in
            another.
        :param weak: boxes of which the network is not sure; they must be read as a word, and with little doubt.
        :param letters: how many letters and digits must be read in a box.
        :param certain: boxes that are text, whatever was read: the engine does not read every script.
        """
        both = list(zip(boxes, readings, strict=True))
        safe = {b for b, r in both if self._is_safe(r)}
        kept = {b for b, r in both if b not in safe and self._is_text(b, r, side, tallest)}
        kept -= {b for b, r in both if b in weak and not self._is_word(r)}
        kept -= {b for b, r in both if len(plain(r.text)) < letters}
        kept |= certain - safe
        # A label beside something that is masked may be a part of it: an initial, a day of a date.
        kept |= {box for box in safe if any(_beside(box, other) for other in kept)}
        # What continues a line that was read needs not be read: the rest may be fainter, or cut by a rib.
        lines = [b for b, r in both if b in kept and _is_line(r) and _lower(b) <= LARGE * side]
        kept |= {box for box in set(boxes) - safe - kept if any(continues(box, line) for line in lines)}
        return [Verdict(b, round(r.confidence, 1), self._is_known(plain(r.text))) for b, r in both if b in kept]

    def _is_safe(self, reading: Reading) -> bool:
        word = reading.text.strip().strip(":.").upper()
        return reading.confidence >= SURE and word in self.safe_words and plain(word) not in self.known

    def _is_text(self, box: Box, reading: Reading, side: int, tallest: float) -> bool:
        if self._is_known(plain(reading.text)):
            return True
        characters = len(reading.text.replace(" ", ""))
        height = _lower(box)
        if (height > tallest and reading.confidence < CLEARLY) or _is_pattern(reading):
            return False
        if characters < WORD and height > max(tallest, GIANT * side):
            return False
        if characters <= 1:
            letter = reading.text.strip().isalnum()
            return letter and height <= GLYPH * side and reading.confidence >= max(SINGLE, self.confidence)
        least = SURE if height > GIANT * side else SINGLE if height > LARGE * side else 0.0
        return reading.confidence >= max(least, self.confidence)

    def _is_word(self, reading: Reading) -> bool:
        word = plain(reading.text)
        return self._is_known(word) or (len(word) >= WORD and reading.confidence >= SINGLE)

    def _is_known(self, text: str) -> bool:
        if len(text) < 3:
            return False
        return any(
            word in text or text in word or SequenceMatcher(None, word, text).ratio() >= ALIKE for word in self.known
        )


def is_anatomy(box: Box, side: int, doubled: float, like: float) -> bool:
    """Whether a box holds no line, as is told without reading it: that costs as much as finding it.

    :param side: shorter side of the whole frame, in pixels of the picture that the box is in.
    :param doubled: height of letters, in the same pixels, from which the reduced frame shows them as well.
    :param like: part of the box that looks like text.
    """
    width, height = box[2] - box[0], box[3] - box[1]
    shorter = min(width, height)
    if max(width, height) >= SQUARE * shorter:
        return False
    return shorter > HUGE * side or (shorter > doubled and like < SOLID)


def _is_line(reading: Reading) -> bool:
    return reading.confidence >= SINGLE and len(reading.text.replace(" ", "")) >= WORD


def _is_pattern(reading: Reading) -> bool:
    """Whether strokes of one kind were read: ticks of a ruler as ----, threads of a screw as 1111."""
    letters = [c for c in reading.text.upper() if c.isalnum()]
    return not letters or (len(letters) >= WORD and len(set(letters)) == 1 and reading.confidence < CLEARLY)


def _lower(box: Box) -> int:
    return min(box[2] - box[0], box[3] - box[1])


def _beside(box: Box, other: Box) -> bool:
    """Whether two boxes are closer than the height of the lower one's line."""
    reach = max(box[3] - box[1], 1)
    return (
        box[0] - reach < other[2]
        and other[0] < box[2] + reach
        and box[1] - reach // 2 < other[3]
        and other[1] < box[3] + reach // 2
    )


def merge(found: Iterable[Found]) -> list[Found]:
    """Return the boxes in reading order, those that show the same united; what one says, the other says too."""
    ordered = sorted(found, key=lambda f: (-_area(f.box), f.box))
    kept: list[Found] = []
    for one in ordered:
        place = next((n for n, other in enumerate(kept) if _same(other.box, one.box)), None)
        if place is None:
            kept.append(one)
            continue
        other = kept[place]
        kept[place] = replace(
            other,
            box=_union(other.box, one.box),
            confidence=max(other.confidence, one.confidence),
            matches_identifier=other.matches_identifier or one.matches_identifier,
        )
    return sorted(kept, key=lambda f: (f.box[1], f.box[0]))


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _same(one: Box, other: Box) -> bool:
    """Whether two boxes show the same: most of the smaller lies inside the larger."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return width > 0 and height > 0 and width * height >= MOSTLY * min(_area(one), _area(other))


def _union(one: Box, other: Box) -> Box:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])
