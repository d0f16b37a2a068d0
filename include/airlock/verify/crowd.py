"""Search once for all patients of a run: what holds nothing that identifies anybody holds nothing of any one of them.

What a search finds only grows with what it is told of a patient: more names, more numbers, more days. So a search that
was told what all inputs of several patients say finds something in every text in which that of one of them does. Most
texts stand in the files of many patients and name nobody. They are searched once; only where that finds anything is it
asked, patient by patient, whether it is theirs. This holds patient data: never log it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from airlock.identity.evidence import Evidence
from airlock.identity.identifiers import Identifiers
from airlock.typed import Any
from airlock.verify.checks import Expectation
from airlock.verify.search import Search
from airlock.verify.spelled import Spelled

TOGETHER = 32
"""So many patients are searched for together: of more, one more often has an ordinary word's name, or its number."""


def originals(expectation: Expectation) -> frozenset[str]:
    """Return the UIDs of the inputs that must not be left; none where the project retains UIDs."""
    return frozenset(_evidence(expectation).uids)


def search_for(expectation: Expectation, anybody: Search | None = None) -> Search:
    """Return what searches the outputs of a patient, or of several whose evidence is one.

    :param anybody: searches for the identifiers of several patients, of whom this is one.
    """
    marks, evidence, public = expectation.marks, _evidence(expectation), expectation.public
    keep_dates = marks.dates == "UNMODIFIED"
    identifiers = Identifiers(evidence, public, keep_dates=keep_dates)
    spelled = Spelled(evidence, public, keep_dates=keep_dates)
    return Search(identifiers, spelled, removed=marks.dates == "REMOVED", anybody=anybody)


def _evidence(expectation: Expectation) -> Evidence:
    evidence = expectation.evidence
    return evidence.without_uids() if "retain_uids" in expectation.marks.options else evidence


def evidence_of_all(several: Iterable[Evidence]) -> Evidence:
    """Return what identifies any of several patients.

    A day of birth counts even where something was done on it, because that was perhaps done to another one.
    """
    found = Evidence()
    for evidence in several:
        found.update(evidence)
    found.events = set()
    return found


class Crowds:
    """Knows, of many patients, who are searched for together: neighbours, as their outputs come one after the other.

    :param expectations: by number of the patient, what :meth:`Expectation.plain` told.
    """

    def __init__(self, expectations: Sequence[tuple[Any, ...]]) -> None:
        self._expectations = expectations
        self._number = -1
        self._latest: Search | None = None

    def __repr__(self) -> str:
        return "<Crowds>"

    def around(self, number: int) -> Search | None:
        """Return what searches for a patient and others; None where that saves nothing, or asks for something else."""
        if self._number != number // TOGETHER:
            self._number = number // TOGETHER
            start = self._number * TOGETHER
            self._latest = _together(self._expectations[start : start + TOGETHER])
        return self._latest


def _together(expectations: Sequence[tuple[Any, ...]]) -> Search | None:
    # What the outputs carry on purpose is searched for in none: it must be the same.
    _, *terms = expectations[0]
    if len(expectations) == 1 or any(others != terms for _, *others in expectations):
        return None
    every = [Expectation.of(plain) for plain in expectations]
    return search_for(every[0]._replace(evidence=evidence_of_all(one.evidence for one in every)))
