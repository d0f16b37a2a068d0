"""Every program on the machine that reads DICOM, asked whether it reads a file, and what it finds wrong with it."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from functools import lru_cache
from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError

from airlock.dicomio.quiet import quiet

PROGRAMS = ("dcmdump", "gdcminfo", "gdcmdump", "dcdump", "dciodvfy")
"""Programs of DCMTK, GDCM and dicom3tools."""
_COMMANDS = {
    "dcmdump": ("dcmdump", "-q", "+E"),
    "gdcmdump": ("gdcmdump",),
    "gdcminfo": ("gdcminfo",),
    "dcdump": ("dcdump",),
}
_VALUE = re.compile(r"<[^>]*\d[^>]*>|\d+(\.\d+){2,}|(?<=UID )0")


def run(*arguments: str | Path) -> tuple[int, str]:
    """Run a program; return its status and all that it said."""
    done = subprocess.run([str(each) for each in arguments], capture_output=True, check=False, timeout=60)
    return done.returncode, (done.stdout + done.stderr).decode("latin-1")


@lru_cache(maxsize=4096)
def errors(path: Path) -> Counter[str]:
    """Return the errors that dciodvfy finds, without values, and how often."""
    lines = run("dciodvfy", path)[1].splitlines()
    return Counter(_VALUE.sub("<>", line) for line in lines if line.startswith("Error"))


@lru_cache(maxsize=4096)
def unread(path: Path) -> frozenset[str]:
    """Return the readers that fail on a file, or find its encoding wrong."""
    found = set()
    for name, command in _COMMANDS.items():
        # What it shows may be much, and doesn't matter: what it complains of goes to the other stream.
        done = subprocess.run(
            [*command, str(path)], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60
        )
        if done.returncode or (name == "dcdump" and b"Error" in done.stderr):
            found.add(name)
    return frozenset(found | _by_pydicom(path))


def _by_pydicom(path: Path) -> set[str]:
    try:
        with quiet():
            ds = pydicom.dcmread(path, force=False)
            # Reads every value, at every level.
            ds.walk(lambda _level, _element: None)
    except (InvalidDicomError, ValueError, OSError, KeyError, AttributeError, NotImplementedError):
        return {"pydicom"}
    return set()


def study_problems(paths: list[Path]) -> frozenset[str]:
    """Return what dcentvfy finds between the instances of a study, without values."""
    lines = run("dcentvfy", *paths)[1].splitlines()
    return frozenset(_VALUE.sub("<>", line) for line in lines if line.strip())
