"""A study that grew after its transfer was sent."""

from __future__ import annotations

import os
import time

import pytest

from airlock.ledger import TransferState
from airlock.request.again import again_of
from airlock.retrieve.late import late_instances
from airlock.retrieve.step import pull_study
from airlock_provider import arrivals
from tests.studies import make_instance, make_study
from tests.transfers import make_transfer

STUDY = "1.2.826.0.1.3680043.8.498.4712"


@pytest.fixture
def sent(tmp_path):
    """A transfer that was pulled and sent a while ago."""
    transfer = make_transfer(tmp_path, study_uid=STUDY, settings={"study_idle_seconds": 0})
    make_study(tmp_path / "raw" / STUDY, STUDY)
    age(tmp_path / "raw", 60)
    transfer.ledger.claim(transfer.id, transfer.id)
    transfer.ledger.event(transfer.id, "pull_study", "started")
    pull_study(transfer, None)
    transfer.ledger.move(transfer.id, TransferState.SENT)
    return transfer


def age(folder, seconds):
    then = time.time() - seconds
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, (then, then))


def add_series(transfer):
    path = transfer.settings.raw_folder / STUDY / f"{STUDY}.99" / "new.dcm"
    path.parent.mkdir(exist_ok=True)
    return make_instance(path, STUDY, f"{STUDY}.99", f"{STUDY}.99.1")


def comparisons(transfer):
    """How often the study was read, and nothing was new."""
    return sum((step, kind) == ("late", "compared") for _, step, kind, _ in transfer.ledger.events(transfer.id))


def test_nothing_new_is_not_even_read(sent):
    assert late_instances(sent) == 0
    assert comparisons(sent) == 0


def test_a_study_that_was_only_touched_is_not_sent_again(sent):
    os.utime(sent.settings.raw_folder / STUDY)
    assert late_instances(sent) == 0
    assert comparisons(sent) == 1


def test_a_series_that_came_later(sent):
    add_series(sent)
    assert late_instances(sent) == 1


def test_one_that_still_arrives_is_waited_for(tmp_path):
    transfer = make_transfer(tmp_path, study_uid=STUDY, settings={"study_idle_seconds": 60})
    make_study(tmp_path / "raw" / STUDY, STUDY)
    transfer.ledger.claim(transfer.id, transfer.id)
    transfer.ledger.move(transfer.id, TransferState.SENT)
    assert late_instances(transfer) == 0
    age(tmp_path / "raw", 61)
    assert late_instances(transfer) == 6


@pytest.mark.parametrize("state", [TransferState.FAILED, TransferState.HELD, TransferState.PREPARED])
def test_what_was_not_sent_is_not_sent_again(sent, state):
    add_series(sent)
    sent.ledger.claim(sent.id, sent.id)
    sent.ledger.move(sent.id, state)
    assert late_instances(sent) == 0


def test_the_periodic_task_asks_once_for_the_same_transfer(sent, monkeypatch):
    monkeypatch.setattr(arrivals, "load_settings", lambda: sent.settings)
    add_series(sent)
    for _ in range(2):  # until it has begun, it is asked for
        assert arrivals.ask_for_late_series() == {"transfers": 1, "instances": 1}
    assert sum(kind == "again" for _, _, kind, _ in sent.ledger.events(sent.id)) == 1
    (file,) = sent.settings.drop_folder.iterdir()
    assert again_of(file) == sent.id
    file.unlink()
    # As the intake and the run do: begun again, pulled with what is new, sent.
    sent.ledger.claim(sent.id, sent.id)
    sent.workspace.purge()
    sent.ledger.restart(sent.id)
    sent.ledger.event(sent.id, "pull_study", "started")
    assert pull_study(sent, None).received == 7
    sent.ledger.move(sent.id, TransferState.SENT)
    assert arrivals.ask_for_late_series() == {"transfers": 0, "instances": 0}
