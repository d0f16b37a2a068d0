"""What is remembered of policies counts only for the files and the key that it was made with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airlock.cli.remembered import Memory
from airlock.deid.policy import ProjectTerms
from airlock.errors import UnknownProject
from airlock.identity.keys import KeyRing
from airlock.project import find_policy

PLAIN = "name: plain\ndeidentify:\n  options: [clean_descriptors, retain_safe_private]\n  max_shift_days: 30\n"
RULED = "name: ruled\ndeidentify:\n  rules:\n    - {tag: StudyDescription, action: keep}\n"
PRIVATE = 'name: private\ndeidentify:\n  private: {mode: keep-list, keep: ["(0029,\\"ACME\\")"]}\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "projects"
    made.mkdir()
    for text in (PLAIN, RULED, PRIVATE):
        (made / f"{text.split()[1]}.yaml").write_text(text)
    return made


def memory(folder: Path, key: bytes = b"k") -> Memory:
    return Memory(folder.parent / "cache" / "terms.json", folder, KeyRing(key * 32))


def noted(folder: Path, project: str) -> ProjectTerms:
    policy = find_policy(folder, project)
    memory(folder).note(policy)
    return policy


def test_a_plain_policy_says_the_same_when_it_is_remembered(folder: Path) -> None:
    policy = noted(folder, "plain").deidentify
    found = memory(folder).find("plain")
    assert found is not None
    assert found.name == "plain"
    assert found.deidentify.model_dump_json() == policy.model_dump_json()
    assert found.deidentify.private_mode == policy.private_mode == "safe"


@pytest.mark.parametrize("project", ["ruled", "private"])
def test_what_must_be_checked_is_not_remembered(folder: Path, project: str) -> None:
    noted(folder, project)
    assert memory(folder).find(project) is None


def test_any_change_in_the_folder_counts(folder: Path) -> None:
    noted(folder, "plain")
    (folder / "plain.yaml").write_text(PLAIN.replace("clean_descriptors, ", ""))
    assert memory(folder).find("plain") is None
    (folder / "plain.yaml").write_text(PLAIN)
    assert memory(folder).find("plain") is not None
    (folder / "from-redcap.json").write_text("{}")
    assert memory(folder).find("plain") is None


def test_nobody_loosens_it_without_the_key(folder: Path) -> None:
    noted(folder, "plain")
    file = folder.parent / "cache" / "terms.json"
    document = json.loads(file.read_text())
    document["projects"]["plain"]["options"].append("retain_uids")
    file.write_text(json.dumps(document))
    assert memory(folder).find("plain") is None
    noted(folder, "plain")
    assert memory(folder).find("plain") is not None
    assert memory(folder, b"q").find("plain") is None


@pytest.mark.parametrize(
    "content", ["", "[]", '{"projects": 1, "seals": 2}', '{"projects": {"plain": {}}, "seals": {}}']
)
def test_a_damaged_memory_is_made_anew(folder: Path, content: str) -> None:
    file = folder.parent / "cache" / "terms.json"
    file.parent.mkdir()
    file.write_text(content)
    assert memory(folder).find("plain") is None
    noted(folder, "plain")
    assert memory(folder).find("plain") is not None


def test_a_folder_that_cannot_be_read_is_left_to_who_reads_policies(tmp_path: Path) -> None:
    assert memory(tmp_path / "absent" / "projects").find("plain") is None


def test_that_there_is_no_policy_is_remembered_as_long_as_there_is_none(folder: Path) -> None:
    memory(folder).note_unknown("later")
    with pytest.raises(UnknownProject):
        memory(folder).find("later")
    assert memory(folder, key=b"x").find("later") is None
    (folder / "later.yaml").write_text(PLAIN.replace("plain", "later"))
    assert memory(folder).find("later") is None
    assert noted(folder, "later").name == "later"
    assert memory(folder).find("later") is not None
