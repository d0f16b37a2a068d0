"""What is judged over all outputs of a study: the graph of UIDs, and that all dates moved together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence

from airlock.typed import TypeVar
from airlock.verify.checks import Inspected
from airlock.verify.found import Problem
from airlock.verify.text import name_of

T = TypeVar("T")
Pairs = Sequence[tuple[str, str]]
_STUDY, _SERIES, _INSTANCE, _PATIENT = 0x0020000D, 0x0020000E, 0x00080018, 0x00100020


class Study:
    """Collects what was found in single outputs, of one project.

    :param keep_uids: whether the project retains UIDs.
    :param largest_days: by how much dates may move at most.
    :param each_study: whether a patient's studies move apart from each other.
    """

    def __init__(self, *, keep_uids: bool, largest_days: int, each_study: bool = False) -> None:
        self._keep_uids, self._largest, self._each_study = keep_uids, largest_days, each_study
        # Which UID stands for which, as an object's own and elsewhere.
        self._own: list[tuple[str, str]] = []
        self._elsewhere: list[tuple[str, str]] = []
        self._offsets: dict[str, Counter[int]] = defaultdict(Counter)
        self._patients: dict[str, Counter[str]] = defaultdict(Counter)
        self._inspected: dict[str, Inspected] = {}
        self._of_patients: dict[tuple[str, str], tuple[Problem, ...]] = {}
        self._graph = _Graph(self._own, self._elsewhere)

    def __repr__(self) -> str:
        return "<Study>"

    def add(self, instance_id: str, inspected: Inspected) -> None:
        """Add what was found in one output."""
        self._inspected[instance_id] = inspected
        self._own.extend(zip(inspected.old, inspected.new, strict=True))
        self._elsewhere.extend([pair[:2] for pair in inspected.found.pairs])
        if inspected.found.offsets:
            self._offsets[self._moved_together(inspected)].update({days for days, _ in set(inspected.found.offsets)})
        self._patients[inspected.patients[0]][inspected.patients[1]] += 1

    def problems(self) -> dict[str, list[Problem]]:
        """Return what is wrong, by instance."""
        found: dict[str, list[Problem]] = {}
        self._graph = _Graph(self._own, self._elsewhere)
        self._of_patients.clear()
        # Where no pair of UIDs is wrong, none is wrong in any output.
        wrong = self._graph.any_wrong() or (not self._keep_uids and self._graph.any_left())
        for instance_id, inspected in self._inspected.items():
            problems = [*self._uids(inspected)] if wrong or self._keep_uids else []
            if inspected.found.lost:
                problems += self._lost(inspected)
            if inspected.found.offsets:
                problems += self._dates(inspected)
            if problems := [*problems, *self._patient(inspected)]:
                found[instance_id] = list(dict.fromkeys(problems))
        return found

    def _uids(self, inspected: Inspected) -> Iterator[Problem]:
        old, new, telling = inspected.old, inspected.new, inspected.telling
        if self._keep_uids and any(one not in (other, *telling) for one, other in zip(old, new, strict=True)):
            yield Problem(name_of(_INSTANCE), "a UID changed that the project retains")
        for one, other, tag in (*zip(old, new, (_STUDY, _SERIES, _INSTANCE), strict=True), *inspected.found.pairs):
            if not (one and other):
                continue
            for reason in self._graph.wrong(one, other):
                yield Problem(name_of(tag), reason)
            if one == other and not self._keep_uids:
                yield Problem(name_of(tag), "an original UID is left", identifier=True)

    def _lost(self, inspected: Inspected) -> Iterable[Problem]:
        for old, tag in inspected.found.lost:
            if old in self._graph.own_old:
                yield Problem(name_of(tag), "a reference within the study is missing")

    def _moved_together(self, inspected: Inspected) -> str:
        return inspected.old[0] if self._each_study else inspected.patients[0]

    def _dates(self, inspected: Inspected) -> Iterable[Problem]:
        known = _most(self._offsets[self._moved_together(inspected)])
        for days, tag in inspected.found.offsets:
            if days != known:
                yield Problem(name_of(tag), "a date moved by other days than the others")
            elif abs(days) > self._largest:
                yield Problem(name_of(tag), "a date moved by more days than the project allows")

    def _patient(self, inspected: Inspected) -> tuple[Problem, ...]:
        known = self._of_patients.get(inspected.patients)
        if known is None:
            known = self._of_patients[inspected.patients] = tuple(self._subject(*inspected.patients))
        return known

    def _subject(self, old: str, new: str) -> Iterator[Problem]:
        """Yield what is wrong with a research subject.

        :param old: the patient, and
        :param new: what became of it.
        """
        if new != _most(self._patients[old]):
            yield Problem(name_of(_PATIENT), "the patient has several research subjects")
        if new and any(
            new in others for patient, others in self._patients.items() if patient != old and old and patient
        ):
            yield Problem(name_of(_PATIENT), "several patients have one research subject")


class _Graph:
    """Which UID stands for which.

    :param own: objects' own UIDs, each with the one that it stands for, and
    :param elsewhere: those that objects refer to.
    :ivar own_old: UIDs of the inputs that became those of outputs.
    """

    def __init__(self, own: Pairs, elsewhere: Pairs) -> None:
        self._pairs = {pair for pair in (*own, *elsewhere) if all(pair)}
        self._new_of, self._old_of = _one_to_one(self._pairs) or _by_weight(own, elsewhere)
        self.own_old = {old for old, new in own if old and new}
        self._own_new = {new for old, new in own if old and new}
        self._wrong: dict[tuple[str, str], tuple[str, ...]] = {}

    def __repr__(self) -> str:
        return "<_Graph>"

    def wrong(self, old: str, new: str) -> tuple[str, ...]:
        """Return what is wrong with a UID that stands for another, most of which do so in many objects."""
        known = self._wrong.get((old, new))
        if known is None:
            known = self._wrong[old, new] = tuple(self._reasons(old, new))
        return known

    def any_wrong(self) -> bool:
        """Whether anything is wrong with any of them."""
        return any(self.wrong(old, new) for old, new in self._pairs)

    def any_left(self) -> bool:
        """Whether one of them stands for itself."""
        return any(old == new for old, new in self._pairs)

    def _reasons(self, old: str, new: str) -> Iterator[str]:
        if self._new_of[old] != new:
            yield "a UID has another new UID than elsewhere"
        if self._old_of[new] != old:
            yield "two UIDs have the same new UID"
        if old in self.own_old and new not in self._own_new:
            yield "a reference within the study leads nowhere"


def _one_to_one(pairs: Collection[tuple[str, str]]) -> tuple[dict[str, str], dict[str, str]] | None:
    """Return what stands for each UID, and for what each one stands; None where that is not always the same."""
    forward, backward = dict(pairs), {new: old for old, new in pairs}
    return (forward, backward) if len(pairs) == len(forward) == len(backward) else None


def _by_weight(own: Pairs, elsewhere: Pairs) -> tuple[dict[str, str], dict[str, str]]:
    """Return what stands for each UID most often, and for what each one stands, where it is not always the same."""
    forward: dict[str, Counter[str]] = defaultdict(Counter)
    backward: dict[str, Counter[str]] = defaultdict(Counter)
    # An object's own UIDs outweigh all references to it.
    for counted, weight in ((own, 1000), (elsewhere, 1)):
        for (old, new), times in Counter(counted).items():
            if old and new:
                forward[old][new] += weight * times
                backward[new][old] += weight * times
    return {old: _most(new) for old, new in forward.items()}, {new: _most(old) for new, old in backward.items()}


def _most(counted: Counter[T]) -> T:
    """Return what was counted most often: nearly always there is nothing else."""
    return next(iter(counted)) if len(counted) == 1 else counted.most_common(1)[0][0]
