"""Guard: before a PACS is asked for real data by C-MOVE, it must have proven that our AE title there leads to us.

With C-MOVE the PACS opens the connection, to the address that somebody typed in beside our title. A wrong one sends a
study to a stranger, and the PACS reports success. So one image is moved first, and nothing else until it came here.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from pydicom.uid import generate_uid

from airlock.dicomio.echo import echo
from airlock.dicomio.find import FoundInstance, Listing, list_study
from airlock.dicomio.inbox import Inbox
from airlock.dicomio.move import move
from airlock.dicomio.peer import Peer
from airlock.dicomio.retrieval import Retrieval, RetrievalResult
from airlock.errors import AssociationRejected, PolicyError
from airlock.workspace import write_atomically

# What may change without leading anywhere else.
_PATIENCE = ("acse_timeout", "dimse_timeout", "network_timeout")


class Guard:
    """Knows which connections are proven. Any change of one makes it another.

    :param home: `AIRLOCK_HOME`; `guards` below it has a file per proven connection.
    """

    def __init__(self, home: Path, peer: Peer) -> None:
        address = {name: value for name, value in asdict(peer).items() if name not in _PATIENCE}
        digest = hashlib.sha256(json.dumps(address, sort_keys=True).encode()).hexdigest()[:24]
        self._peer = peer
        self._home = home
        self._file = home / "guards" / f"{digest}.json"

    @property
    def proven(self) -> bool:
        """Whether an image that was moved over this connection came here."""
        return self._file.exists()

    def forget(self) -> None:
        """Demand the proof again."""
        self._file.unlink(missing_ok=True)

    def prove(self, study_uid: str, listing: Listing, scratch: Path) -> None:
        """Move nothing, then one image, and remember when it came here.

        :param study_uid: study that the image is taken from, and what the PACS tells of it.
        :param scratch: folder for the image, which is removed again.
        :raises AssociationRejected: the PACS doesn't know our title, or what it moves doesn't come here.
        :raises PeerUnavailable: the PACS doesn't answer, or is busy.
        """
        echo(self._peer)
        self._move(Retrieval(generate_uid()), scratch, 0)
        result, arrived = self._move(_one_image(study_uid, listing), scratch, 1)
        if not arrived:
            raise AssociationRejected(self._explain(result))
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(self._file, json.dumps({"peer": self._peer.name, "proven_at": datetime.now(UTC).isoformat()}))

    def _move(self, retrieval: Retrieval, scratch: Path, least: int) -> tuple[RetrievalResult, int]:
        with tempfile.TemporaryDirectory(dir=scratch, prefix=".guard-") as folder:
            inbox = Inbox(Path(folder), retrieval.study_uid, lambda _: "image", total=least)
            result = move(self._peer, [retrieval], inbox, self._home)
            return result, len(inbox.received)

    def _explain(self, result: RetrievalResult) -> str:
        peer = self._peer
        said = "says that it was sent" if result.completed else f"ended with status 0x{result.status:04X}"
        return (
            f"A test image that {peer.name} was to move to {peer.move_aet} did not come here (the PACS {said}). At the "
            f"PACS, correct the address of {peer.move_aet}: this machine, port {peer.move_port}; open the firewall; "
            "then clear this task. Nothing more was asked for."
        )


def test_listing(peer: Peer, study_uid: str) -> Listing:
    """Return what a PACS tells of the study that is kept there for the proof.

    :raises PolicyError: when it doesn't have it.
    """
    listing = list_study(peer, study_uid)
    if not listing.expected:
        raise PolicyError(f"{peer.name} doesn't have the study that source.test_study of the project names.")
    return listing


def _one_image(study_uid: str, listing: Listing) -> Retrieval:
    """Return the request for one image; without an IMAGE level, for the smallest series."""
    if listing.instances:
        first: FoundInstance = listing.instances[min(listing.instances)]
        return Retrieval(study_uid, first.series_instance_uid, (first.sop_instance_uid,))
    if listing.series:
        return Retrieval(study_uid, min(listing.series, key=lambda uid: listing.series[uid] or 0))
    raise PolicyError(
        "The PACS lists neither series nor images, so that one image could be asked for. Name a small study of a "
        "phantom as source.test_study in the project's policy."
    )
