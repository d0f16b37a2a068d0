"""Pulls a study from a PACS by C-MOVE or C-GET, until what arrived is what the PACS said it has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from airlock.dicomio.find import FoundInstance, find_instances
from airlock.dicomio.get import CLASSES_PER_ASSOCIATION, get
from airlock.dicomio.inbox import Inbox
from airlock.dicomio.move import move
from airlock.dicomio.peer import Peer
from airlock.dicomio.progress import Progress, no_progress
from airlock.dicomio.retrieval import RetrievalResult, plan
from airlock.dicomio.syntaxes import COMPRESSED_CLASSES
from airlock.errors import StudyNotFound

_NAMED_IN_ERRORS = 10


@dataclass(frozen=True)
class Fetched:
    """What came of a study.

    :param missing: names of the files of instances that the PACS has and that did not come.
    :param status: last status of the PACS.
    """

    expected: int
    missing: tuple[str, ...]
    status: int

    def explain(self, peer: Peer) -> str:
        """Say what is missing, by name."""
        named = ", ".join(self.missing[:_NAMED_IN_ERRORS]) + (", ..." if len(self.missing) > _NAMED_IN_ERRORS else "")
        advice = "A retry asks for these only; when it does not help, check at the PACS whether they can be retrieved."
        if len(self.missing) == self.expected:
            advice = f"With C-MOVE, check that the PACS knows {peer.move_aet}, this machine and port {peer.move_port}."
        return (
            f"{self.expected - len(self.missing)} of {self.expected} instances arrived from {peer.name} (last status "
            f"0x{self.status:04X}). Missing: {named}. {advice}"
        )


def fetch_study(
    peer: Peer,
    study_uid: str,
    folder: Path,
    *,
    by_get: bool = False,
    name_of: Callable[[str], str] = str,
    on_expected: Callable[[int], None] = lambda _: None,
    progress: Progress = no_progress,
) -> Fetched:
    """Bring the instances of a study into a folder as `<name>.dcm`; those that are there already are not asked for.

    What is missing after the first round is asked for once more, one by one.

    :param name_of: file name, without suffix, of a SOPInstanceUID.
    :param on_expected: told how many instances the PACS has.
    :raises StudyNotFound: the PACS has no instance of it.
    :raises PeerUnavailable: no answer, the PACS is busy, or our port is taken.
    :raises AssociationRejected: the PACS refuses us, or doesn't know our move destination.
    :raises AssociationAborted: an association ended in the middle.
    """
    expected = find_instances(peer, study_uid)
    if not expected:
        raise StudyNotFound(f"{peer.name} has no instance of the study. Send it there again, or correct the request.")
    on_expected(len(expected))
    for leftover in folder.glob(".*.part"):
        leftover.unlink()
    known = [uid for uid in expected if (folder / f"{name_of(uid)}.dcm").exists()]
    inbox = Inbox(folder, study_uid, name_of, known=known, total=len(expected), progress=progress)
    result = RetrievalResult(0)
    for singly in (False, True):
        missing = expected.keys() - inbox.received
        if not missing:
            break
        wanted = {uid: expected[uid] for uid in missing}
        if by_get:
            result = _get(peer, study_uid, expected, wanted, inbox, singly=singly)
        else:
            result = move(peer, list(plan(study_uid, expected, wanted, singly=singly)), inbox)
    names = sorted(name_of(uid) for uid in expected.keys() - inbox.received)
    return Fetched(len(expected), tuple(names), result.status)


def _get(
    peer: Peer,
    study_uid: str,
    expected: Mapping[str, FoundInstance],
    wanted: Mapping[str, FoundInstance],
    inbox: Inbox,
    *,
    singly: bool,
) -> RetrievalResult:
    result = RetrievalResult(0)
    for classes, sop_uids in _by_classes(wanted, common=singly):
        missing = [uid for uid in sop_uids if uid not in inbox.received]
        if missing:
            result = get(peer, list(plan(study_uid, expected, missing, singly=singly)), inbox, classes)
    return result


def _by_classes(wanted: Mapping[str, FoundInstance], *, common: bool) -> Iterator[tuple[Sequence[str], list[str]]]:
    """Divide instances so that the SOP classes of each part fit into one association.

    :param common: try the classes that are commonly compressed one after the other, when the PACS doesn't tell them.
    """
    by_class: dict[str, list[str]] = defaultdict(list)
    for sop_uid, instance in wanted.items():
        by_class[instance.sop_class_uid or ""].append(sop_uid)
    unknown = by_class.pop("", [])
    classes = sorted(by_class)
    for part in _parts(classes):
        yield part, [sop_uid for sop_class in part for sop_uid in by_class[sop_class]]
    if unknown:
        yield from ((part, unknown) for part in (_parts(COMPRESSED_CLASSES) if common else [[]]))


def _parts(classes: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(classes), CLASSES_PER_ASSOCIATION):
        yield classes[start : start + CLASSES_PER_ASSOCIATION]
