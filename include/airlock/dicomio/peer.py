"""Peer: a DICOM application entity that Airlock talks to, and where it is configured."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields

from airlock.errors import PolicyError

TYPE_CHECKING = False  # what typing has of that name; its import takes longer than to send an image
if TYPE_CHECKING:
    from typing import Any

ANY_AET = "ANY-SCP"
ENGINES = ("wire", "pynetdicom")
MOST_ASSOCIATIONS = 8
# AE, PS3.5 section 6.2: 16 characters of the default repertoire, no backslash, no control characters, not only spaces.
_AET = re.compile(r"(?=.*[!-~])[ -\[\]-~]{1,16}")


@dataclass(frozen=True)
class Peer:
    """Address, AE titles and patience for one peer.

    :param host: name or address of the peer.
    :param port: its TCP port.
    :param called_aet: its AE title.
    :param calling_aet: ours.
    :param move_aet: C-MOVE destination, which the peer must know to be ours (AE title, host, `move_port`).
    :param move_port: port where Airlock listens while it pulls with C-MOVE.
    :param move_host: address that this port is bound to; `0.0.0.0` when the peer is another machine.
    :param move_caller: AE title that the peer's own C-STORE comes with. None: any, as the study that was asked for
        is the only one that is accepted.
    :param move_tls: whether that port takes encrypted associations only: with `cert_file` as our certificate, and, with
        `ca_file`, only from callers that show one of that authority.
    :param acse_timeout: seconds to connect, and to wait for an answer to an association request.
    :param dimse_timeout: seconds to wait for an answer to a request, or for the next sign of life.
    :param network_timeout: seconds an association may be idle.
    :param tls: whether associations are encrypted (PS3.15 annex B).
    :param ca_file: PEM file of the authority that issues the peer's certificate; None: those this machine trusts.
    :param cert_file: PEM file of our certificate, with the chain to its authority; None shows none.
    :param key_file: PEM file of its key, without a password; None: it is in `cert_file`.
    :param associations: how many send at a time.
    :param engine: what sends: `wire`, the byte path, or `pynetdicom`.
    """

    host: str
    port: int
    called_aet: str = ANY_AET
    calling_aet: str = "AIRLOCK"
    move_aet: str = "AIRLOCK"
    move_port: int = 11113
    move_host: str = "127.0.0.1"
    acse_timeout: float = 30
    dimse_timeout: float = 60
    network_timeout: float = 60
    move_caller: str | None = None
    move_tls: bool = False
    tls: bool = False
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    associations: int = 1
    engine: str = "wire"

    def __post_init__(self) -> None:
        self._check_address()
        for name in ("acse_timeout", "dimse_timeout", "network_timeout"):
            if not getattr(self, name) > 0:
                raise PolicyError(f"{name} of a DICOM peer is a number of seconds above 0.")
        if not 0 < self.associations <= MOST_ASSOCIATIONS:
            raise PolicyError(f"associations of a DICOM peer is a number from 1 to {MOST_ASSOCIATIONS}.")
        if self.move_tls and not self.cert_file:
            raise PolicyError("move_tls of a DICOM peer needs cert_file: the certificate that our C-MOVE port shows.")
        if self.engine not in ENGINES:
            raise PolicyError(f"engine of a DICOM peer is one of {', '.join(ENGINES)}.")

    def _check_address(self) -> None:
        if not self.host:
            raise PolicyError("A DICOM peer needs a host.")
        for name in ("port", "move_port"):
            if not 0 < getattr(self, name) < 65536:
                raise PolicyError(f"{name} of a DICOM peer is a number from 1 to 65535.")
        for name in ("called_aet", "calling_aet", "move_aet", "move_caller"):
            title = getattr(self, name)
            if title is not None and not _AET.fullmatch(title):
                raise PolicyError(
                    f"{name} is not an AE title: 1 to 16 printable ASCII characters, no backslash, not only spaces."
                )

    @property
    def name(self) -> str:
        """How errors name the peer: `AET@host:port`."""
        return f"{self.called_aet}@{self.host}:{self.port}"

    @classmethod
    def from_parts(cls, host: str | None, port: int | None, extra: Mapping[str, Any]) -> Peer:
        """Make a peer of what a connection form holds.

        :param extra: any other field of the class by its name, as text or number; empty and unknown ones are ignored.
        :raises PolicyError: when something is missing or not valid.
        """
        given: dict[str, Any] = {"host": host or "", "port": port or 0}
        for field in fields(cls):
            value = extra.get(field.name)
            if field.name not in given and value not in (None, ""):
                given[field.name] = _convert(field.name, value)
        return cls(**given)

    @classmethod
    def from_uri(cls, text: str) -> Peer:
        """Read a connection as Airflow's environment variables hold it: a URI, or a JSON object.

        `dicom://host:11112?called_aet=PACS`, `{"conn_type": "dicom", "host": ..., "port": ..., "extra": {...}}`.
        :raises PolicyError: when it cannot be read. The message doesn't repeat it.
        """
        try:
            return cls._from_json(text) if text.lstrip().startswith("{") else cls._from_uri(text)
        except (ValueError, TypeError, AttributeError):
            raise PolicyError(
                "A DICOM connection cannot be read. Write it as dicom://host:port?called_aet=TITLE, or as a JSON "
                "object with host, port and extra."
            ) from None

    @classmethod
    def _from_json(cls, text: str) -> Peer:
        import json  # noqa: PLC0415 - only here, and below; a command that gets host and port does without

        document = json.loads(text)
        extra = document.get("extra") or {}
        extra = json.loads(extra) if isinstance(extra, str) else extra
        return cls.from_parts(document.get("host"), int(document.get("port") or 0), extra)

    @classmethod
    def _from_uri(cls, text: str) -> Peer:
        import json  # noqa: PLC0415 - as above
        from urllib.parse import parse_qsl, unquote, urlsplit  # noqa: PLC0415 - as above

        parts = urlsplit(text)
        extra: dict[str, Any] = dict(parse_qsl(parts.query))
        extra.update(json.loads(extra.pop("__extra__", "{}")))
        return cls.from_parts(unquote(parts.hostname or ""), parts.port, extra)

    @classmethod
    def from_environment(cls, connection_id: str) -> Peer:
        """Read the connection that Airflow would find in `AIRFLOW_CONN_<ID>`.

        :raises PolicyError: when the variable is missing or not valid.
        """
        variable = f"AIRFLOW_CONN_{connection_id.upper()}"
        text = os.environ.get(variable)
        if not text:
            raise PolicyError(f"{variable} is not set. Set it to dicom://host:port?called_aet=TITLE.")
        return cls.from_uri(text)


def _convert(name: str, value: Any) -> Any:
    if name in ("tls", "move_tls"):
        return _yes(name, value)
    try:
        if name.endswith("_port") or name == "associations":
            return int(value)
        return float(value) if name.endswith("_timeout") else str(value)
    except (TypeError, ValueError):
        raise PolicyError(f"{name} of a DICOM peer is a number.") from None


def _yes(name: str, value: Any) -> bool:
    # A word that is not understood must not switch encryption off.
    words = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    answer = words.get(str(value).strip().lower())
    if answer is None:
        raise PolicyError(f"{name} of a DICOM peer is true or false.")
    return answer
