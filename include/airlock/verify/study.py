"""What is judged over all outputs of a study: the graph of UIDs, and that all dates moved together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import TypeVar

from airlock.verify.found import Problem
from airlock.verify.inspect import Inspected
from airlock.verify.text import name_of

T = TypeVar("T")
_STUDY, _SERIES, _INSTANCE, _PATIENT = 0x0020000D, 0x0020000E, 0x00080018, 0x00100020


class Study:
    """Collects what was found in single outputs, of one project.

    :param keep_uids: whether the project retains UIDs.
    :param largest_days: by how much dates may move at most.
    :param each_study: whether a patient's studies move apart from each other.
    """

    def __init__(self, *, keep_uids: bool, largest_days: int, each_study: bool = False) -> None:
        self._keep_uids, self._largest, self._each_study = keep_uids, largest_days, each_study
        self._forward: dict[str, Counter[str]] = defaultdict(Counter)
        self._backward: dict[str, Counter[str]] = defaultdict(Counter)
        self._offsets: dict[str, Counter[int]] = defaultdict(Counter)
        self._patients: dict[str, Counter[str]] = defaultdict(Counter)
        self._own_old: set[str] = set()
        self._own_new: set[str] = set()
        self._inspected: dict[str, Inspected] = {}
        self._new_of: dict[str, str] = {}
        self._old_of: dict[str, str] = {}

    def __repr__(self) -> str:
        return "<Study>"

    def add(self, instance_id: str, inspected: Inspected) -> None:
        """Add what was found in one output."""
        self._inspected[instance_id] = inspected
        for old, new in zip(inspected.old, inspected.new, strict=True):
            if old and new:
                # An object's own UIDs outweigh all references to it.
                self._forward[old][new] += 1000
                self._backward[new][old] += 1000
                self._own_old.add(old)
                self._own_new.add(new)
        for old, new, _tag in inspected.found.pairs:
            self._forward[old][new] += 1
            self._backward[new][old] += 1
        for days, _tag in set(inspected.found.offsets):
            self._offsets[self._moved_together(inspected)][days] += 1
        self._patients[inspected.patients[0]][inspected.patients[1]] += 1

    def problems(self) -> dict[str, list[Problem]]:
        """Return what is wrong, by instance."""
        found: dict[str, list[Problem]] = {}
        self._new_of = {old: _most(new) for old, new in self._forward.items()}
        self._old_of = {new: _most(old) for new, old in self._backward.items()}
        for instance_id, inspected in self._inspected.items():
            problems = [*self._uids(inspected), *self._lost(inspected), *self._dates(inspected)]
            problems += self._patient(inspected)
            if problems:
                found[instance_id] = list(dict.fromkeys(problems))
        return found

    def _uids(self, inspected: Inspected) -> Iterable[Problem]:
        own = list(zip(inspected.old, inspected.new, (_STUDY, _SERIES, _INSTANCE), strict=True))
        if self._keep_uids and any(old not in (new, *inspected.telling) for old, new, _ in own):
            yield Problem(name_of(_INSTANCE), "a UID changed that the project retains")
        for old, new, tag in (*(each for each in own if all(each[:2])), *inspected.found.pairs):
            if self._new_of[old] != new:
                yield Problem(name_of(tag), "a UID has another new UID than elsewhere")
            if self._old_of[new] != old:
                yield Problem(name_of(tag), "two UIDs have the same new UID")
            if old in self._own_old and new not in self._own_new:
                yield Problem(name_of(tag), "a reference within the study leads nowhere")
            if not self._keep_uids and old == new:
                yield Problem(name_of(tag), "an original UID is left", identifier=True)

    def _lost(self, inspected: Inspected) -> Iterable[Problem]:
        for old, tag in inspected.found.lost:
            if old in self._own_old:
                yield Problem(name_of(tag), "a reference within the study is missing")

    def _moved_together(self, inspected: Inspected) -> str:
        return inspected.old[0] if self._each_study else inspected.patients[0]

    def _dates(self, inspected: Inspected) -> Iterable[Problem]:
        if not inspected.found.offsets:
            return
        known = _most(self._offsets[self._moved_together(inspected)])
        for days, tag in inspected.found.offsets:
            if days != known:
                yield Problem(name_of(tag), "a date moved by other days than the others")
            elif abs(days) > self._largest:
                yield Problem(name_of(tag), "a date moved by more days than the project allows")

    def _patient(self, inspected: Inspected) -> Iterable[Problem]:
        old, new = inspected.patients
        if new != _most(self._patients[old]):
            yield Problem(name_of(_PATIENT), "the patient has several research subjects")
        if new and any(
            new in others for patient, others in self._patients.items() if patient != old and old and patient
        ):
            yield Problem(name_of(_PATIENT), "several patients have one research subject")


def _most(counted: Counter[T]) -> T:
    """Return what was counted most often: nearly always there is nothing else."""
    return next(iter(counted)) if len(counted) == 1 else counted.most_common(1)[0][0]
