"""Measures where nobody else can call: Orthanc listens on every address there is, so only the loopback one is to be."""

from __future__ import annotations

import os
import sys

from demo.enclosed import can_enclose, raise_loopback, unshare

_INSIDE = "BENCH_ENCLOSED"


def enclose(*done: str) -> None:
    """Start this program again in a network namespace of its own, where that is possible.

    :param done: options that need not be followed again.
    """
    if os.environ.get(_INSIDE):
        raise_loopback()
    elif can_enclose():
        command = [*unshare(), sys.executable, "-m", "bench", *(word for word in sys.argv[1:] if word not in done)]
        os.execvpe(command[0], command, {**os.environ, _INSIDE: "1"})


def outside() -> str | None:
    """Return why a server that listens everywhere is not started, or None when this program is enclosed."""
    if os.environ.get(_INSIDE):
        return None
    return "it would listen on all addresses, and this user may make no network namespace (unshare)"
