"""DICOMweb (PS3.18): QIDO-RS, WADO-RS and STOW-RS over one session. Instances are streamed from and to disk."""

from __future__ import annotations

import errno
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

import requests
from urllib3.exceptions import HTTPError

from airlock.dicomio.find import FoundInstance, FoundStudy, Listing, StudyKeys
from airlock.dicomio.header import UnreadableInstance, read_header
from airlock.dicomio.multipart import Malformed, boundary_of, read_parts
from airlock.dicomio.retrieval import Retrieval
from airlock.dicomio.webjson import number_of, text_of
from airlock.dicomio.webpeer import WebPeer
from airlock.dicomio.wire.room import Room
from airlock.errors import AirlockError, AssociationAborted, AssociationRejected, PeerDown, PeerUnavailable

JSON = "application/dicom+json"
_ANY_INSTANCE = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_PAGE = 100  # services that are in use refuse more (HTTP status 400)
_ANSWERED = (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT)  # the second: some of it; whoever counts asks for the rest
_CHUNK_BYTES = 1 << 18
_NO_STUDY = "2.25.0"
_STUDY, _SERIES, _SOP, _CLASS, _OF_STUDY = "0020000D", "0020000E", "00080018", "00080016", "00201208"


class WebClient:
    """A session with a DICOMweb service.

    Every method raises :class:`PeerDown` (not reached), :class:`PeerUnavailable` (no answer, busy),
    :class:`AssociationRejected` (it refuses us or the request) or :class:`AssociationAborted` (the answer
    ended in the middle).
    """

    def __init__(self, peer: WebPeer) -> None:
        self.peer = peer
        self._session = requests.Session()
        # A .netrc of the machine's user is none of this service's business.
        self._session.trust_env = False
        self._session.verify = (peer.ca_file or True) if peer.verify_tls else False
        if peer.user:
            self._session.auth = (peer.user, peer.password)
        if peer.token:
            self._session.headers["Authorization"] = f"Bearer {peer.token}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    # QIDO-RS (PS3.18 section 10.6)

    def find_studies(self, keys: StudyKeys) -> list[FoundStudy]:
        """Search studies; return those that match exactly, in order of UID."""
        wanted = {name: value for name, value in keys.query().items() if value}
        fields = [*wanted, "NumberOfStudyRelatedInstances"]
        answers = self._search("/studies", {**wanted, "includefield": ",".join(fields)}, _STUDY)
        found = {text_of(a, _STUDY): a for a in answers if _matches(keys, a)}
        return [FoundStudy(number_of(found[uid], _OF_STUDY), uid) for uid in sorted(found) if uid]

    def list_study(self, study_uid: str) -> Listing:
        """Return what the service tells of a study."""
        studies = self.find_studies(StudyKeys(study_uid))
        if not studies:
            return Listing({}, {})
        found: dict[str, FoundInstance] = {}
        for answer in self._search(f"/studies/{study_uid}/instances", {"includefield": "SOPClassUID"}, _SOP):
            sop_uid, series_uid = text_of(answer, _SOP), text_of(answer, _SERIES)
            if sop_uid and series_uid and text_of(answer, _STUDY) in ("", study_uid):
                found[sop_uid] = FoundInstance(series_uid, sop_uid, text_of(answer, _CLASS) or None)
        series = dict.fromkeys((i.series_instance_uid for i in found.values()), None)
        return Listing(found, dict(series), studies[0].instances)

    def _search(self, path: str, parameters: Mapping[str, str], key: str) -> Iterator[dict[str, Any]]:
        """Yield the answers to a search.

        :param key: tag of the UID that each of them must have, and no two the same.
        """
        seen: set[str] = set()
        offset = 0
        while True:
            page = {**parameters, "limit": str(_PAGE), "offset": str(offset)}
            with self._answer("GET", path, params=page, headers={"Accept": JSON}) as response:
                answers = self._json(response) if response.status_code in _ANSWERED else []
            if not all(text_of(answer, key) for answer in answers):
                raise self._nonsense()
            # Services have limits of their own, and some know no paging: then they repeat themselves.
            fresh = [answer for answer in answers if text_of(answer, key) not in seen]
            if not fresh:
                return
            seen.update(text_of(answer, key) for answer in fresh)
            offset += len(answers)
            yield from fresh

    def _json(self, response: requests.Response) -> list[dict[str, Any]]:
        """Return the answer's datasets (PS3.18 annex F); STOW-RS answers with one that is in no list."""
        try:
            said = response.json()
        except ValueError:
            raise self._nonsense() from None
        answers = said if isinstance(said, list) else [said]
        if not all(isinstance(answer, dict) for answer in answers):
            raise self._nonsense()
        return answers

    def _nonsense(self) -> PeerUnavailable:
        return PeerUnavailable(f"{self.peer.name} answers with something that is not DICOM JSON.")

    # WADO-RS (PS3.18 section 10.4)

    def retrieve(
        self, retrieval: Retrieval, folder: Path, name_of: Callable[[str], str], least_free_bytes: int = 0
    ) -> Iterator[str]:
        """Bring what is asked for into a folder as `<name>.dcm`; yield the SOPInstanceUID of each file.

        A name appears when its file is whole. Files of another study, and what is no DICOM file, are dropped.

        :param name_of: file name, without suffix, of a SOPInstanceUID.
        :param least_free_bytes: with less on the disk, nothing more is written.
        :raises OSError: when a file cannot be written, or too little room would be left.
        """
        room = Room(folder, least_free_bytes)
        for path in _paths(retrieval):
            try:
                with self._answer("GET", path, headers={"Accept": _ANY_INSTANCE}) as response:
                    if response.status_code not in _ANSWERED:
                        continue
                    boundary = boundary_of(response.headers.get("Content-Type", ""))
                    for part in read_parts(response.iter_content(_CHUNK_BYTES), boundary):
                        sop_uid = _land(part, folder, retrieval.study_uid, name_of, room)
                        if sop_uid:
                            yield sop_uid
            except _ServerError as error:
                # One instance that it cannot read is enough, whatever else was asked for.
                raise AssociationAborted(str(error)) from None

    # STOW-RS (PS3.18 section 10.5)

    def store(self, body: Any, boundary: str) -> tuple[int, dict[str, Any]]:
        """Send a multipart body; return the HTTP status and the answer's dataset (PS3.18 annex I.2).

        :param body: an iterable of bytes with a length.
        """
        headers = {
            "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
            "Accept": JSON,
        }
        try:
            with self._answer("POST", "/studies", data=body, headers=headers) as response:
                answers = self._json(response) if response.content else []
                return response.status_code, answers[0] if answers else {}
        except PeerDown:
            # Or it closed the connection on this request, as it would on the next: that is not to be waited for.
            self.find_studies(StudyKeys(_NO_STUDY))
            raise AssociationAborted(
                f"{self.peer.name}, or the network, closed the connection in the middle of a request. If that stays, "
                "have the service take larger requests, or set destination.batch of the project lower."
            ) from None

    @contextmanager
    def _answer(self, method: str, path: str, **arguments: Any) -> Iterator[requests.Response]:
        """Yield the answer to a request: success, 404 or 409. Exceptions of the libraries quote URLs, and so UIDs."""
        name, timeout = self.peer.name, self.peer.timeout
        try:
            # A redirect would take our credentials, and the study, to somebody who was not configured.
            response = self._session.request(
                method, self.peer.url + path, timeout=timeout, allow_redirects=False, stream=True, **arguments
            )
        except requests.ReadTimeout:
            raise PeerUnavailable(f"{name} did not answer in {timeout:g} s.") from None
        except (requests.RequestException, HTTPError) as error:
            down = isinstance(error, requests.ConnectionError) and not isinstance(error, requests.exceptions.SSLError)
            kind = PeerDown if down else PeerUnavailable
            raise kind(f"{name} cannot be reached. Check that it runs, its URL and certificate.") from None
        with response:
            problem = _problem(name, method, response.status_code)
            if problem is not None:
                raise problem
            try:
                yield response
            except (requests.RequestException, HTTPError, Malformed):
                raise AssociationAborted(f"{name}, or the network, ended an answer in the middle.") from None


