"""IdentityClient: an identity service that says who a patient becomes.

It speaks the format of Stanford's identifiers API, as sendit does: one POST with an entity (the patient) and its items
(accession numbers), answered with a `suid` for each and a `jitter` in days. Names and dates are never sent. An answer
is believed only when it is about exactly what was asked; anything else holds the study.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests

from airlock.errors import HeldError, PeerUnavailable, PolicyError
from airlock.identity.limits import is_accession, is_subject

MOST_ITEMS = 1000
ENTITY_SOURCE, ITEM_SOURCE = "PatientID", "AccessionNumber"
_LONGEST_ANSWER = 1 << 20
_LARGEST_JITTER_DAYS = 36500
_RETRY = frozenset({408, 425, 429})
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, repr=False)
class Answer:
    """Who a patient becomes.

    :param subject: research subject id.
    :param offset_days: by which dates move.
    :param accessions: new accession numbers, by the original ones.
    """

    subject: str
    offset_days: int
    accessions: Mapping[str, str]


class OddAnswer(HeldError):
    """The identity service answered something that is not an answer to the question."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"The identity service's answer cannot be used: {what}. Nothing is sent. Have the service corrected, and "
            "clear this step."
        )


@dataclass(frozen=True)
class IdentityClient:
    """One identity service.

    :param url: where the questions are posted; plain http for this machine only.
    :param token: bearer token, when the service wants one. It is never shown.
    :param timeout_seconds: to connect, and between two parts of the answer.
    :param attempts: how often a question is tried, with growing pauses that begin with `pause_seconds`.
    """

    url: str
    token: str = field(default="", repr=False)
    timeout_seconds: float = 30.0
    attempts: int = 3
    pause_seconds: float = 1.0

    def __post_init__(self) -> None:
        """Refuse an address over which patient ids would travel in the clear."""
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise PolicyError("identity.service is not an address such as https://identities.example.org/api.")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise PolicyError("identity.service would send patient ids unencrypted. Use an https address.")

    def ask(self, patient_id: str, issuer: str = "", accessions: Sequence[str] = ()) -> Answer:
        """Return who a patient becomes.

        :param issuer: of the PatientID, names its source; else `PatientID` does.
        :raises PeerUnavailable: when the service does not answer, in all attempts.
        :raises PolicyError: when it refuses to.
        :raises OddAnswer: when the answer is not to this question.
        """
        if len(accessions) > MOST_ITEMS:
            raise HeldError(f"The study has more than {MOST_ITEMS} accession numbers. Have it corrected at its source.")
        entity = {"id": patient_id, "id_source": issuer or ENTITY_SOURCE}
        items = [{"id": accession, "id_source": ITEM_SOURCE} for accession in accessions]
        content = self._post({"identifiers": [{**entity, "items": items}]})
        result = _one(_list(_object(content, "it is not an object"), "results"), entity)
        subject = _text(result, "suid")
        if not is_subject(subject) or subject == patient_id:
            raise OddAnswer("its suid cannot be a research subject id")
        return Answer(subject, _jitter(result), _accessions(result, items))

    def _post(self, question: dict[str, Any]) -> Any:
        problem = ""
        for attempt in range(self.attempts):
            if attempt:
                time.sleep(self.pause_seconds * 2 ** (attempt - 1) * random.uniform(0.75, 1.25))  # noqa: S311 - no secret
            status, content = self._post_once(question)
            if status == 200:
                return _parse(content)
            problem = f"status {status}" if status else content.decode()
            if status and status < 500 and status not in _RETRY:
                raise PolicyError(
                    f"The identity service refuses the question (status {status}). Check identity.service of the "
                    "project and AIRLOCK_IDENTITY_SERVICE_TOKEN; then clear this step."
                )
        raise PeerUnavailable(
            f"The identity service does not answer ({problem}, {self.attempts} attempts). Nothing goes on without it; "
            "it is tried again."
        )

    def _post_once(self, question: dict[str, Any]) -> tuple[int, bytes]:
        """Return status and content; status 0 and a problem when there was no answer. It never raises."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            with requests.post(
                self.url,
                json=question,
                headers=headers,
                timeout=self.timeout_seconds,
                # A redirected POST would carry the patient's id to another place.
                allow_redirects=False,
                stream=True,
            ) as response:
                content = response.raw.read(_LONGEST_ANSWER + 1, decode_content=True)
                return response.status_code, content
        except requests.exceptions.Timeout:
            return 0, b"no answer in time"
        except Exception as error:  # noqa: BLE001 - the text of an HTTP library's error may quote the question
            return 0, type(error).__name__.encode()


def _parse(content: bytes) -> Any:
    if len(content) > _LONGEST_ANSWER:
        raise OddAnswer("it is too long")
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise OddAnswer("it is not JSON") from None


def _object(value: Any, problem: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise OddAnswer(problem)
    return value


def _list(value: dict[str, Any], name: str) -> list[Any]:
    found = value.get(name)
    if not isinstance(found, list):
        raise OddAnswer(f"it has no list {name}")
    return found


def _text(value: dict[str, Any], name: str) -> str:
    found = value.get(name)
    if not isinstance(found, str):
        raise OddAnswer(f"a {name} is missing or is not text")
    return found


def _one(results: list[Any], asked: Mapping[str, str]) -> dict[str, Any]:
    """Return the only result, when it is about what was asked."""
    if len(results) != 1:
        raise OddAnswer(f"it has {len(results)} results for one patient")
    result = _object(results[0], "its result is not an object")
    if any(result.get(name) != value for name, value in asked.items()):
        raise OddAnswer("it is about another patient")
    return result


def _jitter(result: dict[str, Any]) -> int:
    jitter = result.get("jitter")
    if isinstance(jitter, bool) or not isinstance(jitter, int) or not 0 < abs(jitter) <= _LARGEST_JITTER_DAYS:
        raise OddAnswer("its jitter is not a number of days other than 0")
    return jitter


def _accessions(result: dict[str, Any], asked: list[dict[str, str]]) -> dict[str, str]:
    items = _list(result, "items") if asked else []
    if len(items) != len(asked):
        raise OddAnswer(f"it has {len(items)} items, and {len(asked)} were asked for")
    found: dict[str, str] = {}
    for item in items:
        entry = _object(item, "an item is not an object")
        name, code = _text(entry, "id"), _text(entry, "suid")
        if {"id": name, "id_source": entry.get("id_source")} not in asked:
            raise OddAnswer("it has an item that was not asked for")
        if not is_accession(code) or code == name:
            raise OddAnswer("the suid of an item cannot be an accession number")
        found[name] = code
    if len(found) != len(asked) or len(set(found.values())) != len(found):
        raise OddAnswer("its items are not all different")
    return found
