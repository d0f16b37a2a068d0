"""A few of the injected faults; `python -m tests.faults` runs all of them."""

import os
import subprocess

import pytest

from airlock.deliver import sending
from airlock.ledger import InstanceState, InstanceUpdate
from tests.faults.__main__ import run
from tests.faults.outcome import Outcome, compare
from tests.peers import require
from tests.studies import make_study
from tests.transfers import make_ready, make_transfer


@pytest.fixture(autouse=True)
def no_second_look(monkeypatch):
    monkeypatch.setattr(sending, "_SECOND_LOOK_SECONDS", 0.0)


def test_what_a_cancelled_run_had_sent_is_listed_to_the_last_image():
    assert run("cancelled").good


def test_storescp_that_aborts():
    require("storescp")
    outcome = run("send storescp abort-during")
    assert outcome.good, outcome
    assert outcome.errors == ["AssociationAborted", "AssociationAborted", "NoContextAccepted"]
    # Nothing proved them: when the transfer ends as failed, they are held, and REDCap is told so.
    assert (outcome.ledger, outcome.redcap) == ("held 20", "running, failed")


@pytest.mark.parametrize("name", ["disk full c-get", "disk read-only"])
def test_a_disk_that_cannot_be_written(name):
    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")
    try:
        outcome = run(name)
    except subprocess.CalledProcessError:
        pytest.skip("this machine lets nobody mount a file system")
    assert outcome.good, outcome
    assert outcome.errors == ["TransferIncomplete"]


def test_the_comparison_tells_what_redcap_believes_wrongly(tmp_path):
    files = make_study(tmp_path / "made", "1.2.3", 1, 2)
    transfer = make_transfer(tmp_path)
    make_ready(transfer, files)
    outcome = Outcome("REDCap is told that it was sent, and it was not")
    outcome.follow(transfer, "send_to_research")
    outcome.ask_redcap(ended=False)
    assert (outcome.redcap, outcome.agreeing) == ("running", True)
    transfer.ledger.record(
        transfer.id, [InstanceUpdate(i.id, InstanceState.SENT) for i in transfer.ledger.instances(transfer.id)][:1]
    )
    outcome.ask_redcap(ended=True)
    assert (outcome.redcap, outcome.agreeing, outcome.good) == ("running, sent", False, False)


def test_the_service_refuses_before_the_disk_is_full():
    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")
    try:
        outcome = run("service disk full")
    except subprocess.CalledProcessError:
        pytest.skip("this machine lets nobody mount a file system")
    assert outcome.good, outcome
    assert outcome.errors == ["TransferIncomplete"]


def test_the_comparison_tells_what_is_lost_doubled_and_unproven(tmp_path):
    files = make_study(tmp_path / "made", "1.2.3", 1, 3)
    transfer = make_transfer(tmp_path)
    make_ready(transfer, files)
    one, two, _ = files
    outcome = compare(Outcome("nothing"), transfer, [one, one, two], files)
    assert (outcome.lost, outcome.doubled, outcome.unproven) == (1, 1, 3)
    assert not outcome.good
    assert "1 / 1 / 3" in outcome.line("x")
