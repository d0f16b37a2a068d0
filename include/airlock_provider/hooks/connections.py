"""Airflow connections, with an error that says what to do when one is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from airlock.errors import PolicyError

if TYPE_CHECKING:
    from airflow.sdk import Connection


def get_connection(connection_id: str, kind: str) -> Connection:
    """Return a connection.

    :param kind: its type as the connection form names it.
    :raises PolicyError: when there is none of that id.
    """
    try:
        return BaseHook.get_connection(connection_id)
    except AirflowNotFoundException:
        raise PolicyError(
            f"Airflow has no connection {connection_id!r}. Make it under Admin, Connections (type {kind}), or correct "
            "the project's policy; then clear this task."
        ) from None
