"""The ledger against the PACS, and a transfer that is taken back."""

import csv

import pytest
from pydicom.uid import generate_uid

from airlock.deliver.step import confirm_receipt, send_to_research
from airlock.ledger import TransferState
from tests.commands import airlock
from tests.simulated_pacs import SimulatedPacs
from tests.studies import make_study
from tests.transfers import make_ready, make_transfer


@pytest.fixture
def sent(tmp_path):
    """Three transfers that were sent and proven, as (transfer, new study UID, files) each, and where they are."""
    pacs = SimulatedPacs()
    done = []
    with pacs.running() as peer:
        for number in range(3):
            study_uid = str(generate_uid())
            files = make_study(tmp_path / f"made{number}", study_uid, 1, 3)
            transfer = make_transfer(tmp_path, transfer_name=f"T-{number}", policy={"redcap": {}})
            make_ready(transfer, files)
            send_to_research(transfer, peer)
            confirm_receipt(transfer, peer)
            transfer.ledger.move(transfer.id, TransferState.RUNNING)
            transfer.ledger.move(transfer.id, TransferState.SENT)
            done.append((transfer, study_uid, files))
        yield pacs, peer, done


@pytest.fixture
def run(tmp_path, sent, monkeypatch):
    from airlock.settings import load_settings

    _, peer, done = sent
    address = ["--host", peer.host, "--port", peer.port, "--called-aet", "SIMULATED"]

    def run(name, *arguments):
        load_settings.cache_clear()
        home = str(done[0][0].settings.home)
        projects = str(done[0][0].settings.projects)
        given = (*(address if name == "reconcile" else ()), *arguments)
        result = airlock(name, *given, AIRLOCK_HOME=home, AIRLOCK_PROJECTS=projects)
        load_settings.cache_clear()
        return result

    return run


def rows_of(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_missing_extra_and_partial_are_told(sent, run, tmp_path):
    pacs, _, done = sent
    assert run("reconcile").status == 0
    (_, _, first), (_, study, second), (_, third_study, _) = done
    for uid in first:
        del pacs.instances[uid]
    lost = min(second)
    del pacs.instances[lost]
    pacs.hold(make_study(tmp_path / "more", third_study, 1, 1))
    result = run("reconcile", "--csv", tmp_path / "r.csv")
    assert (result.status, result.last_line) == (3, "studies 3, agree 0, differ 3")
    rows = rows_of(tmp_path / "r.csv")
    verdicts = {r["study_uid"]: (r["verdict"], r["missing"], r["extra"]) for r in rows if not r["sop_uid"]}
    assert verdicts == {
        done[0][1]: ("missing", "3", "0"),
        study: ("partial", "1", "0"),
        third_study: ("extra", "0", "1"),
    }
    assert [r["sop_uid"] for r in rows if r["study_uid"] == study and r["sop_uid"]] == [lost]
    # one transfer only
    assert run("reconcile", "--transfer", done[2][0].id).last_line == "studies 1, agree 0, differ 1"
    assert run("reconcile", "--days", "0").last_line == "studies 0, agree 0, differ 0"


def test_a_transfer_that_is_withdrawn_is_to_be_deleted(sent, run, tmp_path):
    pacs, _, done = sent
    transfer, study_uid, files = done[0]
    transfer.ledger.move(transfer.id, TransferState.RUNNING)
    assert run("withdraw", transfer.id, "--yes").status == 2
    result = run("withdraw", transfer.id, "--yes", "--force", "--out", tmp_path / "delete.csv")
    assert (result.status, result.last_line[:37]) == (0, "Withdrawn. 3 instances are to be dele")
    listed = rows_of(tmp_path / "delete.csv")
    assert {r["sop_uid"] for r in listed} == set(files)
    assert {r["study_uid"] for r in listed} == {study_uid}
    assert transfer.ledger.find(transfer.id).state is TransferState.WITHDRAWN
    assert not transfer.workspace.root.exists()
    (owed,) = transfer.ledger.statuses.owed(transfer.id)
    assert owed.outcome["state"] == "withdrawn"
    result = run("reconcile", "--transfer", transfer.id)
    assert result.status == 3
    assert "not deleted" in result.stdout
    for uid in files:
        del pacs.instances[uid]
    result = run("reconcile")
    assert (result.status, result.last_line) == (0, "studies 3, agree 3, differ 0")
    assert run("withdraw", "transfer-unknown", "--yes").status == 2
