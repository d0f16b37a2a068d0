"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Debian puts servers where an ordinary user's PATH doesn't look.
_SERVERS = ["/usr/sbin", "/usr/local/sbin", *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]
os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", ""), *_SERVERS])

# What needs a whole installation, or the one Docker engine, runs in one process, one after the other, from the start.
_TOGETHER = ("e2e/", "component/pixels/test_container.py")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the processes of a parallel run share the tests file by file, so that no fixture of a file is made twice."""
    groups = {item: _group_of(item) for item in items}
    for item, group in groups.items():
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: groups[item] != "installation")


def _group_of(item: pytest.Item) -> str:
    file = item.path.relative_to(Path(__file__).parent).as_posix()
    return "installation" if file.startswith(_TOGETHER) else file
