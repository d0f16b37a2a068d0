"""Who listens where on this machine (proc(5))."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_LISTEN = "0A"
# 127.0.0.1, ::1 and ::ffff:127.0.0.1 as /proc/net writes them on a little-endian machine.
_LOOPBACK = {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}


def ports_beyond_loopback(sessions: Iterable[int] | None = None) -> set[int]:
    """Return the TCP ports that are listened on at other addresses than loopback ones, in this network namespace.

    :param sessions: only those that belong to processes of these sessions.
    """
    found: dict[str, int] = {}
    for table in ("tcp", "tcp6"):
        with suppress(FileNotFoundError):
            for row in map(str.split, Path("/proc/net", table).read_text().splitlines()[1:]):
                address, port = row[1].split(":")
                if row[3] == _LISTEN and address not in _LOOPBACK:
                    found[row[9]] = int(port, 16)
    if sessions is None:
        return set(found.values())
    mine = _socket_inodes(set(sessions))
    return {port for inode, port in found.items() if inode in mine}


def _socket_inodes(sessions: set[int]) -> set[str]:
    inodes = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.getsid(int(process.name)) not in sessions:
                continue
            for descriptor in (process / "fd").iterdir():
                with suppress(OSError):
                    target = str(descriptor.readlink())
                    if target.startswith("socket:["):
                        inodes.add(target[8:-1])
    return inodes
