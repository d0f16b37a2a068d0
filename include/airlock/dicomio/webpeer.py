"""WebPeer: a DICOMweb service that Airlock talks to, and where it is configured."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from airlock.errors import PolicyError


@dataclass(frozen=True)
class WebPeer:
    """Address of a DICOMweb service, and how we identify ourselves. Its repr shows neither password nor token.

    :param url: root of the service, such as `https://pacs.example.org/dicom-web`.
    :param user: for basic authentication, with `password`.
    :param token: for bearer authentication.
    :param verify_tls: whether its certificate is checked.
    :param ca_file: PEM file of the authority that issues its certificate; empty: those that are trusted in general.
    :param timeout: seconds to connect, and to wait for the next sign of life.
    """

    url: str
    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    verify_tls: bool = True
    timeout: float = 60
    ca_file: str = ""

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            valid = False
        if not valid or parts.username or parts.query or parts.fragment:
            raise PolicyError(
                "A DICOMweb service needs a URL as https://host/path, without user name, query or fragment."
            )
        if not self.timeout > 0:
            raise PolicyError("timeout of a DICOMweb service is a number of seconds above 0.")

    @property
    def name(self) -> str:
        """How errors name the service: its address."""
        return self.url

    @classmethod
    def from_parts(cls, host: str | None, login: str | None, password: str | None, extra: Mapping[str, Any]) -> WebPeer:
        """Make a service of what a connection form holds.

        :param host: the URL.
        :param extra: `token`, `verify_tls`, `ca_file` and `timeout`, as text, number or truth value.
        :raises PolicyError: when something is missing or not valid.
        """
        try:
            timeout = float(extra.get("timeout") or cls.timeout)
        except (TypeError, ValueError):
            raise PolicyError("timeout of a DICOMweb service is a number of seconds.") from None
        # Only a plain "no" switches the check off; whatever else is there leaves it on.
        verify = str(extra.get("verify_tls", "")).strip().lower() not in ("false", "0", "no")
        token, ca_file = str(extra.get("token") or ""), str(extra.get("ca_file") or "")
        return cls((host or "").rstrip("/"), login or "", password or "", token, verify, timeout, ca_file)

    @classmethod
    def from_environment(cls, connection_id: str) -> WebPeer:
        """Read the connection that Airflow would find in `AIRFLOW_CONN_<ID>`, written as a JSON object.

        :raises PolicyError: when the variable is missing or not valid. The message doesn't repeat it.
        """
        variable = f"AIRFLOW_CONN_{connection_id.upper()}"
        try:
            document = json.loads(os.environ[variable])
            extra = document.get("extra") or {}
            extra = json.loads(extra) if isinstance(extra, str) else extra
            return cls.from_parts(document.get("host"), document.get("login"), document.get("password"), extra)
        except (KeyError, ValueError, TypeError, AttributeError):
            raise PolicyError(
                f"{variable} describes no DICOMweb service. Set it to a JSON object with conn_type dicomweb, host (the "
                "URL), and login, password or extra as needed."
            ) from None
