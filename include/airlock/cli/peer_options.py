"""Options that name a DICOM peer, shared by the commands that talk to one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import click

from airlock.dicomio.peer import Peer

_PEM = click.Path(exists=True, dir_okay=False)
_OPTIONS = (
    click.option("--connection", metavar="ID", help="Take the peer from AIRFLOW_CONN_<ID>; other options override it."),
    click.option("--host", help="Name or address of the peer."),
    click.option("--port", type=click.IntRange(1, 65535), help="TCP port of the peer."),
    click.option("--called-aet", help="AE title of the peer."),
    click.option("--calling-aet", help="Our AE title."),
    click.option("--tls/--no-tls", default=None, help="Encrypt, and check the peer's certificate."),
    click.option("--ca-file", type=_PEM, help="PEM file of the authority that issues the peer's certificate."),
    click.option("--cert-file", type=_PEM, help="PEM file of our certificate."),
    click.option("--key-file", type=_PEM, help="PEM file of its key, without a password."),
    click.option("--timeout", type=click.FloatRange(min=0, min_open=True), help="Seconds to wait for an answer."),
)


def peer_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def peer_from(options: dict[str, Any]) -> Peer:
    """Make the peer of the options' values.

    :raises click.UsageError: when neither a connection nor host and port are given.
    :raises PolicyError: when a value is not valid.
    """
    values = {name: value for name, value in options.items() if value is not None}
    connection = values.pop("connection", None)
    timeout = values.pop("timeout", None)
    if timeout is not None:
        values |= {"acse_timeout": timeout, "dimse_timeout": timeout, "network_timeout": timeout}
    if connection is not None:
        return replace(Peer.from_environment(connection), **values)
    if "host" not in values or "port" not in values:
        raise click.UsageError("Name the peer with --connection, or with --host and --port.")
    return Peer(**values)
