"""RequestStore: where accepted requests are kept, by transfer id.

The drop folder is emptied as soon as a run exists; what the chain, a restart and a re-drive need of the request is
read from here. The files hold the original StudyInstanceUID, as request files do.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from airlock.errors import InvalidRequest
from airlock.request.model import TransferRequest, parse_request
from airlock.workspace import write_atomically


@dataclass(frozen=True)
class StoredRequest:
    """An accepted request.

    :param file_name: name of the file it came in, or the name it would have had.
    :param content: the document, as it came.
    """

    file_name: str
    content: str
    arrived_at: datetime

    @property
    def request(self) -> TransferRequest:
        """The request, parsed."""
        return parse_request(self.content)


class RequestStore:
    """Folder `<AIRLOCK_PROC>/accepted`, one file per transfer id."""

    def __init__(self, proc_folder: Path) -> None:
        self._folder = proc_folder / "accepted"

    def _path(self, transfer_id: str) -> Path:
        return self._folder / f"{transfer_id}.json"

    def put(self, transfer_id: str, stored: StoredRequest) -> bool:
        """Keep a request. Return False, changing nothing, when this transfer's request is kept already."""
        if self._path(transfer_id).exists():
            return False
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        document = {
            "file_name": stored.file_name,
            "arrived_at": stored.arrived_at.isoformat(),
            "content": stored.content,
        }
        write_atomically(self._path(transfer_id), json.dumps(document, indent=2))
        return True

    def name_studies(self, transfer_id: str, studies: Sequence[str]) -> None:
        """Note which studies a request means that was found by other keys. Its transfer keeps its id.

        From then on the request means these, whatever its source holds later.
        """
        stored = self.get(transfer_id)
        content = json.loads(stored.content)
        content["study_instance_uid"] = studies[0]
        content.setdefault("source", {})["studies"] = list(studies)
        document = {
            "file_name": stored.file_name,
            "arrived_at": stored.arrived_at.isoformat(),
            "content": json.dumps(content, indent=2),
        }
        write_atomically(self._path(transfer_id), json.dumps(document, indent=2))

    def known(self) -> list[str]:
        """Return the ids of the transfers whose requests are kept, in order."""
        return sorted(path.stem for path in self._folder.glob("transfer-*.json"))

    def get(self, transfer_id: str) -> StoredRequest:
        """Return the request of a transfer.

        :raises InvalidRequest: when there is none.
        """
        try:
            document = json.loads(self._path(transfer_id).read_text("utf-8"))
        except FileNotFoundError:
            raise InvalidRequest(
                f"No request is kept for {transfer_id}. Drop the request file again, or start the transfer "
                "with the form."
            ) from None
        return StoredRequest(document["file_name"], document["content"], datetime.fromisoformat(document["arrived_at"]))
