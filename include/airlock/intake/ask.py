"""What a door asks for, and how it becomes a request file.

Requests that nobody entered in REDCap still need a repeat instance there. It is derived from what is asked for, from
1001 up: the same ask always makes the same transfer, and people who count from 1 are not in its way.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from airlock.errors import DuplicateRequest
from airlock.identity.keys import KeyRing
from airlock.ledger import Asked, Ledger
from airlock.project import ProjectPolicy
from airlock.request.drop import ask
from airlock.request.model import TransferRequest, validate_request
from airlock.settings import Settings

# REDCap's highest repeat instance is 32,767.
FIRST_INSTANCE, INSTANCES = 1001, 31_000


@dataclass(frozen=True, repr=False)
class Ask:
    """A study for a subject of a project. Its repr shows nothing of the patient.

    :param source: where the study comes from, as in a request; None when the policy says.
    :param instance: repeat instance in REDCap; None when nobody gave it one.
    """

    study_instance_uid: str
    project: str
    subject: str
    event: str = ""
    source: tuple[tuple[str, str], ...] = ()
    instance: int | None = None

    def request(self, keys: KeyRing) -> TransferRequest:
        """Return the request.

        :raises InvalidRequest: when it is not a valid one.
        """
        document: dict[str, Any] = {
            "study_instance_uid": self.study_instance_uid,
            "transfer_project_name": self.project,
            "transfer_name": self.subject,
            "transfer_event_name": self.event,
            "redcap_repeat_instance": self.instance or self._instance(keys),
        }
        if self.source:
            document["source"] = dict(self.source)
        return validate_request(document)

    def _instance(self, keys: KeyRing) -> int:
        told = json.dumps([self.study_instance_uid, self.project, self.subject, self.event])
        digest = hashlib.sha256(keys.token("repeat-instance", told).encode()).digest()
        return FIRST_INSTANCE + int.from_bytes(digest[:8], "big") % INSTANCES


def write_request(
    wanted: Ask, policy: ProjectPolicy, ledger: Ledger, keys: KeyRing, settings: Settings, asked: Asked
) -> str | None:
    """Write the request file of what is asked for; return its transfer id, or None when the transfer exists already.

    :param asked: who wants it, for its history.
    :raises InvalidRequest: when it is no valid request, or its subject doesn't match the project's pattern.
    :raises RetryableError: when it cannot be written.
    """
    request = wanted.request(keys)
    policy.check_subject(request.transfer_name)
    if ledger.find(request.transfer_id(keys)) is not None:
        return None
    try:
        return ask(request, settings, asked)
    except DuplicateRequest:
        return None
