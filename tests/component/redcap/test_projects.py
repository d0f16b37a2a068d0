"""REDCap's list of projects, read from the sandbox."""

from __future__ import annotations

import json
import re
from dataclasses import astuple
from datetime import date
from pathlib import Path

import pytest

import airlock.redcap.sandbox
from airlock.errors import NotApproved, PeerUnavailable, PolicyError, StatusRefused
from airlock.project import find_policy, load_policies
from airlock.redcap import RedcapClient
from airlock.redcap.projects import read_projects, sync_projects
from airlock.redcap.sandbox import RedcapSandbox
from airlock.registry import FILE_NAME, read_registry
from airlock.settings import load_settings
from tests.commands import airlock as run

DICTIONARY = Path(airlock.redcap.sandbox.__file__).with_name("projects.json")
DAY = date(2026, 6, 1)


@pytest.fixture
def sandbox():
    with RedcapSandbox(dictionary=DICTIONARY) as running:
        yield running


@pytest.fixture
def client(sandbox):
    return RedcapClient(sandbox.url, sandbox.token, attempts=1, pause_seconds=0.01)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "projects").mkdir()
    return tmp_path / "projects"


def project(name: str, **more: object) -> dict[str, object]:
    return {"project_name": name, "project_active": "1", **more}


def test_redcaps_naming_pattern_makes_the_ids(client, folder):
    client.import_records([project("A", project_patient_naming="QC-[0-9]{3}")])
    (folder / "A.yaml").write_text("name: A\nidentity: {patient: pattern}\n")
    sync_projects(client, folder, "redcap")
    policy = find_policy(folder, "A")
    policy.check_subject("AUTO")
    assert policy.id_pattern().size == 1000


def test_what_redcap_says_becomes_a_policy(client, folder):
    client.import_records(
        [
            project(
                "QC - NH Phantom",
                project_features___0="1",
                project_features___1="1",
                project_rec_start_date="2026-01-01",
                project_rec_end_date="2026-12-31",
                project_patient_naming="QC-[0-9]{3}",
                project_token="SECRET-TOKEN",
                project_contact="Ford Prefect",
            )
        ]
    )
    sync_projects(client, folder, "redcap")
    policy = find_policy(folder, "QC - NH Phantom")
    assert policy.screen.remove_presentation_states
    assert not policy.screen.remove_secondary_captures
    assert not policy.pixels.rewrite
    assert policy.subject_pattern == "QC-[0-9]{3}"
    assert policy.redcap.connection == "redcap"
    assert policy.deidentify.options == ()
    policy.check_approved(DAY)
    with pytest.raises(NotApproved, match="2026-12-31"):
        policy.check_approved(date(2027, 1, 1))
    written = (folder / FILE_NAME).read_text("utf-8")
    assert "SECRET-TOKEN" not in written
    assert "Ford Prefect" not in written


def test_the_file_wins_field_by_field(client, folder):
    (folder / "A.yaml").write_text("name: A\napproval:\n  end: 2026-06-30\ntitle: From the file\n")
    client.import_records(
        [project("A", project_rec_start_date="2026-02-01", project_rec_end_date="2026-12-31", project_features___2="1")]
    )
    before = find_policy(folder, "A").digest
    sync_projects(client, folder)
    policy = find_policy(folder, "A")
    assert (policy.approval.start, policy.approval.end) == (date(2026, 2, 1), date(2026, 6, 30))
    assert policy.screen.remove_secondary_captures
    assert policy.title == "From the file"
    assert policy.digest != before


@pytest.mark.parametrize("value", ["0", ""])
def test_what_is_not_active_receives_nothing(client, folder, value):
    client.import_records([project("A") | {"project_active": value}, project("B")])
    sync_projects(client, folder)
    with pytest.raises(NotApproved, match="not active"):
        find_policy(folder, "A").check_approved(DAY)
    find_policy(folder, "B").check_approved(DAY)


def test_a_mistake_blocks_its_own_project_until_a_file_says_better(client, folder):
    client.import_records([project("A", project_patient_naming="S-[0-9"), project("B")])
    registry = sync_projects(client, folder)
    assert list(registry.projects["A"].problems) == ["subject_pattern"]
    with pytest.raises(NotApproved, match="receives nothing: what REDCap says for subject_pattern"):
        find_policy(folder, "A").check_approved(DAY)
    find_policy(folder, "B").check_approved(DAY)
    (folder / "A.yaml").write_text('name: A\nsubject_pattern: "S-[0-9]"\n')
    find_policy(folder, "A").check_approved(DAY)


