"""What is held is listed by category, and released or dropped by a person's decision."""

import json

import pytest

from airlock.dicomio.header import Category
from airlock.ledger import InstanceState, InstanceUpdate, TransferState
from airlock.screen.quarantine import category_of
from airlock.screen.step import screen_instances
from airlock.settings import load_settings
from tests.commands import airlock
from tests.unit.screen.test_screen import put, screened

POLICY = {"screen": {"suspicious": "hold"}}


@pytest.fixture
def held(tmp_path, monkeypatch):
    def build(raw):
        return {
            "good": put(raw, "good"),
            "saved": put(raw, "saved", SeriesDescription="Save of DOE^JANE"),
            "seriesless": put(raw, "seriesless", SeriesInstanceUID=None),
        }

    transfer, _ = screened(tmp_path, build, POLICY)
    transfer.ledger.hold_open(transfer.id, "The transfer failed.")
    transfer.ledger.move(transfer.id, TransferState.HELD)
    monkeypatch.setenv("AIRLOCK_HOME", str(transfer.settings.home))
    monkeypatch.setenv("AIRLOCK_PROJECTS", str(transfer.settings.projects))
    load_settings.cache_clear()
    yield transfer
    load_settings.cache_clear()


def listed(transfer, *options):
    ended = airlock("quarantine", "list", transfer.id, "--json", *options)
    assert ended.status == 0, ended.stderr
    return {one["category"]: one for one in json.loads(ended.stdout)}


def test_list_shows_categories_and_no_values(held):
    found = listed(held)
    assert set(found) == {"Suspicious_Header", "Missing_Attributes", "Held_Later"}
    assert found["Suspicious_Header"]["reason"] == "Suspicious_Header: screen save (policy)"
    assert list(listed(held, "--category", "Missing_Attributes")) == ["Missing_Attributes"]
    shown = airlock("quarantine", "list").stdout
    assert shown.splitlines()[-1] == "1 Held_Later, 1 Missing_Attributes, 1 Suspicious_Header"
    assert "DOE" not in shown
    assert held.id in shown


def test_categories():
    words = ("Invalid_DICOM", "DICOM_Read_Error", "Missing_Attributes", "Invalid_Storage_Class", "Capture_PHI_Error",
             "Storage_Error")  # fmt: skip
    assert set(words) <= {category.value for category in Category}
    assert [category_of(f"{word}: x") for word in words] == list(words)
    assert category_of("") == category_of("Its pixels could not be examined: x") == "Held_Later"


def test_release_lets_the_step_judge_again_and_passes_over_its_rule(held):
    saved = listed(held)["Suspicious_Header"]["id"]
    for name in ("findings", "flagged", "deidentified"):
        (held.workspace.folder(name)).mkdir()
    ended = airlock("quarantine", "release", held.id, saved)
    assert (ended.status, ended.stdout.split(".")[0]) == (0, "1 released")
    assert not any(held.workspace.complete(name) for name in ("findings", "flagged", "deidentified"))
    _, step, kind, detail = held.ledger.events(held.id)[-1]
    assert (step, kind, detail["count"], detail["instances"]) == ("quarantine", "released", 1, [saved])
    assert detail["by"]
    held.ledger.resume(held.id)
    result = screen_instances(held)
    states = {i.id: i.state for i in held.ledger.instances(held.id)}
    assert states[saved] is InstanceState.RECEIVED
    assert (result.held, result.open) == (1, 2)
    assert result.rules["released by a person"] == 1


def test_what_cannot_be_read_is_held_again(held):
    airlock("quarantine", "release", held.id, "--all")
    assert not held.ledger.instances(held.id, InstanceState.HELD)
    screen_instances(held)
    assert set(listed(held)) == {"Missing_Attributes"}


def test_release_makes_ready_instances_pass_every_step_again(held):
    later, saved = listed(held)["Held_Later"]["id"], listed(held)["Suspicious_Header"]["id"]
    held.ledger.record(held.id, [InstanceUpdate(later, InstanceState.READY)])
    airlock("quarantine", "release", held.id, saved)
    assert {i.state for i in held.ledger.instances(held.id) if i.id == later} == {InstanceState.RECEIVED}


def test_drop_counts_as_skipped_and_is_not_resumed(held):
    found = listed(held)
    ended = airlock("quarantine", "drop", held.id, found["Held_Later"]["id"], found["Suspicious_Header"]["id"])
    assert (ended.status, ended.stdout.split(".")[0]) == (0, "2 dropped")
    held.ledger.resume(held.id)
    counts = held.ledger.counts(held.id)
    assert (counts.received, counts.skipped, counts.held, counts.open) == (3, 2, 1, 0)
    assert {i.reason for i in held.ledger.instances(held.id, InstanceState.SKIPPED)} == {"dropped by a person"}
    assert [kind for _, step, kind, _ in held.ledger.events(held.id) if step == "quarantine"] == ["dropped"]


@pytest.mark.parametrize("command", ["release", "drop"])
class TestRefusals:
    def test_unknown(self, held, command):
        before = held.ledger.instances(held.id)
        for arguments in ((held.id, "i-nothing"), (held.id, "--category", "Storage_Error"), ("t-nothing", "--all")):
            assert airlock("quarantine", command, *arguments).status == 2
        assert airlock("quarantine", command, held.id).status == 2
        assert airlock("quarantine", command, held.id, "--all", "--category", "x").status == 2
        assert held.ledger.instances(held.id) == before

    def test_running(self, held, command):
        for state, told in ((TransferState.RUNNING, "running"), (TransferState.WITHDRAWN, "withdrawn")):
            held.ledger.move(held.id, state)
            ended = airlock("quarantine", command, held.id, "--all")
            assert ended.status == 2
            assert told in ended.stderr


def test_release_is_refused_once_something_was_sent(held):
    held.ledger.record(held.id, [InstanceUpdate(listed(held)["Held_Later"]["id"], InstanceState.SENT)])
    ended = airlock("quarantine", "release", held.id, "--all")
    assert (ended.status, "begun to send" in ended.stderr) == (2, True)
