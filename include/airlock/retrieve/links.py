"""Links: the ways to ask a PACS for a study and to get it, behind one interface."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from airlock.dicomio.find import FoundInstance, FoundStudy, Listing, StudyKeys, find_studies, list_study
from airlock.dicomio.get import CLASSES_PER_ASSOCIATION, get
from airlock.dicomio.inbox import Inbox
from airlock.dicomio.move import move
from airlock.dicomio.peer import Peer
from airlock.dicomio.progress import Progress
from airlock.dicomio.retrieval import Level, Retrieval, RetrievalResult, plan
from airlock.dicomio.syntaxes import COMPRESSED_CLASSES
from airlock.dicomio.web import WebClient
from airlock.dicomio.webpeer import WebPeer
from airlock.errors import TransferIncomplete

Remote = Peer | WebPeer


@dataclass(repr=False)
class Landing:
    """Where the instances of a study land, and which are there. Its repr shows no UID.

    :param name_of: file name, without suffix, of a SOPInstanceUID.
    :param least_free_bytes: what is left free on the disk.
    """

    folder: Path
    study_uid: str
    name_of: Callable[[str], str]
    received: set[str]
    total: int
    progress: Progress
    least_free_bytes: int = 0

    @cached_property
    def inbox(self) -> Inbox:
        """What takes them, in all rounds."""
        return Inbox(
            self.folder,
            self.study_uid,
            self.name_of,
            known=self.received,
            total=self.total,
            progress=self.progress,
            least_free_bytes=self.least_free_bytes,
        )


@dataclass(frozen=True, repr=False)
class Wanted:
    """What is asked for of a study. Its repr shows no UID.

    :param listed: instances that the PACS lists.
    :param missing: those of them that are to come.
    :param level: the highest level to ask at.
    :param singly: ask for one instance at a time.
    :param blind: requests for what the PACS counts but doesn't list; they are made instead.
    """

    study_uid: str
    listed: Mapping[str, FoundInstance]
    missing: Collection[str] = ()
    level: Level = "study"
    singly: bool = False
    blind: tuple[Retrieval, ...] = ()

    def retrievals(self, missing: Collection[str] | None = None) -> list[Retrieval]:
        """Return the requests, for some of what is missing or for all."""
        some = self.missing if missing is None else missing
        return list(self.blind or plan(self.study_uid, self.listed, some, level=self.level, singly=self.singly))


class Link(Protocol):
    """A way to a PACS.

    All methods raise `PeerUnavailable`, `AssociationRejected` or `AssociationAborted`.
    """

    @property
    def name(self) -> str:
        """How errors name the PACS."""

    def find(self, keys: StudyKeys) -> list[FoundStudy]:
        """Return the studies that match exactly, in order of UID."""

    def list_study(self, study_uid: str) -> Listing:
        """Return what the PACS tells of a study."""

    def fetch(self, wanted: Wanted, landing: Landing) -> RetrievalResult:
        """Ask for it; `landing` knows afterwards what came. Return the last answer."""


@dataclass(frozen=True)
class MoveLink:
    """C-FIND and C-MOVE: the PACS sends to our port.

    :param home: `AIRLOCK_HOME`, where the receiving service is found; None: that of the environment.
    """

    peer: Peer
    home: Path | None = None

    @property
    def name(self) -> str:
        """How errors name the PACS."""
        return self.peer.name

    def find(self, keys: StudyKeys) -> list[FoundStudy]:
        """Ask by C-FIND."""
        return find_studies(self.peer, keys)

    def list_study(self, study_uid: str) -> Listing:
        """Ask by C-FIND."""
        return list_study(self.peer, study_uid)

    def fetch(self, wanted: Wanted, landing: Landing) -> RetrievalResult:
        """Ask by C-MOVE."""
        inbox = landing.inbox
        try:
            return move(self.peer, wanted.retrievals(), inbox, self.home)
        finally:
            landing.received |= inbox.received


@dataclass(frozen=True)
class GetLink(MoveLink):
    """C-FIND and C-GET: what is asked for comes over the association that we opened."""

    def fetch(self, wanted: Wanted, landing: Landing) -> RetrievalResult:
        """Ask by C-GET, in as many associations as the SOP classes need."""
        result = RetrievalResult(0)
        inbox = landing.inbox
        try:
            for classes, sop_uids in _by_classes(wanted):
                missing = [uid for uid in sop_uids if uid not in inbox.received]
                if missing or (wanted.blind and len(inbox.received) < landing.total):
                    result = get(self.peer, wanted.retrievals(missing), inbox, classes)
        finally:
            landing.received |= inbox.received
        return result


@dataclass(frozen=True)
class WebLink:
    """QIDO-RS and WADO-RS."""

    peer: WebPeer

    @property
    def name(self) -> str:
        """How errors name the service."""
        return self.peer.name

    def find(self, keys: StudyKeys) -> list[FoundStudy]:
        """Ask by QIDO-RS."""
        with WebClient(self.peer) as client:
            return client.find_studies(keys)

    def list_study(self, study_uid: str) -> Listing:
        """Ask by QIDO-RS."""
        with WebClient(self.peer) as client:
            return client.list_study(study_uid)

    def fetch(self, wanted: Wanted, landing: Landing) -> RetrievalResult:
        """Ask by WADO-RS."""
        try:
            with WebClient(self.peer) as client:
                for retrieval in wanted.retrievals():
                    came = client.retrieve(retrieval, landing.folder, landing.name_of, landing.least_free_bytes)
                    for sop_uid in came:
                        landing.received.add(sop_uid)
                        landing.progress(len(landing.received), landing.total)
        except OSError as error:
            raise TransferIncomplete(
                f"What came from {self.name} cannot be written ({error.strerror}). Make room in the workspace, or give "
                "Airlock's user the right to write there. A retry asks for the rest only."
            ) from None
        return RetrievalResult(0)


def link_to(remote: Remote, *, by_get: bool = False, home: Path | None = None) -> Link:
    """Return the link to a PACS.

    :param by_get: C-GET instead of C-MOVE.
    :param home: see :class:`MoveLink`.
    """
    if isinstance(remote, WebPeer):
        return WebLink(remote)
    return GetLink(remote) if by_get else MoveLink(remote, home)


def _by_classes(wanted: Wanted) -> Iterator[tuple[Sequence[str], list[str]]]:
    """Divide instances so that the SOP classes of each part fit into one association.

    When the PACS doesn't tell a class, the most common ones are proposed; and one by one, those that are commonly
    compressed, in every syntax.
    """
    by_class: dict[str, list[str]] = defaultdict(list)
    for sop_uid in wanted.listed if wanted.blind else wanted.missing:
        by_class[wanted.listed[sop_uid].sop_class_uid or ""].append(sop_uid)
    unknown = by_class.pop("", [])
    for part in _parts(sorted(by_class)):
        yield part, [sop_uid for sop_class in part for sop_uid in by_class[sop_class]]
    if unknown or wanted.blind:
        yield from ((part, unknown) for part in (_parts(COMPRESSED_CLASSES) if wanted.singly else [[]]))


def _parts(classes: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(classes), CLASSES_PER_ASSOCIATION):
        yield classes[start : start + CLASSES_PER_ASSOCIATION]
