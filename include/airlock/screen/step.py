"""The step that reads the headers of what came in, and skips or holds what does not go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path

from airlock.dicomio.header import Category, Header, UnreadableInstance, read_header
from airlock.errors import TransferIncomplete
from airlock.ledger import Counts, InstanceState, InstanceUpdate
from airlock.screen.classify import Classifier
from airlock.screen.quarantine import released
from airlock.screen.rules import Selection, Verdict, check, check_class
from airlock.screen.values import Values
from airlock.screened import read_not_rewritten, write_not_rewritten
from airlock.transfer import Transfer

_BATCH = 500


@dataclass(frozen=True)
class Screened(Counts):
    """Counts of the transfer, and how often each rule decided.

    :param rules: by the name of the rule; what could not be read, by its category.
    """

    rules: dict[str, int] = field(default_factory=dict)


def screen_instances(transfer: Transfer) -> Screened:
    """Mark instances of `incoming` as skipped (a rule of the project says so) or held (a person must look).

    Files stay where they are; later steps take those that are still `RECEIVED`.

    :raises TransferIncomplete: when the study was not pulled.
    """
    if not transfer.workspace.complete("incoming"):
        raise TransferIncomplete("The study of this transfer was not pulled. Clear the pull task first.")
    screening = _Screening(transfer)
    updates = screening.judge_all()
    while batch := list(islice(updates, _BATCH)):
        transfer.ledger.record(transfer.id, batch)
    earlier = read_not_rewritten(transfer.workspace) - screening.judged
    write_not_rewritten(transfer.workspace, earlier | screening.not_rewritten)
    counts = transfer.ledger.counts(transfer.id)
    out = transfer.ledger.instances(transfer.id, InstanceState.SKIPPED, InstanceState.HELD)
    rules = dict(sorted(screening.decided.items()))
    transfer.ledger.event(
        transfer.id,
        "screen",
        "finished",
        received=counts.received,
        reasons=dict(sorted(Counter(instance.reason or "" for instance in out).items())),
        rules=rules,
    )
    return Screened(**asdict(counts), rules=rules)


@dataclass
class _Pending:
    """An instance whose series must be known before it is judged."""

    id: str
    header: Header
    values: Values
    free: bool


class _Screening:
    def __init__(self, transfer: Transfer) -> None:
        policy = transfer.policy.screen
        self._transfer = transfer
        self._selection = Selection(policy)
        self._classifier = Classifier(policy.classify, policy.wanted_types)
        self._wanted = self._selection.tags | set(self._classifier.tags)
        self._released = released(transfer.ledger, transfer.id)
        self.decided: Counter[str] = Counter()
        self.not_rewritten: set[str] = set()
        self.judged: set[str] = set()

    def judge_all(self) -> Iterator[InstanceUpdate]:
        """Yield what becomes of each instance; every header is read once."""
        folder = self._transfer.workspace.folder("incoming")
        pending: list[_Pending] = []
        for instance in self._transfer.ledger.instances(self._transfer.id, InstanceState.RECEIVED):
            self.judged.add(instance.id)
            try:
                read = self._read(instance.id, folder / f"{instance.id}.dcm")
                if self._classifier:
                    self._classifier.add(read.header["series_instance_uid"], read.values)
                    pending.append(read)
                else:
                    yield self._judge(read, frozenset())
            except UnreadableInstance as error:
                yield self._hold(instance.id, error)
        types = self._classifier.types()
        for read in pending:
            try:
                yield self._judge(read, types[read.header["series_instance_uid"]])
            except UnreadableInstance as error:
                yield self._hold(read.id, error)

    def _read(self, instance_id: str, path: Path) -> _Pending:
        try:
            header = read_header(path, whole=True, also=self._wanted)
        except OSError:
            raise UnreadableInstance(Category.DICOM_READ_ERROR, "the file cannot be read") from None
        asked, study = self._transfer.request.studies, header["study_instance_uid"]
        check(header, study if study in asked else asked[0])
        if self._transfer.instance_id(header["sop_instance_uid"]) != instance_id:
            raise UnreadableInstance(Category.INVALID_DICOM, "its SOPInstanceUID is not the one it was received under")
        return _Pending(instance_id, header, Values(header), instance_id in self._released)

    def _judge(self, read: _Pending, types: frozenset[str]) -> InstanceUpdate:
        verdict = self._selection.judge(read.header, read.values, types)
        if verdict is not None and verdict.state is InstanceState.HELD and read.free:
            # A person has looked. What can't be read or sent is held again all the same.
            verdict = None
            self.decided["released by a person"] += 1
        if verdict is None or verdict.state is InstanceState.HELD:
            check_class(read.header)
        if verdict is None:
            self._exclude(read)
        else:
            self.decided[verdict.reason] += 1
        return _update(read, verdict)

    def _exclude(self, read: _Pending) -> None:
        rule = self._selection.exclusion(read.values)
        if rule is not None:
            self.decided[rule] += 1
            self.not_rewritten.add(read.id)

    def _hold(self, instance_id: str, error: UnreadableInstance) -> InstanceUpdate:
        self.decided[error.category.value] += 1
        return InstanceUpdate(instance_id, InstanceState.HELD, reason=str(error))


def _update(read: _Pending, verdict: Verdict | None) -> InstanceUpdate:
    sop_class_uid = read.header["sop_class_uid"]
    if verdict is None:
        return InstanceUpdate(read.id, sop_class_uid=sop_class_uid)
    return InstanceUpdate(read.id, verdict.state, reason=verdict.reason, sop_class_uid=sop_class_uid)
