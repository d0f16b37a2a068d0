"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# How long an example takes says something about the machine, not about the program.
settings.register_profile("airlock", deadline=None)
settings.load_profile("airlock")

# Debian puts servers where an ordinary user's PATH doesn't look.
_SERVERS = ["/usr/sbin", "/usr/local/sbin", *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]
os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", ""), *_SERVERS])

# What needs a whole installation, or the one Docker engine, runs in one process, one after the other, from the start.
_TOGETHER = ("e2e/", "component/pixels/test_container.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    items.sort(key=lambda item: _group_of(item.nodeid) != "installation")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Let the processes of a parallel run share the tests file by file, so that no fixture of a file is made twice."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _group_of(nodeid)

    return ByFile(config, log)


def _group_of(nodeid: str) -> str:
    file = nodeid.split("::", maxsplit=1)[0].removeprefix("tests/")
    return "installation" if file.startswith(_TOGETHER) else file
