"""Pulls a study from a PACS until what arrived is what the PACS said it has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from airlock.dicomio.find import Listing
from airlock.dicomio.peer import Peer
from airlock.dicomio.progress import Progress, no_progress
from airlock.dicomio.retrieval import MAX_SUBOPERATIONS, Level, Retrieval, RetrievalResult
from airlock.errors import AssociationAborted, StudyNotFound
from airlock.retrieve.links import Landing, Link, Remote, Wanted, link_to

_NAMED_IN_ERRORS = 10
_MOST_ENDED = 10


@dataclass(frozen=True)
class Fetched:
    """What came of a study.

    :param expected: how many instances the PACS has.
    :param missing: names of the files of instances that the PACS lists and that did not come.
    :param status: last status of the PACS.
    :param unlisted: how many more did not come, of which the PACS told the number only.
    """

    expected: int
    missing: tuple[str, ...]
    status: int
    unlisted: int = 0

    @property
    def lacking(self) -> int:
        """How many instances did not come."""
        return len(self.missing) + self.unlisted

    def explain(self, peer: Remote) -> str:
        """Say what is missing, by name."""
        named = ", ".join(self.missing[:_NAMED_IN_ERRORS]) + (", ..." if len(self.missing) > _NAMED_IN_ERRORS else "")
        if self.unlisted:
            named += f"{' and ' if named else ''}{self.unlisted} that it counts but doesn't list"
        advice = "A retry asks for these only; when it does not help, check at the PACS whether they can be retrieved."
        if self.lacking == self.expected and isinstance(peer, Peer):
            advice = f"With C-MOVE, check that the PACS knows {peer.move_aet}, this machine and port {peer.move_port}."
        return (
            f"{self.expected - self.lacking} of {self.expected} instances arrived from {peer.name} (last status "
            f"0x{self.status:04X}). Missing: {named}. {advice}"
        )


def fetch_study(
    peer: Remote,
    study_uid: str,
    folder: Path,
    *,
    by_get: bool = False,
    name_of: Callable[[str], str] = str,
    on_expected: Callable[[int], None] = lambda _: None,
    progress: Progress = no_progress,
    level: Level = "study",
) -> Fetched:
    """Bring the instances of a study into a folder as `<name>.dcm`; those that are there already are not asked for.

    :param by_get: C-GET instead of C-MOVE; without meaning for DICOMweb.
    :param name_of: file name, without suffix, of a SOPInstanceUID.
    :param on_expected: told how many instances the PACS has.
    :param level: the highest level to ask at.
    :raises StudyNotFound: the PACS has no instance of it.
    :raises PeerUnavailable: no answer, the PACS is busy, or our port is taken.
    :raises AssociationRejected: the PACS refuses us, or doesn't know our move destination.
    :raises AssociationAborted: associations ended in the middle, again and again.
    :raises TransferIncomplete: what came cannot be written.
    """
    link = link_to(peer, by_get=by_get)
    listing = link.list_study(study_uid)
    if not listing.expected:
        raise StudyNotFound(f"{peer.name} has no instance of the study. Send it there again, or correct the request.")
    on_expected(listing.expected)
    return fetch_listed(link, study_uid, listing, folder, name_of=name_of, progress=progress, level=level)


def fetch_listed(
    link: Link,
    study_uid: str,
    listing: Listing,
    folder: Path,
    *,
    name_of: Callable[[str], str],
    progress: Progress = no_progress,
    level: Level = "study",
    least_free_bytes: int = 0,
) -> Fetched:
    """Bring what a PACS told of a study into a folder. As :func:`fetch_study`.

    What is missing after the first round is asked for once more by series, then one by one. So is what an association
    took with it that ended: an instance at which a PACS gives up keeps no other back.

    :param least_free_bytes: with less on the disk, what comes is refused for the moment.
    """
    for leftover in folder.glob(".*.part"):
        leftover.unlink()
    received = {uid for uid in listing.instances if (folder / f"{name_of(uid)}.dcm").exists()}
    landing = Landing(folder, study_uid, name_of, received, listing.expected, progress, least_free_bytes)
    result = RetrievalResult(0)
    for wanted in _rounds(study_uid, listing, landing, level):
        result = _fetch(link, wanted, landing, result)
    names = sorted(name_of(uid) for uid in listing.instances.keys() - landing.received)
    unlisted = max(0, listing.expected - len(landing.received) - len(names))
    return Fetched(listing.expected, tuple(names), result.status, unlisted)


def _fetch(link: Link, wanted: Wanted, landing: Landing, last: RetrievalResult) -> RetrievalResult:
    """Ask for something; when that ends in the middle, leave the rest to the next round, which asks for less at a time.

    :param last: the last answer, for when there is none.
    :raises AssociationAborted: when the last round ended too often.
    """
    try:
        return link.fetch(wanted, landing)
    except AssociationAborted:
        if not wanted.singly:
            return last
    ended = 1
    for sop_uid in sorted(set(wanted.missing) - landing.received):
        try:
            last = link.fetch(replace(wanted, missing=(sop_uid,)), landing)
        except AssociationAborted:
            ended += 1
            if ended > _MOST_ENDED:
                raise
    return last


def _rounds(study_uid: str, listing: Listing, landing: Landing, level: Level) -> Iterator[Wanted]:
    """Yield what to ask for, as long as something is missing."""
    for wanted in _blind(study_uid, listing, level):
        if len(landing.received) < listing.expected:
            yield wanted
    listed = listing.instances
    missing = listed.keys() - landing.received
    if listing.whole and missing:
        yield Wanted(study_uid, listed, missing, level)
        lost = listed.keys() - landing.received
        there = {listed[uid].series_instance_uid for uid in listed.keys() & landing.received}
        whole_series = {uid for uid in lost if listed[uid].series_instance_uid not in there}
        if whole_series and level == "study":
            yield Wanted(study_uid, listed, whole_series, "series")
    missing = listed.keys() - landing.received
    if missing:
        yield Wanted(study_uid, listed, missing, "image", singly=True)


def _blind(study_uid: str, listing: Listing, level: Level) -> Iterator[Wanted]:
    """Yield requests for what a PACS counts but doesn't list, because it limits its answers or has no IMAGE level."""
    if listing.whole:
        return
    if (level == "study" or not listing.series) and listing.expected <= MAX_SUBOPERATIONS:
        yield Wanted(study_uid, listing.instances, blind=(Retrieval(study_uid),))
    if listing.series:
        by_series = tuple(Retrieval(study_uid, series_uid) for series_uid in sorted(listing.series))
        yield Wanted(study_uid, listing.instances, blind=by_series)