def test_an_import_rule_that_is_not_whole_blocks(client, folder):
    client.import_records([project("A", project_import_rule_1_tag="0x0008:0x1030 Study Description")])
    sync_projects(client, folder)
    with pytest.raises(NotApproved, match="import rule"):
        find_policy(folder, "A").check_approved(DAY)


def test_exclusions_are_found_by_the_label_of_their_choice(client):
    client.import_records(
        [
            project("A"),
            {
                "project_name": "A",
                "redcap_repeat_instrument": "rewritepixelexclusions",
                "redcap_repeat_instance": 1,
                "rewrite_ex_tag": "2",
                "rewrite_ex_reg": "localizer",
            },
        ]
    )
    found = read_projects(client)["A"]
    assert found.fields["screen"]["rewrite_exclusions"] == [{"tag": "(0008,103e)", "pattern": "localizer"}]
    assert found.problems == {}


def test_an_import_rule_keeps_what_its_groups_match(client, folder):
    client.import_records(
        [
            project(
                "A",
                project_import_rule_1_tag="0x0008:0x1030 Study Description",
                project_import_rule_1_regexp="(Phase [0-9])",
            )
        ]
    )
    sync_projects(client, folder)
    (rule,) = find_policy(folder, "A").deidentify.rules
    assert (rule.tag, rule.action) == ("(0008,1030)", "keep-matching")
    assert re.fullmatch(rule.pattern, "Doe Phase 2 Jane")[1] == "Phase 2"


def test_a_project_that_is_gone_is_blocked_until_it_is_forgotten(client, folder, sandbox):
    (folder / "A.yaml").write_text("name: A\n")
    client.import_records([project("A", project_rec_end_date="2026-12-31"), project("B")])
    sync_projects(client, folder)
    with RedcapSandbox(dictionary=DICTIONARY) as smaller:
        other = RedcapClient(smaller.url, smaller.token)
        other.import_records([project("B")])
        sync_projects(other, folder)
        with pytest.raises(NotApproved, match="no longer in REDCap"):
            find_policy(folder, "A").check_approved(DAY)
        sync_projects(other, folder, forget=True)
    find_policy(folder, "A").check_approved(date(2030, 1, 1))


def test_trouble_changes_nothing(client, folder, sandbox):
    client.import_records([project("A")])
    sync_projects(client, folder)
    before = (folder / FILE_NAME).read_bytes()
    sandbox.fail_next(500)
    with pytest.raises(PeerUnavailable):
        sync_projects(client, folder)
    with RedcapSandbox(dictionary=DICTIONARY) as empty, pytest.raises(StatusRefused, match="lists no project"):
        sync_projects(RedcapClient(empty.url, empty.token), folder)
    with RedcapSandbox() as other, pytest.raises(StatusRefused, match="not the list of projects"):
        sync_projects(RedcapClient(other.url, other.token), folder)
    assert (folder / FILE_NAME).read_bytes() == before


def test_a_broken_registry_stops_everything(folder):
    (folder / "A.yaml").write_text("name: A\n")
    (folder / FILE_NAME).write_text('{"schema": 1')
    with pytest.raises(PolicyError, match="Remove the file, and synchronise"):
        load_policies(folder)


def test_the_command_tells_who_said_what(client, folder, sandbox, tmp_path, monkeypatch):
    monkeypatch.setenv("AIRLOCK_HOME", str(tmp_path))
    monkeypatch.setenv("AIRLOCK_PROJECTS", str(folder))
    load_settings.cache_clear()
    (folder / "A.yaml").write_text("name: A\ntitle: T\n")
    client.import_records([project("A", project_rec_end_date="2099-12-31"), project("C", project_patient_naming="(")])
    (tmp_path / "token").write_text(sandbox.token)
    status, out, _ = astuple(run("project", "sync", "--url", sandbox.url, "--token-file", str(tmp_path / "token")))
    assert status == 2
    assert "2 projects, 1 with something that cannot be used" in out
    status, out, _ = astuple(run("project", "show", "A"))
    said = {line.split()[0]: line.split()[-1] for line in out.splitlines() if line.strip()}
    assert (said["title"], said["approval.end"], said["approval.start"]) == ("file", "REDCap", "default")
    assert find_policy(folder, "A").digest in out
    listed = run("project", "list").stdout
    assert "receives nothing" in next(line for line in listed.splitlines() if line.startswith("C"))
    assert json.loads((folder / FILE_NAME).read_text())["projects"].keys() == {"A", "C"}
    assert read_registry(folder).synced_at is not None
    load_settings.cache_clear()
