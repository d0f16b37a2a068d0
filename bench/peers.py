"""The programs Airlock is measured against, and how to get them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Peer:
    """A program.

    :param package: Debian package that has it.
    """

    program: str
    package: str
    version_option: str = "--version"

    @property
    def path(self) -> str | None:
        """Where it is installed, or None.

        Not in our own environment: pynetdicom and python-gdcm bring Python programs of the same names.
        """
        own = Path(sys.executable).parent
        # Debian puts servers where an ordinary user's PATH doesn't look.
        folders = [folder for folder in [*os.get_exec_path(), "/usr/sbin"] if Path(folder) != own]
        return shutil.which(self.program, path=os.pathsep.join(folders))

    @property
    def version(self) -> str | None:
        """Its name and version, or None where it is not installed."""
        if self.path is None:
            return None
        result = subprocess.run(
            [self.path, self.version_option], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        found = re.search(r"\bv?(\d+\.\d+(\.\d+)*\w*)", result.stdout + result.stderr)
        return f"{self.program} {found[1] if found else '(unknown version)'}"

    def command(self, *arguments: str | Path) -> list[str]:
        """Return the command that runs it; only for a peer that :func:`missing` doesn't name."""
        return [self.path or self.program, *map(str, arguments)]


COPY = Peer("cp", "coreutils")
GDCMANON = Peer("gdcmanon", "libgdcm-tools")
OPENSSL = Peer("openssl", "openssl", "version")
STORESCU = Peer("storescu", "dcmtk")
STORESCP = Peer("storescp", "dcmtk")
MOVESCU = Peer("movescu", "dcmtk")
ORTHANC = Peer("Orthanc", "orthanc")

ALL = (COPY, GDCMANON, OPENSSL, STORESCU, STORESCP, ORTHANC)


def missing(*peers: Peer) -> str | None:
    """Return what is not installed and how to get it, or None when everything is there."""
    absent = [peer for peer in peers if peer.path is None]
    if not absent:
        return None
    programs = ", ".join(peer.program for peer in absent)
    return f"{programs} not installed: apt-get install {' '.join(sorted({peer.package for peer in absent}))}"
