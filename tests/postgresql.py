"""A PostgreSQL server that is made for the tests of a module."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from airlock.database import connect
from demo.services import free_port
from tests import peers

DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


def _run(*command):
    """Run a program of the server's, as another user when this one is root, which PostgreSQL refuses."""
    prefix = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    subprocess.run([*prefix, *command], check=True, cwd="/", stdout=subprocess.DEVNULL, timeout=60)


@pytest.fixture(scope="module")
def server(debian_path):
    peers.require("initdb", "pg_ctl", *(["runuser"] if os.geteuid() == 0 else []))
    # Not below pytest's folder, which only its owner may enter; and short, as a socket's path has 107 bytes at most.
    root = Path(tempfile.mkdtemp(prefix="airlock-pg-"))
    if os.geteuid() == 0:
        shutil.chown(root, "postgres")
    port = free_port()
    data = root / "data"
    options = f"-c listen_addresses=127.0.0.1 -p {port} -k {root} -c fsync=off"
    try:
        _run("initdb", "-D", data, "-A", "trust", "-U", "airlock", "-N")
        _run("pg_ctl", "-D", data, "-w", "-l", root / "log", "-o", options, "start")
        try:
            yield f"postgresql+psycopg://airlock@127.0.0.1:{port}"
        finally:
            _run("pg_ctl", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="module")
def debian_path():
    """Debian keeps the server's programs out of the PATH."""
    with pytest.MonkeyPatch.context() as patch:
        if DEBIAN:
            patch.setenv("PATH", str(DEBIAN[-1]), prepend=os.pathsep)
        yield


@contextmanager
def database(server: str, prefix: str, template: str = "template0") -> Iterator[str]:
    """Yield the URL of a new database.

    :param template: database that it is a copy of; nobody may be connected to it.
    """
    name = f"{prefix}_{secrets.token_hex(6)}"
    admin = create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    admin.dispose()
    url = f"{server}/{name}"
    yield url
    connect(url).dispose()
