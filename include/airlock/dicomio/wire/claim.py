"""What a pull and the receiving service say to each other: one JSON object per line, over a Unix-domain socket.

| Who | Says | Meaning |
| --- | --- | --- |
| pull | `{"claim": 1, "aet": ..., "studies": [...], ...}` | it asked for these studies; first, and once |
| service | `{"welcome": 4711, "sync": true}` | it gets what comes of them; the Message ID of its C-MOVE is to be 4711 |
| service | `{"refused": "..."}` | why not; then the connection ends |
| service | `{"busy": true}` | it has as many claims as it takes; then the connection ends |
| service | `{"offer": 5, "file": "3/.1-2.part", ...}` | an instance is whole |
| pull | `{"offer": 5, "status": 0}` | what the PACS is to be answered |
| service | `{"coming": true}` | an instance is under way: a sign of life |

The claim holds as long as the connection does, so nothing has to be taken back after a process was killed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from airlock.dicomio.wire.sink import Incoming, is_uid

VERSION = 1
MOST_LINE_BYTES = 4096
_MOST_STUDIES = 16
_MOST_TITLE = 16
_MOST_PATH_BYTES = 100  # sun_path has 108


class NotUnderstood(Exception):
    """A line is not what the protocol has at this place. The text has nothing of it."""


@dataclass(frozen=True, repr=False)
class Claim:
    """What a pull asked for. Its repr shows no UID.

    :param aet: AE title that it has things sent to.
    :param asked_as: AE title that it asks with.
    :param asked: AE title of the PACS that it asks.
    :param source: this PACS, as errors name it.
    :param studies: StudyInstanceUIDs.
    :param reports: it waits for a report of storage commitment.
    :param caller: calling AE title that what it asked for must come with; None: any.
    :param tls: whether it must come encrypted.
    """

    aet: str
    asked_as: str
    asked: str
    source: str
    studies: frozenset[str] = frozenset()
    reports: bool = False
    caller: str | None = None
    tls: bool = False

    def line(self) -> bytes:
        """Return what says it."""
        return line(
            {
                "claim": VERSION,
                "aet": self.aet,
                "asked_as": self.asked_as,
                "asked": self.asked,
                "source": self.source,
                "studies": sorted(self.studies),
                "reports": self.reports,
                "caller": self.caller,
                "tls": self.tls,
            }
        )

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Claim:
        """Read one.

        :raises NotUnderstood: when it is none, or asks for nothing.
        """
        studies, caller = said.get("studies"), said.get("caller")
        titles = [said.get("aet"), said.get("asked_as"), said.get("asked"), *([] if caller is None else [caller])]
        valid = (
            said.get("claim") == VERSION
            and all(isinstance(title, str) and 0 < len(title) <= _MOST_TITLE for title in titles)
            and isinstance(said.get("source"), str)
            and isinstance(studies, list)
            and len(studies) <= _MOST_STUDIES
            and all(isinstance(uid, str) and is_uid(uid) for uid in studies)
            and all(isinstance(said.get(name), bool) for name in ("reports", "tls"))
            and bool(studies) != said["reports"]
        )
        if not valid:
            raise NotUnderstood("a claim is not valid")
        return cls(
            titles[0],
            titles[1],
            titles[2],
            said["source"],
            frozenset(said["studies"]),
            said["reports"],
            caller,
            said["tls"],
        )


@dataclass(frozen=True, repr=False)
class Offer:
    """An instance that is whole. Its repr shows no UID.

    :param file: where it is, below the folder of what is coming.
    :param offset: where its dataset begins.
    """

    number: int
    file: str
    offset: int
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str

    def line(self) -> bytes:
        """Return what says it."""
        return line(
            {
                "offer": self.number,
                "file": self.file,
                "offset": self.offset,
                "class": self.sop_class_uid,
                "instance": self.sop_instance_uid,
                "syntax": self.transfer_syntax_uid,
            }
        )

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Offer:
        """Read one.

        :raises NotUnderstood: when it is none, or leads out of the folder.
        """
        numbers = [said.get("offer"), said.get("offset")]
        uids = [said.get(name) for name in ("class", "instance", "syntax")]
        file = said.get("file")
        if not all(type(number) is int and number >= 0 for number in numbers) or not isinstance(file, str):
            raise NotUnderstood("an offer is not valid")
        parts = PurePosixPath(file).parts
        if len(parts) != 2 or ".." in parts or not all(isinstance(uid, str) and is_uid(uid) for uid in uids):
            raise NotUnderstood("an offer is not valid")
        return cls(numbers[0], file, numbers[1], *uids)  # type: ignore[arg-type] # checked above, all at once

    @property
    def incoming(self) -> Incoming:
        """What the file meta information says."""
        return Incoming(self.sop_class_uid, self.sop_instance_uid, self.transfer_syntax_uid)


def line(said: Mapping[str, Any]) -> bytes:
    """Return a line."""
    return json.dumps(said, separators=(",", ":")).encode() + b"\n"


def said_in(data: bytes) -> dict[str, Any]:
    """Read a line.

    :raises NotUnderstood: when it is no JSON object.
    """
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        raise NotUnderstood("a line is no JSON") from None
    if not isinstance(said, dict):
        raise NotUnderstood("a line is no object")
    return said


class Lines:
    """Takes what comes of a stream apart into lines, in bounded memory."""

    def __init__(self) -> None:
        self._rest = b""

    def add(self, data: bytes) -> Iterator[bytes]:
        """Yield the lines that are whole now.

        :raises NotUnderstood: when one is longer than any may be.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        if max(map(len, (*lines, self._rest))) > MOST_LINE_BYTES:
            raise NotUnderstood("a line is too long")
        yield from lines


def socket_path(folder: Path, port: int) -> Path:
    """Return where the service of a port is spoken to.

    :param folder: `<AIRLOCK_HOME>/scp`.
    """
    return folder / f"{port}.sock"


def coming_folder(folder: Path, port: int) -> Path:
    """Return where the service of a port keeps what is not whole yet, a folder per association."""
    return folder / f"{port}.coming"


@contextmanager
def address(path: Path) -> Iterator[str]:
    """Yield a name by which a socket of any path can be bound or connected to; the system allows 107 bytes.

    :raises OSError: when its folder is not there.
    """
    plain = str(path)
    if len(os.fsencode(plain)) <= _MOST_PATH_BYTES:
        yield plain
        return
    descriptor = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{path.name}"
    finally:
        os.close(descriptor)
