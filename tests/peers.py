"""Programs that tests need on the machine."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest


def require(*programs: str) -> None:
    """Skip the test when a program is missing; fail it when CI=true."""
    _need([program for program in programs if shutil.which(program) is None])


def require_file(*files: Path) -> None:
    """Skip the test when a file that a package of the machine brings is missing; fail it when CI=true."""
    _need([str(file) for file in files if not file.exists()])


def _need(missing: list[str]) -> None:
    if not missing:
        return
    message = f"not on this machine: {', '.join(missing)}"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(message)
    pytest.skip(message)
