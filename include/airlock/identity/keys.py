"""The deployment key, its generations, and what is derived from it.

One secret of 32 random bytes per deployment, in a file of mode 0600 that is made on the first start. Every use has
its own key, derived with HMAC-SHA-256 (the expand step of RFC 5869), so that no pseudonym of one project says
anything about another project's. Rotating the key adds a generation; the earlier ones stay, because what was derived
with them must be derived again (docs/identity.md).
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from functools import cached_property

from airlock.errors import PolicyError
from airlock.identity.key_file import make_key_file, parse_keys, read_key_file
from airlock.identity.keyed import keyed_digest
from airlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

KEY_BYTES = 32
KEY_VARIABLE = "AIRLOCK_KEY"
CONNECTION_VARIABLE = "AIRLOCK_KEY_CONNECTION"
_provided: list[str] = []
_readers: list[Callable[[str], str]] = []


def provide_keys(text: str) -> None:
    """Use this key in this process instead of the file, as the environment variable would say it.

    For whoever keeps the key elsewhere.

    :param text: generations, oldest first, each 64 hexadecimal digits, separated by commas or blanks.
    :raises PolicyError: when it is something else.
    """
    parse_keys(text, "The key that was given")
    _provided[:] = [text]


def read_connections_with(read: Callable[[str], str]) -> None:
    """Say how the password of an Airflow connection is read in this process, for `AIRLOCK_KEY_CONNECTION`.

    :param read: takes the connection's id; called when the key is needed first.
    """
    _readers[:] = [read]


def given_keys() -> tuple[bytes, ...]:
    """Return the generations that were provided, or that the environment says; none when the file counts.

    :raises PolicyError: when a connection is to hold the key and doesn't, or cannot be read from here.
    """
    if not _provided and (connection := os.environ.get(CONNECTION_VARIABLE, "").strip()):
        provide_keys(_from_connection(connection))
    if _provided:
        return parse_keys(_provided[0], "The key that was given")
    text = os.environ.get(KEY_VARIABLE, "")
    return parse_keys(text, KEY_VARIABLE) if text.strip() else ()


def _from_connection(connection: str) -> str:
    """Return what a connection holds. Never the file in its place: that would be another key."""
    if not _readers:
        raise PolicyError(
            f"The deployment key is in the Airflow connection {connection!r} ({CONNECTION_VARIABLE}), which can be "
            f"read inside of Airflow only. Give this command the key in {KEY_VARIABLE}, and unset the other."
        )
    text = _readers[0](connection)
    parse_keys(text, f"The password of the Airflow connection {connection!r}")
    return text


def given_by() -> str:
    """Return what gave the key, for messages."""
    connection = os.environ.get(CONNECTION_VARIABLE, "").strip()
    return f"The Airflow connection {connection!r}" if connection else KEY_VARIABLE


def load_keys(path: str | Path) -> tuple[bytes, ...]:
    """Return every generation of the deployment key, oldest first, making the first one when there is none.

    :param path: file with 64 hexadecimal digits per line, readable by its owner only.
    :raises PolicyError: when the file is readable by others, holds something else, or another key than was given
        otherwise: with two keys, patients would get two identities.
    """
    given = given_keys()
    if not given:
        return read_key_file(path) or make_key_file(path)
    kept = read_key_file(path)
    if kept and kept[: len(given)] != given[: len(kept)]:
        raise PolicyError(
            f"{given_by()} and the key file {path} hold different keys. Decide which made the identities in use, and "
            "remove the other."
        )
    return given


def load_master_key(path: str | Path) -> bytes:
    """Return the first generation of the deployment key, making it on first use. Raises as :func:`load_keys`."""
    return load_keys(path)[0]


class KeyRing:
    """Derives the keys of one deployment. It never shows its key.

    :param master: the first generation, 32 bytes. It names transfers and instances for good, so that equal requests
        have equal ids whenever the key was rotated.
    :param newer: later generations, oldest first.
    """

    def __init__(self, master: bytes, newer: tuple[bytes, ...] = ()) -> None:
        self.master, self.newer = master, newer

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KeyRing) and (self.master, self.newer) == (other.master, other.newer)

    def __hash__(self) -> int:
        return hash((self.master, self.newer))

    def __repr__(self) -> str:
        return "<KeyRing>"

    @classmethod
    def load(cls, path: str | Path) -> KeyRing:
        """Read the deployment key from its file, making it on first use."""
        first, *newer = load_keys(path)
        return cls(first, tuple(newer))

    @property
    def newest(self) -> int:
        """Number of the newest generation; the first is 1."""
        return 1 + len(self.newer)

    def at(self, generation: int) -> KeyRing:
        """Return the keys of one generation alone, to derive what belongs to a patient.

        :raises PolicyError: when that generation is missing.
        """
        if not 1 <= generation <= self.newest:
            raise PolicyError(
                f"Generation {generation} of the deployment key is missing. Restore the whole key file from your "
                "backup: identities that were made with it cannot be made again without it."
            )
        return KeyRing((self.master, *self.newer)[generation - 1])

    @cached_property
    def fingerprints(self) -> tuple[str, ...]:
        """One per generation, by which a key can be recognised and not found."""
        return tuple(self.at(n).derive("fingerprint").hex() for n in range(1, self.newest + 1))

    def derive(self, purpose: str, project: str = "") -> bytes:
        """Return the 32-byte key for one purpose of one project."""
        info = b"\x00".join((b"airlock", purpose.encode(), project.encode()))
        return keyed_digest(self.master, info + b"\x01")

    def token(self, purpose: str, value: str, length: int = 16) -> str:
        """Return an opaque, repeatable name for a value: lower-case base32, 5 bits per character."""
        digest = keyed_digest(self.derive(purpose), value.encode("utf-8", "surrogateescape"))
        return base64.b32encode(digest).decode("ascii").lower()[:length]
