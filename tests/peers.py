"""Programs that tests need on the machine."""

from __future__ import annotations

import os
import shutil

import pytest


def require(*programs: str) -> None:
    """Skip the test when a program is missing; fail it when CI=true."""
    missing = [program for program in programs if shutil.which(program) is None]
    if not missing:
        return
    message = f"not on this machine: {', '.join(missing)}"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(message)
    pytest.skip(message)
