"""Outlets: the ways to give instances to a destination and to ask what it has, behind one interface."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from airlock.deliver.stow import store_files
from airlock.dicomio.commit import commit
from airlock.dicomio.echo import echo
from airlock.dicomio.find import StudyKeys, find_instances, has_instance
from airlock.dicomio.peer import Peer
from airlock.dicomio.store import Outcome, Outgoing, send_files
from airlock.dicomio.web import WebClient
from airlock.dicomio.webpeer import WebPeer
from airlock.errors import AirlockError, PeerUnavailable, PolicyError
from airlock.project import DestinationPolicy

Remote = Peer | WebPeer
_ASKED_ONE_BY_ONE = 500


@dataclass(frozen=True)
class Sent:
    """An instance that a destination should have, by its new UIDs."""

    id: str
    study_uid: str
    series_uid: str
    sop_uid: str
    sop_class_uid: str


class Outlet(Protocol):
    """A way to a destination.

    All methods raise `PeerUnavailable`, `AssociationRejected` or `AssociationAborted`.
    """

    @property
    def name(self) -> str:
        """How errors name the destination."""

    def send(
        self, files: Sequence[Outgoing], before: Callable[[str], None], pace: Callable[[int], None] | None = None
    ) -> Iterator[Outcome]:
        """Send files; yield what became of each, as the answers come. `pace` is told of bytes before they go."""

    def shows(self, sent: Sequence[Sent]) -> set[str]:
        """Return the ids of those that the destination shows when it is asked."""

    def commits(self, sent: Sequence[Sent], patience_seconds: float) -> set[str]:
        """Return the ids of those that the destination commits itself to keep."""


@dataclass(frozen=True)
class Dimse:
    """C-STORE; C-FIND or Storage Commitment."""

    peer: Peer

    @property
    def name(self) -> str:
        """How errors name the PACS."""
        return self.peer.name

    def send(
        self, files: Sequence[Outgoing], before: Callable[[str], None], pace: Callable[[int], None] | None = None
    ) -> Iterator[Outcome]:
        """Send by C-STORE."""
        return send_files(self.peer, files, before, pace)

    def shows(self, sent: Sequence[Sent]) -> set[str]:
        """Ask by C-FIND, study by study; for those that a limit on answers may have cut off, one by one."""
        shown: set[str] = set()
        for study_uid in sorted({one.study_uid for one in sent}):
            of_study = [one for one in sent if one.study_uid == study_uid]
            found = set(find_instances(self.peer, study_uid))
            absent = [one for one in of_study if one.sop_uid not in found]
            if found and 0 < len(absent) <= _ASKED_ONE_BY_ONE:
                found |= has_instance(self.peer, study_uid, [(one.series_uid, one.sop_uid) for one in absent])
            shown |= {one.id for one in of_study if one.sop_uid in found}
        return shown

    def commits(self, sent: Sequence[Sent], patience_seconds: float) -> set[str]:
        """Ask by N-ACTION."""
        kept = commit(self.peer, [(one.sop_class_uid, one.sop_uid) for one in sent], patience_seconds)
        return {one.id for one in sent if one.sop_uid in kept}


@dataclass(frozen=True)
class Web:
    """STOW-RS; QIDO-RS."""

    peer: WebPeer

    @property
    def name(self) -> str:
        """How errors name the service."""
        return self.peer.name

    def send(
        self, files: Sequence[Outgoing], before: Callable[[str], None], pace: Callable[[int], None] | None = None
    ) -> Iterator[Outcome]:
        """Send by STOW-RS."""
        return store_files(self.peer, files, before, pace)

    def shows(self, sent: Sequence[Sent]) -> set[str]:
        """Ask by QIDO-RS."""
        shown: set[str] = set()
        with WebClient(self.peer) as client:
            for study_uid in sorted({one.study_uid for one in sent}):
                found = client.list_study(study_uid).instances
                shown |= {one.id for one in sent if one.study_uid == study_uid and one.sop_uid in found}
        return shown

    def commits(self, sent: Sequence[Sent], patience_seconds: float) -> set[str]:
        """Not to be had over the web."""
        raise PolicyError(
            "Storage commitment needs a DICOM application entity, and the destination is a DICOMweb service. Set "
            "destination.proof of the project's policy to query."
        )


def answers(remote: Remote) -> bool:
    """Whether a destination answers at all, to a C-ECHO or a search for a study that nobody has."""
    try:
        if isinstance(remote, WebPeer):
            with WebClient(remote) as client:
                client.find_studies(StudyKeys("2.25.0"))
        else:
            echo(remote)
    except PeerUnavailable:
        return False
    except AirlockError:
        # What is wrong with the answer, the step tells when it is tried.
        return True
    return True


def outlet_to(remote: Remote, policy: DestinationPolicy) -> Outlet:
    """Return the outlet to a destination.

    :raises PolicyError: when its connection is of another kind than the policy's method.
    """
    if isinstance(remote, WebPeer) != (policy.method == "stow-rs"):
        kind = "DICOMweb service" if policy.method == "stow-rs" else "DICOM application entity"
        raise PolicyError(f"The method {policy.method} needs a connection of type {kind}. Correct destination.")
    return Web(remote) if isinstance(remote, WebPeer) else Dimse(remote)
