"""The documentation names what is there."""

from __future__ import annotations

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
    named = re.findall(r"`((?:unit|component|dags|e2e)/[\w/]+\.py)`", (ROOT / "docs" / "fiona.md").read_text("utf-8"))
    assert len(named) >= 26
    assert [name for name in named if not (ROOT / "tests" / name).is_file()] == []
