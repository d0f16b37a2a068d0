"""Find burned-in text in every frame of an image."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
from pydicom import Dataset

from airlock.findings import Box, Found, Source
from airlock.pixels.change import difference
from airlock.pixels.colours import displayable
from airlock.pixels.decode import Array, Frame, StoredImage
from airlock.pixels.engine import Reading, TextEngine
from airlock.pixels.grow import grown, joined, with_room
from airlock.pixels.judge import SAFE_WORDS, Judge, is_anatomy, merge
from airlock.pixels.network import WEAK, Candidate
from airlock.pixels.patches import Details, Patch, whole
from airlock.pixels.strokes import Mask, strokes_of, text_like, texture
from airlock.pixels.tilt import is_tilted, straightened
from airlock.pixels.views import planes
from airlock.pixels.voi import through_tables
from airlock.pixels.words import known_words

OCR: Source = "ocr"

REMEMBERED = 4096
"""Readings that are kept for an image: the same letters in the same place are read once."""

NEAR = 6
"""Pixels around a box in which strokes still belong to it, at least."""

REACH = 25
"""Pixels of the square by which what looks like text is widened: letters at the end of a line have neighbours on one
side only."""

PAIR = 2
"""Letters or digits that must be read where a part is enlarged so much that noise looks like one."""

CERTAIN, UNREAD, LONG, LINED = 0.9, 40, 1.4, 0.4
"""Score of the network, and pixels of height, length to height and part that looks like text, of boxes that are lines
even if nobody can read them: those of scripts that the engine was not made for. Larger ones are anatomy too often."""

DENSE = 0.5
"""Part of a box that must look like text for a line to stand there still."""


def examine(
    image: StoredImage,
    engine: TextEngine,
    confidence: float,
    numbers: Iterable[int] | None = None,
    known: frozenset[str] = frozenset(),
    safe_words: frozenset[str] = SAFE_WORDS,
) -> Iterator[tuple[int, list[Found]]]:
    """Yield frame number and what to mask, for every frame or those with the given numbers.

    Frames with the same pixels as one before are not examined again; of others, small text is looked for where they
    differ from the frame before.

    :param confidence: percent; see :class:`airlock.pixels.judge.Judge`.
    :param known: plain words to be masked at any confidence, besides those of the image's own header.
    :param safe_words: see :class:`airlock.pixels.judge.Judge`.
    :raises InstanceNotUnderstood: when a frame cannot be decoded.
    :raises DetectorUnavailable: when the engine fails.
    """
    examiner = Examiner(image.pixels, engine, Judge(confidence, known | known_words(image.dataset), safe_words))
    for frame in image.read(numbers):
        yield frame.number, examiner.examine(frame)


@dataclass
class _Before:
    """The frame before, and what was found in it."""

    pixels: Array
    found: list[Found]


class Examiner:
    """Examines the frames of one image in turn.

    :param pixel_module: the image pixel module: palettes.
    :param judge: decides which candidates are masked.
    """

    def __init__(self, pixel_module: Dataset, engine: TextEngine, judge: Judge) -> None:
        self._module, self._engine, self._judge = pixel_module, engine, judge
        self._seen: dict[bytes, list[Found]] = {}
        self._readings: dict[bytes, Reading] = {}
        self._before: _Before | None = None
        self._kept: list[Found] = []
        self._like: Mask = np.zeros((0, 0), bool)

    def examine(self, frame: Frame) -> list[Found]:
        """Return what to mask in a frame."""
        digest = hashlib.blake2b(np.ascontiguousarray(frame.pixels).data, digest_size=16).digest()
        if digest not in self._seen:
            self._seen[digest] = self._look(frame)
        self._before = _Before(frame.pixels, self._seen[digest])
        rows, columns = frame.pixels.shape[:2]
        # Not before: what a later frame keeps, and what it is searched for, is told by the line that was seen.
        return [replace(with_room(found, rows, columns), frame=frame.number) for found in self._seen[digest]]

    def _look(self, frame: Frame) -> list[Found]:
        values = through_tables(planes(displayable(frame, self._module)), frame.pixels, self._module)
        found_strokes = strokes_of(values)
        dense = text_like(found_strokes)
        self._like = dense.both
        speckle = texture(dense.both)
        strokes = found_strokes.both & _widened(dense.pieces) & ~speckle
        within: Mask | None = None
        self._kept = []
        first = self._before is None
        if self._before is not None and (change := difference(self._before.pixels, frame.pixels)) is not None:
            self._kept = [f for f in self._before.found if change.spares(f.box) or _still(f.box, dense.both)]
            within = change.around
        details = Details(values)
        lines = self._found(itertools.chain(whole(values), details.patches(dense.level, within)), frame, strokes)
        # Lines that run up or down are seen in a turned picture; where a line was found, there is none.
        beside = ~_covered([*lines, *self._kept], strokes)
        # Of later frames, moving speckle is not searched for them again: what stood in it is kept.
        beside = beside if first else beside & ~speckle
        beside = beside if within is None else beside & within
        turned = self._found(details.patches(dense.upright, beside, turned=True), frame, strokes)
        beside &= ~_covered(turned, strokes)
        fine = self._found(details.fine(dense.level & beside), frame, strokes)
        fine += self._found(details.fine(dense.upright & beside, turned=True), frame, strokes)
        return merge(joined([*lines, *turned, *fine, *self._kept]))

    def _found(self, looked_at: Iterable[Patch], frame: Frame, strokes: Mask) -> list[Found]:
        return grown([found for patch in looked_at for found in self._judged(patch, frame)], strokes)

    def _judged(self, patch: Patch, frame: Frame) -> list[Found]:
        rows, columns = frame.pixels.shape[:2]
        candidates = self._engine.find(patch.picture)
        boxes = [candidate.box for candidate in candidates]
        side = round(min(rows, columns) * patch.scale)
        places = {b: patch.place(b, columns, rows) for b in boxes}
        # What was read in the frame before needs not be read again.
        boxes = [b for b in boxes if not any(_holds(f.box, places[b]) for f in self._kept)]
        tilted = {candidate.box: candidate for candidate in candidates if is_tilted(candidate)}
        like = {b: _share(self._like, places[b]) for b in boxes}
        anatomy = {b for b in boxes if is_anatomy(b, side, patch.doubled, like[b])}
        # A tilted line in such a box is read, and must be a word.
        boxes = [b for b in boxes if b in tilted or b not in anatomy]
        if not boxes:
            return []
        scores = {candidate.box: candidate.score for candidate in candidates}
        weak = frozenset(box for box in boxes if scores[box] < WEAK or box in anatomy)
        sought = [c for c in candidates if c.box in boxes and c.box not in anatomy]
        certain = frozenset(c.box for c in sought if self._is_line(c, places[c.box], patch))
        larger, letters = max(patch.tallest, patch.doubled), PAIR if patch.closer else 0
        readings = self._read(patch, boxes, tilted)
        verdicts = self._judge.judge(boxes, readings, side, larger, weak, letters, certain)
        return [Found(frame.number, places[v.box], OCR, v.confidence, v.matches_identifier) for v in verdicts]

    def _is_line(self, candidate: Candidate, place: Box, patch: Patch) -> bool:
        """Whether the network is certain of what has the shape and the strokes of a line that its patch shows well."""
        if candidate.score < CERTAIN or patch.tallest == math.inf:
            return False
        low, long = (side / patch.scale for side in candidate.sides)
        x0, y0, x1, y1 = place
        # A tilted line fills little of its box.
        strokes = _share(self._like, place) * (x1 - x0) * (y1 - y0)
        return low <= UNREAD and long >= LONG * low and strokes >= LINED * low * long

    def _read(self, patch: Patch, boxes: list[Box], tilted: dict[Box, Candidate]) -> list[Reading]:
        keys = [_digest(patch, box) for box in boxes]
        unread = {key: box for key, box in zip(keys, boxes, strict=True) if key not in self._readings}
        if unread:
            if len(self._readings) > REMEMBERED:
                self._readings.clear()
                unread = dict(zip(keys, boxes, strict=True))
            level = {key: box for key, box in unread.items() if box not in tilted}
            self._readings.update(zip(level, self._engine.read(patch.picture, list(level.values())), strict=True))
            for key in unread.keys() - level.keys():
                line = straightened(patch.picture, tilted[unread[key]])
                [self._readings[key]] = self._engine.read(line, [(0, 0, line.shape[1], line.shape[0])])
        return [self._readings[key] for key in keys]


def _widened(dense: Mask) -> Mask:
    """Return what looks like text, up to the ends of its lines."""
    return np.asarray(cv2.dilate(dense.astype(np.uint8), np.ones((REACH, REACH), np.uint8))) > 0


def _share(like: Mask, box: Box) -> float:
    x0, y0, x1, y1 = box
    return float(like[y0:y1, x0:x1].mean()) if x1 > x0 and y1 > y0 else 1.0


def _still(box: Box, dense: Mask) -> bool:
    """Whether an upright line, in a part that has changed, may stand there still."""
    x0, y0, x1, y1 = box
    return y1 - y0 > x1 - x0 and _share(dense, box) > DENSE


def _holds(outer: Box, inner: Box) -> bool:
    return (
        outer[0] - NEAR <= inner[0]
        and outer[1] - NEAR <= inner[1]
        and outer[2] + NEAR >= inner[2]
        and outer[3] + NEAR >= inner[3]
    )


def _covered(found: list[Found], like: Mask) -> Mask:
    """Return a mask of the boxes and what is nearer to them than the next line."""
    mask = np.zeros_like(like)
    for x0, y0, x1, y1 in (f.box for f in found):
        near = min(x1 - x0, y1 - y0) // 2 + NEAR
        mask[max(y0 - near, 0) : y1 + near, max(x0 - near, 0) : x1 + near] = True
    return mask


def _digest(patch: Patch, box: Box) -> bytes:
    x0, y0, x1, y1 = box
    crop = np.ascontiguousarray(patch.picture[y0:y1, x0:x1])
    return hashlib.blake2b(crop.data, digest_size=16, salt=f"{x1 - x0}x{y1 - y0}".encode()[:16]).digest()
