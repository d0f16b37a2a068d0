"""Describes the machine, as far as it matters for the figures."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

from bench.peers import ALL


def describe(scratch: Path) -> list[str]:
    """Return lines about processor, memory, system, programs and the file system of a folder."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    versions = [version for peer in ALL if (version := peer.version)]
    return [
        f"{_processor()}, {len(os.sched_getaffinity(0))} cores, {memory_gib:.0f} GiB",
        f"{system}, Linux {platform.release()}, Python {platform.python_version()}, files on {_file_system(scratch)}",
        ", ".join(versions),
    ]


def load() -> str:
    """Return how busy the machine was over the last minute."""
    return f"load {os.getloadavg()[0]:.1f}"


def _processor() -> str:
    found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    return f"{found[1] if found else platform.processor()} ({platform.machine()})"


def _file_system(folder: Path) -> str:
    mounts = [line.split() for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    above = [mount for mount in mounts if folder.resolve().is_relative_to(mount[1])]
    # What was mounted last lies on top.
    return max(reversed(above), key=lambda mount: len(mount[1]))[2] if above else "an unknown file system"
