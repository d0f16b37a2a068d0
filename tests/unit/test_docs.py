"""The documentation names what is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from airlock.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = ("doors.md", "fiona.md", "hooks.md", "states.md")
# Read where they are needed, not from the settings.
OTHERS = {"AIRLOCK_KEY"}


@pytest.mark.parametrize("page", PAGES)
def test_settings_exist(page):
    named = set(re.findall(r"\bAIRLOCK_[A-Z_]+\b", (ROOT / "docs" / page).read_text("utf-8")))
    assert named - OTHERS <= {f"AIRLOCK_{name.upper()}" for name in Settings.model_fields}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    text = (ROOT / "docs" / page).read_text("utf-8")
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []


def test_each_fault_has_its_test():
    """All 26, each with tests that are there."""
    text = (ROOT / "docs" / "fiona.md").read_text("utf-8")
    rows = [line for line in text.splitlines() if re.search(r"`[\w/]+\.py::", line)]
    assert len(rows) == 26
    named = [pair for row in rows for pair in re.findall(r"`([\w/]+\.py)::(\w+)`", row)]
    assert all("::" in row.rpartition(" | ")[2] for row in rows)
    missing = [(file, test) for file, test in named if test not in _tests(ROOT / "tests" / file)]
    assert missing == []


def _tests(file: Path) -> set[str]:
    tree = ast.parse(file.read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
