"""The deployment key from an Airflow connection, and so from any secrets backend that Airflow has."""

from __future__ import annotations

from airlock.errors import PolicyError
from airlock.identity.keys import read_connections_with


def read_key(connection_id: str) -> str:
    """Return the password of a connection: generations of the key, as `AIRLOCK_KEY` would hold them.

    :raises PolicyError: when Airflow has no such connection, or it has no password.
    """
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        password = BaseHook.get_connection(connection_id).password
    except AirflowNotFoundException:
        raise PolicyError(
            f"Airflow has no connection {connection_id!r}, which AIRLOCK_KEY_CONNECTION names. Make it (type generic), "
            "with the deployment key as its password; then clear this task."
        ) from None
    if not password:
        raise PolicyError(
            f"The Airflow connection {connection_id!r} has no password. Put the deployment key there, each generation "
            "64 hexadecimal digits, separated by commas."
        )
    return str(password)


def install() -> None:
    """Have the key read from the connection that `AIRLOCK_KEY_CONNECTION` names, when it is needed first."""
    read_connections_with(read_key)
