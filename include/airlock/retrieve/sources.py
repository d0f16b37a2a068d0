"""Sources of a study, behind one small interface: the raw folder, and a PACS by whatever link."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from airlock.dicomio.find import Listing, StudyKeys
from airlock.dicomio.peer import Peer
from airlock.dicomio.progress import Progress
from airlock.dicomio.turns import Line
from airlock.dicomio.webpeer import WebPeer
from airlock.errors import HeldError, PolicyError, StudyNotFound, TransferIncomplete
from airlock.ledger import InstanceState, InstanceUpdate
from airlock.project_parts import Level, Method
from airlock.request.store import RequestStore
from airlock.retrieve import raw
from airlock.retrieve.guard import Guard, test_listing
from airlock.retrieve.links import Link, Remote, link_to
from airlock.retrieve.pacs import Fetched, fetch_listed
from airlock.transfer import Transfer
from airlock.workspace import write_atomically

EXPECTED_FILE = "expected.json"
_IDS_IN_EVENT = 1000


class Source(Protocol):
    """Where a transfer's studies come from."""

    def is_ready(self) -> bool:
        """Whether they can be brought in now."""

    def bring(self, folder: Path, progress: Progress) -> list[InstanceUpdate]:
        """Fill a folder with `<instance id>.dcm`; return what became of each. Run again, it goes on."""


def source_of(transfer: Transfer, remote: Remote | None) -> Source:
    """Return the source of a transfer.

    :param remote: the PACS; None for the raw folder.
    :raises PolicyError: when a PACS is needed and none is named, or one of the wrong kind.
    """
    method = method_of(transfer)
    if method == "raw":
        return RawFolder(transfer)
    if remote is None:
        raise PolicyError(
            "The study is to be pulled from a PACS, but no connection is named. Set source.connection in the "
            "project's policy or in the request."
        )
    if isinstance(remote, WebPeer) != (method == "dicomweb"):
        kind = "DICOMweb service" if method == "dicomweb" else "DICOM application entity"
        raise PolicyError(f"The method {method} needs a connection of type {kind}. Correct source.connection.")
    return Pacs(transfer, remote, link_to(remote, by_get=method == "c-get", home=transfer.settings.home))


def method_of(transfer: Transfer) -> Method:
    """How this study is pulled: as the request says, else as the project's policy says."""
    return (transfer.request.source or transfer.policy.source).method


def connection_of(transfer: Transfer) -> str | None:
    """Return the connection that the request names, else the project's policy."""
    asked = transfer.request.source
    return (asked.connection if asked else None) or transfer.policy.source.connection


@dataclass(frozen=True)
class RawFolder:
    """Studies that were received already."""

    transfer: Transfer

    def _studies(self) -> list[raw.RawStudy]:
        return [raw.RawStudy(self.transfer.settings.raw_folder, uid) for uid in self.transfer.request.studies]

    def is_ready(self) -> bool:
        """Whether they exist and nothing in them changed for `study_idle_seconds`."""
        return all(raw.is_settled(study, self.transfer.settings.study_idle_seconds) for study in self._studies())

    def bring(self, folder: Path, progress: Progress) -> list[InstanceUpdate]:
        """Link or copy them."""
        updates = []
        for study in self._studies():
            updates += raw.bring_in(study, folder, self.transfer.instance_id, progress)
        self.transfer.ledger.describe(self.transfer.id, expected=len(updates))
        return updates


