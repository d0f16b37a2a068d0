"""RedcapClient: the few calls of REDCap's API that Airlock makes, each with its answer checked.

REDCap takes one POST of form data per call. What comes back is believed only when it has the promised shape: servers
and proxies answer 200 with an HTML page, with half a document, or with `{"count": 0}`.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests

from airlock.errors import AirlockError, PeerUnavailable, StatusRefused

Row = dict[str, Any]
Check = Callable[[str], Any]

RETRY_STATUSES = frozenset({408, 425, 429})
LONGEST_PAUSE_SECONDS = 10.0
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

ADVICE = {
    400: "Compare the field names of the project's policy (redcap.fields) with REDCap's data dictionary.",
    401: "Check the API token of the connection, and that its user may use the API.",
    403: "Check the API token of the connection, and that its user has the API export and import rights.",
    404: "Check the API URL of the connection; it ends with /api/.",
}


@dataclass(frozen=True)
class _Answer:
    """What one POST came to: a value, or a problem and whether another try may help."""

    value: Any = None
    problem: str = ""
    retry: bool = True
    pause_seconds: float = 0.0


@dataclass
class RedcapClient:
    """One REDCap project.

    A call that may succeed later is tried again a few times within the call, with growing pauses. Every import of
    Airlock's may be repeated, so a timeout after REDCap has stored the rows does no harm.

    :param url: API URL, ends with `/api/`. Plain http is accepted for this machine only, or without `verify_tls`.
    :param token: API token of the project. It is never shown.
    :param verify_tls: whether the server's certificate is checked.
    :param timeout_seconds: to connect, and between two parts of the answer.
    :param attempts: how often a call is tried.
    :param pause_seconds: before the second try; doubles with each further one.
    """

    url: str
    token: str = field(repr=False)
    verify_tls: bool = True
    timeout_seconds: float = 30.0
    attempts: int = 4
    pause_seconds: float = 0.5

    def __post_init__(self) -> None:
        """Refuse an address over which the token would travel in the clear.

        :raises StatusRefused: when the address or the token cannot be used.
        """
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise StatusRefused("The REDCap connection has no API URL. Set its host to https://<server>/api/.")
        if parts.scheme == "http" and self.verify_tls and parts.hostname not in LOOPBACK:
            raise StatusRefused(
                "The REDCap connection would send its token unencrypted. Use an https URL; in a closed test network, "
                "switch the check of the certificate off."
            )
        if not self.token.strip():
            raise StatusRefused("The REDCap connection has no API token. Put it in the connection's password.")

    def export_records(
        self, records: Sequence[str] = (), fields: Sequence[str] = (), forms: Sequence[str] = ()
    ) -> list[Row]:
        """Return records as flat rows of raw values.

        :param records: record ids; all when empty.
        :param fields: field names; all when neither fields nor forms are given.
        :param forms: instrument names.
        """
        form = {"content": "record", "format": "json", "type": "flat", "rawOrLabel": "raw"}
        for name, values in (("records", records), ("fields", fields), ("forms", forms)):
            form |= {f"{name}[{index}]": value for index, value in enumerate(values)}
        rows: list[Row] = self._call(form, _rows)
        return rows

    def import_records(self, rows: Sequence[Mapping[str, Any]], *, clear_blanks: bool = True) -> int:
        """Write rows; return how many REDCap says it took.

        Rows are identified by their first key, REDCap's record id field.

        :param clear_blanks: an empty value clears the field (REDCap's `overwrite`), instead of being ignored.
        """
        if not rows:
            return 0
        form = {
            "content": "record",
            "format": "json",
            "type": "flat",
            "overwriteBehavior": "overwrite" if clear_blanks else "normal",
            "forceAutoNumber": "false",
            "data": json.dumps(list(rows)),
            "returnContent": "count",
        }
        # REDCap counts records, and repeat instances of one record are several rows.
        counts = {len(rows), len({next(iter(row.values())) for row in rows})}
        names = sorted({name for row in rows for name in row})
        count: int = self._call(form, lambda text: _count(text, counts), f" Fields written: {', '.join(names)}.")
        return count

    def metadata(self, forms: Sequence[str] = ()) -> list[Row]:
        """Return the data dictionary, one row per field; the first is the record id."""
        form = {"content": "metadata", "format": "json"}
        rows: list[Row] = self._call(form | {f"forms[{index}]": name for index, name in enumerate(forms)}, _rows)
        return rows

    def version(self) -> str:
        """Return REDCap's version, such as `14.5.10`."""
        version: str = self._call({"content": "version"}, _version)
        return version

    def project(self) -> Row:
        """Return REDCap's description of the project (`project_id`, `project_title`, ...)."""
        row: Row = self._call({"content": "project", "format": "json"}, _object)
        return row

    def _call(self, form: dict[str, str], check: Check, about: str = "") -> Any:
        """Post a form until the answer passes the check.

        :raises PeerUnavailable: when it did not, in all attempts.
        :raises StatusRefused: when another try cannot help.
        """
        answer = _Answer()
        for attempt in range(self.attempts):
            if attempt:
                time.sleep(self._pause(attempt, answer.pause_seconds))
            answer = self._post(form, check)
            if not answer.problem:
                return answer.value
            if not answer.retry:
                raise StatusRefused(f"REDCap: {answer.problem}{about}")
        raise PeerUnavailable(
            f"REDCap: {answer.problem} ({form['content']}, {self.attempts} attempts). It is tried again later; "
            "if this goes on, look at the REDCap server and the proxy before it."
        )

    def _pause(self, attempt: int, asked_seconds: float) -> float:
        growing = self.pause_seconds * 2.0 ** (attempt - 1) * random.uniform(0.75, 1.25)  # noqa: S311 - not a secret
        return min(max(growing, asked_seconds), LONGEST_PAUSE_SECONDS)

    def _post(self, form: dict[str, str], check: Check) -> _Answer:
        """Post once. It never raises: an exception of the HTTP library could carry the token or the rows."""
        try:
            response = requests.post(
                self.url,
                data={"token": self.token, "returnFormat": "json"} | form,
                timeout=self.timeout_seconds,
                verify=None if self.verify_tls else False,
                # A redirected POST arrives as a GET without its form.
                allow_redirects=False,
            )
        except requests.exceptions.SSLError as error:
            untrusted = "CERTIFICATE_VERIFY_FAILED" in str(error)
            advice = " Install the certificate of its authority and name it in REQUESTS_CA_BUNDLE." if untrusted else ""
            return _Answer(problem=f"no secure connection.{advice}", retry=not untrusted)
        except requests.exceptions.Timeout:
            return _Answer(problem=f"no answer within {self.timeout_seconds:g} s")
        except requests.exceptions.ConnectionError:
            return _Answer(problem="no connection, or the connection was cut")
        except requests.exceptions.RequestException as error:
            return _Answer(problem=f"the call failed ({type(error).__name__})")
        return _judge(response, check)


def _judge(response: requests.Response, check: Check) -> _Answer:
    status = response.status_code
    if status >= 500 or status in RETRY_STATUSES:
        asked = response.headers.get("Retry-After", "")
        return _Answer(problem=f"HTTP status {status}", pause_seconds=float(asked) if asked.isdecimal() else 0.0)
    if status != 200:
        advice = ADVICE.get(status, "Check the API URL of the connection; it ends with /api/ and does not redirect.")
        # REDCap's own text is left out: it repeats the values that it refuses.
        return _Answer(problem=f"HTTP status {status}. {advice}", retry=False)
    response.encoding = "utf-8"
    try:
        return _Answer(value=check(response.text))
    except AirlockError as error:
        return _Answer(problem=str(error), retry=not isinstance(error, StatusRefused))


def _json(text: str) -> Any:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise PeerUnavailable("HTTP status 200 with something that is not JSON, perhaps an error page") from None
    if isinstance(content, dict) and "error" in content:
        raise StatusRefused("HTTP status 200 with an error in it. " + ADVICE[400])
    return content


def _rows(text: str) -> list[Row]:
    content = _json(text)
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise PeerUnavailable("HTTP status 200 without the list of rows that was asked for")
    return content


def _object(text: str) -> Row:
    content = _json(text)
    if not isinstance(content, dict):
        raise PeerUnavailable("HTTP status 200 without the object that was asked for")
    return content


def _count(text: str, expected: set[int]) -> int:
    count = _object(text).get("count")
    # Some versions write the number as text.
    if isinstance(count, bool) or not re.fullmatch(r"[0-9]{1,9}", str(count)) or int(str(count)) not in expected:
        raise PeerUnavailable("HTTP status 200, but not all rows were taken")
    return int(str(count))


def _version(text: str) -> str:
    if not re.fullmatch(r"[0-9]+(\.[0-9]+){1,3}", text.strip()):
        raise PeerUnavailable("HTTP status 200 without a version number, perhaps an error page")
    return text.strip()
