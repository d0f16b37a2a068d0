"""Programs that component tests talk to."""

import os
import shutil

import pytest


def require(*programs: str) -> None:
    """Skip the test when a program is missing; fail it when CI=true, where all of them must be there."""
    missing = [program for program in programs if shutil.which(program) is None]
    if not missing:
        return
    reason = f"needs {', '.join(missing)} on the machine"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