@dataclass(frozen=True)
class Pacs:
    """Studies that a PACS has."""

    transfer: Transfer
    remote: Remote
    link: Link

    def is_ready(self) -> bool:
        """Whether it has an instance of them."""
        keys = [StudyKeys(uid) for uid in self.transfer.request.studies] or [self._keys()]
        return all(any(study.instances != 0 for study in self.link.find(one)) for one in keys)

    def bring(self, folder: Path, progress: Progress) -> list[InstanceUpdate]:
        """Ask for them until all is here that the PACS said it has.

        :raises TurnAwaited: when as many as may ask this PACS already.
        """
        transfer = self.transfer
        slots = str(transfer.settings.home.absolute() / "slots")
        at_a_time = transfer.policy.source.at_a_time
        with Line(slots, f"pull-{connection_of(transfer)}", at_a_time).place(transfer.id):
            return self._bring(folder, progress)

    def _bring(self, folder: Path, progress: Progress) -> list[InstanceUpdate]:
        listings = {uid: self._list(uid) for uid in self._studies()}
        self._remember(listings)
        self._prove(listings)
        for study_uid, listing in listings.items():
            fetched = fetch_listed(
                self.link,
                study_uid,
                listing,
                folder,
                name_of=self.transfer.instance_id,
                progress=progress,
                level=self._level,
                least_free_bytes=self._least_free_bytes,
            )
            if fetched.lacking:
                self._report(fetched)
        files = sorted(folder.glob("*.dcm"))
        # More than the query said may have come: a study can grow.
        self.transfer.ledger.describe(self.transfer.id, expected=len(files))
        return [InstanceUpdate(f.stem, InstanceState.RECEIVED, size=f.stat().st_size) for f in files]

    @property
    def _least_free_bytes(self) -> int:
        # Half of what there must be before work is taken in, so that it doesn't stop right after it has begun.
        return int(self.transfer.settings.min_free_gigabytes * 1e9 / 2)

    @property
    def _level(self) -> Level:
        source = self.transfer.request.source
        return (source.level if source else None) or self.transfer.policy.source.level

    def _keys(self) -> StudyKeys:
        source = self.transfer.request.source
        if source is None:
            return StudyKeys(self.transfer.request.study_instance_uid)
        return StudyKeys("", source.accession_number or "", source.patient_id or "", source.study_date or "")

    def _studies(self) -> Sequence[str]:
        """Return the studies that the request means; search them the first time, when it doesn't name them."""
        request = self.transfer.request
        if request.studies:
            return request.studies
        found = [study.study_instance_uid for study in self.link.find(self._keys())]
        if not found:
            raise StudyNotFound(f"{self.link.name} has no study that matches the request. Correct the request.")
        source = request.source
        take_all = source is not None and (source.several or ("all" if source.accession_number else "hold")) == "all"
        if len(found) > 1 and not take_all:
            raise HeldError(
                f"{len(found)} studies at {self.link.name} match the request, and it is to be one. Request again with "
                "its study_instance_uid, or with source.several: all."
            )
        RequestStore(self.transfer.settings.proc_folder).name_studies(self.transfer.id, found)
        return found

    def _list(self, study_uid: str) -> Listing:
        listing = self.link.list_study(study_uid)
        if not listing.expected:
            raise StudyNotFound(
                f"{self.link.name} has no instance of the study. Send it there again, or correct the request."
            )
        return listing

    def _remember(self, listings: dict[str, Listing]) -> None:
        """Keep what the PACS said it has: with UIDs in the workspace, by pseudonymous ids in the ledger."""
        transfer = self.transfer
        document = {
            uid: {
                "told": listing.told,
                "series": listing.series,
                "instances": {i.sop_instance_uid: i.series_instance_uid for i in listing.instances.values()},
            }
            for uid, listing in listings.items()
        }
        write_atomically(transfer.workspace.root / EXPECTED_FILE, json.dumps(document))
        expected = sum(listing.expected for listing in listings.values())
        ids = sorted(transfer.instance_id(uid) for listing in listings.values() for uid in listing.instances)
        transfer.ledger.describe(transfer.id, expected=expected)
        transfer.ledger.event(
            transfer.id,
            "pull",
            "expected",
            instances=expected,
            listed=len(ids),
            series=sum(len(listing.series) for listing in listings.values()),
            studies=len(listings),
            digest=hashlib.sha256("\n".join(ids).encode()).hexdigest(),
        )

    def _prove(self, listings: dict[str, Listing]) -> None:
        policy = self.transfer.policy.source
        if method_of(self.transfer) != "c-move" or not policy.guard or not isinstance(self.remote, Peer):
            return
        guard = Guard(self.transfer.settings.home, self.remote)
        if guard.proven:
            return
        study_uid, listing = next(iter(listings.items()))
        if policy.test_study:
            study_uid, listing = policy.test_study, test_listing(self.remote, policy.test_study)
        guard.prove(study_uid, listing, self.transfer.workspace.root)
        self.transfer.ledger.event(self.transfer.id, "pull", "guarded", peer=self.remote.name)

    def _report(self, fetched: Fetched) -> None:
        if fetched.lacking == fetched.expected and isinstance(self.remote, Peer):
            Guard(self.transfer.settings.home, self.remote).forget()
        self.transfer.ledger.event(
            self.transfer.id,
            "pull",
            "missing",
            instances=fetched.lacking,
            unlisted=fetched.unlisted,
            ids=list(fetched.missing[:_IDS_IN_EVENT]),
        )
        raise TransferIncomplete(fetched.explain(self.remote))