class _ServerError(PeerUnavailable):
    """The service failed at what it was asked for."""


def _problem(name: str, method: str, status: int) -> AirlockError | None:
    # Not found is an answer to who asks for something; to who stores, the URL is wrong.
    if 200 <= status < 300 or (method, status) in (("GET", HTTPStatus.NOT_FOUND), ("POST", HTTPStatus.CONFLICT)):
        return None
    if status in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS) or status >= 500:
        kind = _ServerError if status == HTTPStatus.INTERNAL_SERVER_ERROR else PeerUnavailable
        return kind(f"{name} cannot do it now (HTTP status {status}).")
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return AssociationRejected(
            f"{name} takes smaller requests only (HTTP status {status}). Have it take larger ones, or set "
            "destination.batch of the project lower."
        )
    return AssociationRejected(
        f"{name} refuses us with HTTP status {status}. Check the URL, user, password or token of the connection, and "
        "what the service lets us do."
    )


def _paths(retrieval: Retrieval) -> Iterator[str]:
    path = f"/studies/{retrieval.study_uid}"
    if retrieval.series_uid:
        path += f"/series/{retrieval.series_uid}"
    if not retrieval.sop_uids:
        yield path
    yield from (f"{path}/instances/{sop_uid}" for sop_uid in retrieval.sop_uids)


def _land(part: Iterator[bytes], folder: Path, study_uid: str, name_of: Callable[[str], str], room: Room) -> str | None:
    """Write a part into the folder under its name; return its SOPInstanceUID, None when it is not one of the study."""
    landing = folder / f".{secrets.token_hex(8)}.part"
    try:
        with landing.open("wb") as stream:
            for piece in part:
                if room.full:
                    raise OSError(errno.ENOSPC, "too little room would be left")
                stream.write(piece)
        header = read_header(landing)
        sop_uid = header["sop_instance_uid"]
        if not sop_uid or header["study_instance_uid"] != study_uid:
            return None
        target = folder / f"{name_of(sop_uid)}.dcm"
        if not target.exists():
            landing.replace(target)
        return sop_uid
    except UnreadableInstance:
        return None
    finally:
        landing.unlink(missing_ok=True)


def _matches(keys: StudyKeys, answer: dict[str, Any]) -> bool:
    tags = {"StudyInstanceUID": _STUDY, "AccessionNumber": "00080050", "PatientID": "00100020"}
    return keys.agree({name: text_of(answer, tag) for name, tag in tags.items()})
