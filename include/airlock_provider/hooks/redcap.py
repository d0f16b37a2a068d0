"""RedcapHook: a REDCap project as an Airflow connection."""

from __future__ import annotations

from functools import cached_property

from airflow.sdk import BaseHook

from airlock.errors import AirlockError, PolicyError
from airlock.redcap.client import RedcapClient
from airlock_provider.hooks.connections import get_connection


class RedcapHook(BaseHook):
    """Which REDCap project we write to.

    :param redcap_conn_id: Airflow connection of type `redcap`: the API URL as its host, the token as its password,
        and `verify_ssl` (on when missing) and `timeout` (seconds) in its extra fields.
    """

    conn_name_attr = "redcap_conn_id"
    default_conn_name = "redcap_default"
    conn_type = "redcap"
    hook_name = "REDCap project"

    def __init__(self, redcap_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.redcap_conn_id = redcap_conn_id

    @cached_property
    def client(self) -> RedcapClient:
        """The client of the project.

        :raises StatusRefused: when the connection has no usable URL or token.
        :raises PolicyError: when an extra field cannot be used.
        """
        connection = get_connection(self.redcap_conn_id, self.hook_name)
        extra = connection.extra_dejson
        verify = extra.get("verify_ssl")
        try:
            timeout = float(extra.get("timeout") or 30)
        except (TypeError, ValueError):
            raise PolicyError("timeout of a REDCap connection is a number of seconds.") from None
        return RedcapClient(
            url=_url(connection.host, connection.schema, connection.port),
            token=connection.password or "",
            # Only a plain "no" switches the check off; whatever else is there leaves it on.
            verify_tls=str(verify).strip().lower() not in ("false", "0", "no"),
            timeout_seconds=timeout,
        )

    def get_conn(self) -> RedcapClient:
        """Return the client."""
        return self.client

    def test_connection(self) -> tuple[bool, str]:
        """Ask REDCap for its version, and for the project that the token opens."""
        try:
            version, project = self.client.version(), self.client.project()
        except AirlockError as error:
            return False, str(error)
        return True, f"REDCap {version}, project {project.get('project_title', project.get('project_id', '?'))!r}."


def _url(host: str | None, schema: str | None, port: int | None) -> str:
    """Return the API URL of a connection: its host as typed, or put together when the connection came as a URI."""
    host = (host or "").strip()
    if not host or "://" in host:
        return host
    scheme = schema if schema in ("http", "https") else "https"
    address = f"{host}:{port}" if port else host
    return f"{scheme}://{address}" + ("" if "/" in host else "/api/")
