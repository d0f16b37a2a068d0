"""Look at what is no part of the dataset: preamble, file meta information, and what follows the pixel data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from airlock.verify.found import Problem
from airlock.verify.levels import Element, Shape
from airlock.verify.reader import File
from airlock.verify.search import Search
from airlock.verify.text import name_of

_MOST_SHAPES = 16
_PADDED_UID = re.compile(rb"[0-9]+(?:\.[0-9]+)*\0*")


class Around:
    """Looks at what is around datasets, and remembers what it found in file meta information of one shape."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self._known: dict[Shape, list[Problem]] = {}

    def problems(self, output: File) -> list[Problem]:
        """Return what is wrong with it in one output."""
        problems: list[Problem] = []
        if output.preamble.strip(b"\0"):
            problems += self._data("preamble", output.preamble)
        meta, shape = output.meta, output.meta.shape
        if shape is None:
            problems += self._in_meta(meta.elements.items())
        else:
            known = self._known.get(shape)
            if known is None:
                if len(self._known) >= _MOST_SHAPES:
                    self._known.clear()
                same = [(tag, element) for tag, element in meta.elements.items() if tag not in shape.places]
                known = self._known[shape] = list(self._in_meta(same))
            problems += known
            problems += self._in_meta(zip(shape.varying, meta.varied, strict=True))
        for tag, element in output.tail.elements.items() if output.tail is not None else ():
            problems.append(Problem(name_of(tag), "stands after the pixel data, and may not be there"))
            problems += self._data(name_of(tag), element.value)
        return problems

    def _in_meta(self, elements: Iterable[tuple[int, Element]]) -> Iterator[Problem]:
        for tag, (vr, value, _) in elements:
            if vr == b"UI" and _PADDED_UID.fullmatch(value):
                continue
            if self._search.data(value):
                yield from self._data(name_of(tag), value)

    def _data(self, name: str, raw: bytes) -> Iterator[Problem]:
        for kind, weak in self._search.data(raw):
            yield Problem(name, f"holds a {kind} of the input", identifier=True, weak=weak)
