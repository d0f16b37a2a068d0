"""Peers that are Python packages: they get an environment of their own, so that they change nothing of ours."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

from bench.measure import BenchError

_FOLDER = Path("airlock-bench") / "peers"
_WALK = """
import os, sys
source, target = sys.argv[1:]
os.mkdir(target)
paths = [os.path.join(folder, name) for folder, _, names in os.walk(source) for name in names]
"""


@dataclass(frozen=True)
class PythonPeer:
    """A package, and how a folder is de-identified with it.

    :param program: what each path in `paths` is done with.
    """

    package: str
    version: str
    module: str
    program: str

    @property
    def missing(self) -> str | None:
        """How to get it, or None when it is there."""
        found = python().is_file() and any(python().parent.parent.glob(f"lib/python*/site-packages/{self.module}"))
        return None if found else f"{self.package} not installed: python -m bench deidentify --install-peers"

    def command(self, source: Path, target: Path) -> list[str]:
        """Return the command that de-identifies a folder into another, which it makes."""
        return [str(python()), "-c", _WALK + self.program, str(source), str(target)]


KITWARE = PythonPeer(
    "dicom-anonymizer",
    "2.1.0",
    "dicomanonymizer",
    """
from dicomanonymizer import anonymize_dicom_file
for number, path in enumerate(paths):
    anonymize_dicom_file(path, os.path.join(target, f"{number}.dcm"))
""",
)
DICOGNITO = PythonPeer(
    "dicognito",
    "0.19.0",
    "dicognito",
    """
import pydicom
from dicognito.anonymizer import Anonymizer
anonymizer = Anonymizer()
for number, path in enumerate(paths):
    dataset = pydicom.dcmread(path)
    anonymizer.anonymize(dataset)
    dataset.save_as(os.path.join(target, f"{number}.dcm"))
""",
)
PYTHON_PEERS = (KITWARE, DICOGNITO)


def python() -> Path:
    """Return the interpreter of the peers' environment, below the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / _FOLDER / "bin" / "python"


def install() -> None:
    """Make the environment and install the peers into it.

    :raises BenchError: when that fails.
    """
    folder = python().parent.parent
    venv.create(folder, with_pip=True, clear=True)
    wanted = [f"{peer.package}=={peer.version}" for peer in PYTHON_PEERS]
    command = [str(python()), "-m", "pip", "install", "--quiet", *wanted]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False)
    if done.returncode:
        raise BenchError("The peers could not be installed; what pip said is above")
