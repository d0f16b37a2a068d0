"""The daily comparison of the ledger with each destination."""

import csv
import logging
from datetime import UTC, datetime, timedelta

import pytest
from pydicom.uid import generate_uid

from airlock.deliver.step import confirm_receipt
from airlock.errors import HeldError, PeerUnavailable, PolicyError
from airlock_provider import context, reconcile
from airlock_provider.reconcile import destinations, reconcile_destination
from tests.simulated_pacs import SimulatedPacs
from tests.studies import make_study
from tests.transfers import make_ready, make_transfer

ONE, TWO = "research_one", "research_two"


@pytest.fixture
def sent(tmp_path, monkeypatch):
    """A transfer that two PACSs have, and these."""
    transfer = make_transfer(tmp_path, policy={"destinations": [{"connection": ONE}, {"connection": TWO}]})
    make_ready(transfer, make_study(tmp_path / "made", generate_uid(), 1, 4))
    monkeypatch.setattr(reconcile, "load_settings", lambda: transfer.settings)
    one, two = SimulatedPacs(), SimulatedPacs()
    with one.running() as a, two.running() as b:
        peers = {ONE: a, TWO: b}
        monkeypatch.setattr(context, "destination_peer", lambda target: peers[target.connection])
        assert confirm_receipt(transfer, peers).sent == 4
        yield transfer, one, two


def table(transfer, destination):
    (path,) = (transfer.settings.home / "reconcile" / destination).glob("*.csv")
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_each_destination_is_compared_once(sent):
    transfer, _, _ = sent
    assert destinations() == [{"destination": n, "method": "c-store"} for n in (ONE, TWO)]
    (transfer.settings.projects / "Other.yaml").write_text(f"name: Other\ndestination: {{connection: {ONE}}}\n")
    assert len(destinations()) == 2
    (transfer.settings.projects / "Third.yaml").write_text(
        f"name: Third\ndestination: {{connection: {ONE}, method: stow-rs}}\n"
    )
    with pytest.raises(PolicyError, match=ONE):
        destinations()


def test_what_is_lost_makes_the_task_fail_and_is_listed(sent, caplog):
    transfer, _, two = sent
    caplog.set_level(logging.INFO)
    assert reconcile_destination(ONE, "c-store") == {"whole": 1}
    assert f"{ONE}: 1 whole" in caplog.text
    lost = min(two.instances)
    del two.instances[lost]
    with pytest.raises(HeldError, match=f"{TWO} does not show what it should: 1 partial") as caught:
        reconcile_destination(TWO, "c-store")
    assert "transfers transfer-" in caplog.text
    assert [row["sop_uid"] for row in table(transfer, TWO) if row["sop_uid"]] == [lost]
    two.instances.clear()
    with pytest.raises(HeldError, match="1 missing"):
        reconcile_destination(TWO, "c-store")
    assert str(transfer.settings.home) in str(caught.value)
    assert len(table(transfer, TWO)) == 5
    # the other one is not concerned
    assert reconcile_destination(ONE, "c-store") == {"whole": 1}


def test_what_came_from_elsewhere_is_told_and_no_failure(sent, tmp_path, caplog):
    transfer, one, _ = sent
    (study,) = {dataset.StudyInstanceUID for dataset in one.instances.values()}
    one.hold(make_study(tmp_path / "more", study, 1, 2))
    assert reconcile_destination(ONE, "c-store") == {"extra": 1}
    assert "A study is extra: 0 missing, 2 extra" in caplog.text
    assert study not in caplog.text
    # an old transfer is not asked for every day
    later = datetime.now(UTC) + timedelta(days=transfer.settings.reconcile_days + 1)
    assert reconcile_destination(ONE, "c-store", now=later) == {}


def test_old_tables_are_removed(sent, monkeypatch):
    transfer, _, _ = sent
    monkeypatch.setattr(reconcile, "KEPT", 2)
    for day in range(4):
        reconcile_destination(ONE, "c-store", now=datetime.now(UTC) + timedelta(days=day))
    assert len(list((transfer.settings.home / "reconcile" / ONE).iterdir())) == 2


def test_one_that_does_not_answer_is_tried_again(sent, monkeypatch):
    from airlock.dicomio.peer import Peer
    from demo.services import free_port

    monkeypatch.setattr(context, "destination_peer", lambda target: Peer("127.0.0.1", free_port(), acse_timeout=2))
    with pytest.raises(PeerUnavailable):
        reconcile_destination(ONE, "c-store")
