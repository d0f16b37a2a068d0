"""The README tells the truth: what it names is there, in a fresh clone too."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from airlock.cli import airlock
from tests import peers

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
MADE_LATER = "var/"
TARGETS = ("help", "setup", "demo", "test", "up", "down", "lint", "lock", "bench")


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    peers.require("make")
    return subprocess.run(["make", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)


def test_help_lists_the_targets():
    done = make("help")
    assert done.returncode == 0, done.stderr
    listed = dict(re.findall(r"^  make (\S+)\s+(\S.*)$", done.stdout, re.MULTILINE))
    assert listed.keys() >= set(TARGETS)
    assert make().stdout == done.stdout, "make alone gives the help"


@pytest.mark.parametrize("target", sorted({*TARGETS, *re.findall(r"(?:`|^    )make ([a-z]+)\b", README, re.MULTILINE)}))
def test_targets_can_be_made(target):
    # Shows the commands only. A file or folder of the same name would hide a target that is not phony.
    done = make("--dry-run", target)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip(), f"make {target} does nothing"
    assert "up to date" not in done.stdout


def test_folders_and_pages_are_there():
    folders = {path for path in re.findall(r"`([\w./-]+/)`", README) if path != MADE_LATER}
    pages = {link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link}
    assert len(folders) > 5
    assert len(pages) > 3
    assert [path for path in sorted(folders | pages) if not (ROOT / path).exists()] == []


def test_commands_are_there():
    (section,) = re.findall(r"## The command line\n(.+?)\n## ", README, re.DOTALL)
    named = {
        name for row in re.findall(r"^\| (`\w+`.*?) \|", section, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    }
    assert named == set(airlock.list_commands(None))
