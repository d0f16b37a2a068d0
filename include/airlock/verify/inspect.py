"""Inspect one output against its input: what must not be in it, and what must."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import lru_cache

from airlock.tuples import NamedTuple
from airlock.verify.allowed import Private, Rules
from airlock.verify.around import Around
from airlock.verify.checks import Check, Expectation, Inspected, Uids
from airlock.verify.columns import Columns
from airlock.verify.compare import Comparison
from airlock.verify.crowd import originals, search_for
from airlock.verify.duties import Duties
from airlock.verify.found import Found, Problem
from airlock.verify.judge import Judge
from airlock.verify.levels import Malformed, Shape
from airlock.verify.own import FirstValues
from airlock.verify.pixels import PixelComparison, left_beside
from airlock.verify.reader import File, Reader
from airlock.verify.search import Search
from airlock.verify.source import Sources, sources
from airlock.verify.table import Override, Table
from airlock.verify.text import CHARSET, name_of
from airlock.verify.uids import UID

_STUDY, _SERIES, _INSTANCE, _CLASS = 0x0020000D, 0x0020000E, 0x00080018, 0x00080016
_OWN = tuple((tag, b"LO") for tag in (_STUDY, _SERIES, _INSTANCE, _CLASS, 0x00100020))


# Bytes of headers that are in memory together.
_MOST_AT_ONCE = 4 << 20


class Pair(NamedTuple):
    """An output and its source, as they were read.

    :param pixels: what is wrong with the pixel data.
    """

    check: Check
    output: File
    source: File
    pixels: tuple[Problem, ...]

    @property
    def shapes(self) -> tuple[Shape, Shape] | None:
        """What others must have in common with it to be compared together; None when nothing is known."""
        ours, theirs = self.output.dataset.shape, self.source.dataset.shape
        return None if ours is None or theirs is None else (ours, theirs)

    @property
    def size(self) -> int:
        """How much both have beside their pixel data, in bytes: about as much as they take in memory."""
        ours, theirs = self.output.pixels, self.source.pixels
        size = self.output.source.size if ours is None else ours.offset
        return size + (self.source.source.size if theirs is None else theirs.offset)


def _failed(reason: str) -> Inspected:
    return Inspected(Found((Problem("file", reason),)))


class Inspector:
    """Inspects the outputs of one patient.

    :param anybody: searches for the identifiers of several patients, of whom this is one.
    """

    def __init__(self, expectation: Expectation, anybody: Search | None = None) -> None:
        marks = expectation.marks
        self._own, self._own_of_sources = FirstValues(*_OWN), FirstValues(*_OWN)
        self._asked: tuple[tuple[str, ...], frozenset[str]] = ((), frozenset())
        self._duties = Duties(marks)
        self._outputs, self._sources, self._pixels = _readers()
        self._search = search_for(expectation, anybody)
        judge = Judge(self._search, originals(expectation))
        rules = _rules(expectation.edition, marks.options, expectation.override, expectation.private, marks.stamped)
        self._around = Around(self._search)
        self._comparison = Comparison(rules, judge)
        self._columns = Columns(self._comparison, rules, judge)

    def __call__(self, check: Check) -> Inspected:
        """Inspect one output; never raises: what cannot be inspected doesn't leave."""
        return self.several((check,))[0]

    def several(self, checks: Sequence[Check]) -> list[Inspected]:
        """Inspect outputs, and return what was found in each. Those that are alike are compared together."""
        found: list[Inspected] = []
        waiting: list[Pair | Inspected] = []
        size = 0
        for check in checks:
            pair = self._read(check)
            waiting.append(pair)
            size += pair.size if isinstance(pair, Pair) else 0
            if size >= _MOST_AT_ONCE:
                found += self._all(waiting)
                waiting, size = [], 0
        return found + self._all(waiting)

    def _all(self, read: list[Pair | Inspected]) -> list[Inspected]:
        alike: dict[object, list[Pair]] = {}
        for pair in read:
            if isinstance(pair, Pair) and pair.shapes is not None:
                alike.setdefault(pair.shapes, []).append(pair)
        together = {id(pair): found for pairs in alike.values() for pair, found in self._together(pairs)}
        return [pair if isinstance(pair, Inspected) else self._guarded(pair, together.get(id(pair))) for pair in read]

    def _read(self, check: Check) -> Pair | Inspected:
        """Read an output and its source, and compare their pixel data."""
        descriptors: list[int] = []
        try:
            output, descriptor = self._outputs.open(check.output)
            descriptors.append(descriptor)
            source, descriptor = self._sources.open(check.source)
            descriptors.append(descriptor)
            pixels = (*self._pixels.problems(output, source), *left_beside(output, self._search))
            output.source.forget()
            source.source.forget()
            return Pair(check, output, source, pixels)
        except Malformed as malformed:
            return _failed(str(malformed))
        except OSError:
            return _failed("it or its source cannot be opened")
        except Exception as error:  # noqa: BLE001 - whatever a library says quotes values
            return _failed(f"it cannot be inspected ({type(error).__name__})")
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _together(self, pairs: list[Pair]) -> Iterator[tuple[Pair, Found]]:
        """Compare the datasets of several that are alike; yield nothing where each must be looked at alone."""
        first = pairs[0]
        if len(pairs) == 1 or any(
            tag in level.shape.places
            for level in (first.output.dataset, first.source.dataset)
            for tag in (CHARSET, _CLASS)
            if level.shape is not None
        ):
            return
        outputs, sources = [pair.output.dataset for pair in pairs], [pair.source.dataset for pair in pairs]
        try:
            found = self._columns.datasets(outputs, sources, self._own(outputs[0])[3])
        except Exception:  # noqa: BLE001 - each is compared alone, which tells which of them it was
            return
        yield from zip(pairs, found, strict=True)

    def _guarded(self, pair: Pair, found: Found | None) -> Inspected:
        try:
            return self._inspect(pair, found)
        except Exception as error:  # noqa: BLE001 - whatever a library says quotes values
            return _failed(f"it cannot be inspected ({type(error).__name__})")

    def _inspect(self, pair: Pair, found: Found | None) -> Inspected:
        """Inspect one output.

        :param found: in its dataset, where that was compared.
        """
        check, output, source, pixels = pair
        *ours, sop_class, subject = self._own(output.dataset)
        *theirs, source_class, patient = self._own_of_sources(source.dataset)
        old, new = (theirs[0], theirs[1], theirs[2]), (ours[0], ours[1], ours[2])
        found = found or self._comparison.dataset(output.dataset, source.dataset, sop_class)
        problems = [
            *found.problems,
            *self._duties(output, source, rewritten=check.rewritten),
            *self._around.problems(output),
        ]
        problems += pixels
        problems += self._place(check, new)
        if not sop_class or sop_class != source_class:
            problems.append(Problem(name_of(_CLASS), "is not the input's"))
        if problems:
            found = found._replace(problems=tuple(dict.fromkeys(problems)))
        return Inspected(found, old, new, (patient, subject), self._telling(old))

    def _telling(self, uids: Uids) -> frozenset[str]:
        """Return those UIDs that hold an identifier; study and series are mostly the same as in the object before."""
        found = frozenset(filter(self._search.in_uid, uids[2:]))
        if self._asked[0] != uids[:2]:
            self._asked = uids[:2], frozenset(filter(self._search.in_uid, uids[:2]))
        return found | self._asked[1]

    def _place(self, check: Check, new: Uids) -> Iterator[Problem]:
        """Check that the output says what its name and the ledger say, and that its name holds no identifier."""
        if not all(new):
            yield Problem(name_of(_INSTANCE), "its UIDs are not complete")
        if check.sop_instance_uid is not None and new[2] != check.sop_instance_uid:
            yield Problem(name_of(_INSTANCE), "is not what the ledger says")
        if check.expected is not None and new[2] != check.expected:
            yield Problem(name_of(_INSTANCE), "is not what the file's name says")
        made = f"{new[0]}/{new[1]}/{new[2]}.dcm" if all(map(UID.fullmatch, new)) else ""
        if check.name == made:
            return
        if check.sop_instance_uid is not None:
            yield Problem("file name", "is not made of the new UIDs")
        for kind, weak in self._search.text(check.name):
            yield Problem("file name", f"holds a {kind} of the input", identifier=True, weak=weak)


@lru_cache(maxsize=1)
def _readers() -> tuple[Reader, Sources, PixelComparison]:
    """Return what reads the files of all patients: how they lie has nothing to do with whose they are."""
    return Reader(strict=True), sources(), PixelComparison()


@lru_cache(maxsize=4)
def _rules(
    edition: str,
    options: frozenset[str],
    override: Override | None,
    private: Private | None,
    stamped: frozenset[int],
) -> Rules:
    """Return what may be left of attributes, whoever the patient is."""
    return Rules(Table(edition, options, override), private, stamped)
