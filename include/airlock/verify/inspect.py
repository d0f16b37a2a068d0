"""Inspect one output against its input: what must not be in it, and what must."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from airlock.identity.evidence import Evidence
from airlock.identity.identifiers import Identifiers
from airlock.tuples import NamedTuple
from airlock.verify.allowed import Private, Rules
from airlock.verify.compare import Comparison
from airlock.verify.duties import Duties, Marks
from airlock.verify.found import Found, Problem
from airlock.verify.judge import Judge
from airlock.verify.levels import Element, Malformed, Shape
from airlock.verify.own import FirstValues
from airlock.verify.pixels import PixelComparison
from airlock.verify.reader import File, Reader
from airlock.verify.search import Search
from airlock.verify.source import Sources, sources
from airlock.verify.spelled import Spelled
from airlock.verify.table import Override, Table
from airlock.verify.text import CHARSET, name_of
from airlock.verify.uids import UID

_STUDY, _SERIES, _INSTANCE, _CLASS = 0x0020000D, 0x0020000E, 0x00080018, 0x00080016
Uids = tuple[str, str, str]
_OWN = tuple((tag, b"LO") for tag in (_STUDY, _SERIES, _INSTANCE, _CLASS, 0x00100020))
_MOST_SHAPES = 16
_PADDED_UID = re.compile(rb"[0-9]+(?:\.[0-9]+)*\0*")


class Check(NamedTuple):
    """One output to inspect.

    :param instance_id: pseudonymous id.
    :param name: path of the output below its folder.
    :param source: the file that it was made from: rewritten, or as it came.
    :param rewritten: whether burned-in text was removed from this instance.
    :param sop_instance_uid: the new UID that the ledger has; None when there is no ledger.
    :param expected: the new UID that its name says, or that it was found by; None when nothing says.
    """

    instance_id: str
    output: str | os.PathLike[str]
    name: str
    source: str | os.PathLike[str]
    rewritten: bool = False
    sop_instance_uid: str | None = None
    expected: str | None = None

    def plain(self) -> tuple[Any, ...]:
        """Return its fields as plain values, which take less time on their way to another process."""
        return tuple(os.fspath(each) if isinstance(each, os.PathLike) else each for each in self)


class Expectation(NamedTuple):
    """What all outputs of a patient must be like. It holds patient data: never log it.

    :param public: texts that the outputs carry on purpose.
    :param override: the project's own rules, of which the table knows nothing.
    :param private: which private elements the project keeps; None when none.
    """

    evidence: Evidence
    marks: Marks
    edition: str
    public: tuple[str, ...]
    override: Override | None = None
    private: Private | None = None

    def __repr__(self) -> str:
        return "<Expectation>"

    def plain(self) -> tuple[Any, ...]:
        """Return the same in plain values, but for rules, which take less time on their way to another process."""
        return (self.evidence.said(), tuple(self.marks), *self[2:])

    @classmethod
    def of(cls, plain: tuple[Any, ...]) -> Expectation:
        """Return what :meth:`plain` told."""
        said, marks, *others = plain
        return cls(Evidence(**said), Marks(*marks), *others)


class Inspected(NamedTuple):
    """What was found in one output; patient data but for the problems.

    :param old: StudyInstanceUID, SeriesInstanceUID and SOPInstanceUID of the input; `new` those of the output.
    :param patients: PatientID of the input, and of the output.
    :param telling: those of `old` that hold an identifier, so that they are mapped even where UIDs stay.
    """

    found: Found
    old: Uids = ("", "", "")
    new: Uids = ("", "", "")
    patients: tuple[str, str] = ("", "")
    telling: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return "<Inspected>"

    def plain(self) -> tuple[Any, ...]:
        """Return the same in plain values, which take less time on their way to another process."""
        problems, *others = self.found
        return ((tuple(map(tuple, problems)), *others), *self[1:])

    @classmethod
    def of(cls, plain: tuple[Any, ...]) -> Inspected:
        """Return what :meth:`plain` told."""
        problems, *others = plain[0]
        return cls(Found(tuple(Problem(*each) for each in problems), *others), *plain[1:])


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


def _failed(reason: str) -> Inspected:
    return Inspected(Found((Problem("file", reason),)))


class Inspector:
    """Inspects the outputs of one patient."""

    def __init__(self, expectation: Expectation) -> None:
        marks, evidence = expectation.marks, expectation.evidence
        if "retain_uids" in marks.options:
            evidence = evidence.without_uids()
        self._own, self._own_of_sources = FirstValues(*_OWN), FirstValues(*_OWN)
        self._asked: tuple[tuple[str, ...], frozenset[str]] = ((), frozenset())
        self._duties = Duties(marks)
        self._around_known: dict[Shape, list[Problem]] = {}
        self._outputs, self._sources, self._pixels = _readers()
        keep_dates = marks.dates == "UNMODIFIED"
        identifiers = Identifiers(evidence, expectation.public, keep_dates=keep_dates)
        spelled = Spelled(evidence, expectation.public, keep_dates=keep_dates)
        self._search = Search(identifiers, spelled, removed=marks.dates == "REMOVED")
        judge = Judge(self._search, frozenset(evidence.uids))
        rules = _rules(expectation.edition, marks.options, expectation.override, expectation.private, marks.stamped)
        self._comparison = Comparison(rules, judge)

    def __call__(self, check: Check) -> Inspected:
        """Inspect one output; never raises: what cannot be inspected doesn't leave."""
        return self.several((check,))[0]

    def several(self, checks: Sequence[Check]) -> list[Inspected]:
        """Inspect outputs, and return what was found in each. Those that are alike are compared together."""
        read = [self._read(check) for check in checks]
        alike: dict[object, list[Pair]] = {}
        for pair in read:
            if isinstance(pair, Pair) and pair.shapes is not None:
                alike.setdefault(pair.shapes, []).append(pair)
        together = {id(pair): found for pairs in alike.values() for pair, found in self._together(pairs)}
        return [
            pair if isinstance(pair, Inspected) else self._guarded(pair, together.get(id(pair))) for pair in read
        ]

    def _read(self, check: Check) -> Pair | Inspected:
        """Read an output and its source, and compare their pixel data."""
        descriptors: list[int] = []
        try:
            output, descriptor = self._outputs.open(check.output)
            descriptors.append(descriptor)
            source, descriptor = self._sources.open(check.source)
            descriptors.append(descriptor)
            return Pair(check, output, source, tuple(self._pixels.problems(output, source)))
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
            found = self._comparison.alike(outputs, sources, self._own(outputs[0])[3])
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
        problems = [*found.problems, *self._duties(output, source, rewritten=check.rewritten), *self._around(output)]
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

    def _around(self, output: File) -> list[Problem]:
        """Look at what is no part of the dataset: preamble, file meta information, what follows the pixel data."""
        problems: list[Problem] = []
        if output.preamble.strip(b"\0"):
            problems += self._data("preamble", output.preamble)
        meta, shape = output.meta, output.meta.shape
        if shape is None:
            problems += self._in_meta(meta.elements.items())
        else:
            known = self._around_known.get(shape)
            if known is None:
                if len(self._around_known) >= _MOST_SHAPES:
                    self._around_known.clear()
                same = [(tag, element) for tag, element in meta.elements.items() if tag not in shape.places]
                known = self._around_known[shape] = list(self._in_meta(same))
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


def make_inspector(expectations: Sequence[tuple[Any, ...]]) -> Callable[[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Return the function that workers inspect outputs with: of plain values it makes plain values.

    It takes the number of the patient, and the fields of each :class:`Check`; it returns what :meth:`Inspected.of`
    reads, for each.

    :param expectations: by number of the patient, what :meth:`Expectation.plain` told.
    """
    # Outputs of a patient come one after the other, and what is known of a patient takes memory.
    latest: list[tuple[int, Inspector]] = []

    def inspect(task: tuple[int, list[tuple[Any, ...]]]) -> list[tuple[Any, ...]]:
        number, checks = task
        if not latest or latest[0][0] != number:
            latest[:] = [(number, Inspector(Expectation.of(expectations[number])))]
        return [found.plain() for found in latest[0][1].several([Check(*check) for check in checks])]

    return inspect
