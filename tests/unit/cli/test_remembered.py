"""What is remembered of policies counts only for the files and the key that it was made with."""

from __future__ import annotations

import subprocess
import sys
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
    return Memory(folder.parent / "cache" / "terms.txt", folder, KeyRing(key * 32))


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
    file = folder.parent / "cache" / "terms.txt"
    said = file.read_text()
    file.write_text(said.replace("clean_descriptors", "clean_descriptors,retain_uids"))
    assert file.read_text() != said
    assert memory(folder).find("plain") is None
    noted(folder, "plain")
    assert memory(folder).find("plain") is not None
    assert memory(folder, b"q").find("plain") is None


@pytest.mark.parametrize("content", ["", "[]", "plain\n", "plain\tseal\tsaid\tmore\n", "plain\t\t\n", "\udc80"])
def test_a_damaged_memory_is_made_anew(folder: Path, content: str) -> None:
    file = folder.parent / "cache" / "terms.txt"
    file.parent.mkdir()
    file.write_bytes(content.encode("utf-8", "surrogateescape"))
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


def test_others_stay_when_one_is_noted(folder: Path) -> None:
    (folder / "other.yaml").write_text(PLAIN.replace("plain", "other").replace("30", "31"))
    noted(folder, "plain")
    noted(folder, "other")
    memory(folder).note_unknown("absent")
    found = [memory(folder).find(project) for project in ("plain", "other")]
    assert [one and one.deidentify.max_shift_days for one in found] == [30, 31]
    with pytest.raises(UnknownProject):
        memory(folder).find("absent")


@pytest.mark.parametrize("project", ["a\tb", "a\nb", "a\u2028b", ""])
def test_a_name_that_makes_no_line_is_not_remembered(folder: Path, project: str) -> None:
    noted(folder, "plain")
    memory(folder).note_unknown(project)
    assert memory(folder).find("plain") is not None
    if project:
        assert memory(folder).find(project) is None


def test_sealed_terms_of_another_kind_do_not_count(folder: Path) -> None:
    noted(folder, "plain")
    file = folder.parent / "cache" / "terms.txt"
    kept = memory(folder)
    _, _, said = file.read_text().rstrip("\n").split("\t")
    for other in (said.replace("clean_descriptors", "of_later"), said + " more", said.replace(" 30 ", " many "), ""):
        assert other != said
        file.write_text(f"plain\t{kept._seal('plain', other)}\t{other}\n")
        assert kept.find("plain") is None
    file.write_text(f"plain\t{kept._seal('plain', said)}\t{said}\n")
    assert kept.find("plain") is not None


def test_finding_it_imports_little() -> None:
    ask = (
        "import sys; import airlock.cli.remembered; print(*{'json', 'typing', '_hashlib', 'hashlib'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
