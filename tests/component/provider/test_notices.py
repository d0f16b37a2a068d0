"""Notices by e-mail, handed to a server on this machine."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from airlock.errors import PeerUnavailable, PolicyError
from airlock.ledger import TransferState
from airlock.notice import MailServer, notice
from airlock.report.listing import listing
from airlock_provider import notifications
from airlock_provider.notifications import TransferNotifier, mail_server, tell, tell_overdue
from airlock_provider.pages import app
from tests.mail import mail_sink
from tests.transfers import make_transfer

STUDY = "1.2.826.0.1.3680043.8.498.77"


@pytest.fixture
def sink():
    with mail_sink() as running:
        yield running


@pytest.fixture
def transfer(tmp_path, sink, monkeypatch):
    extra = {"from": "airlock@research.example", "encryption": "none"}
    connection = {"conn_type": "smtp", "host": "127.0.0.1", "port": sink.port, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_MAIL", json.dumps(connection))
    transfer = make_transfer(
        tmp_path,
        study_uid=STUDY,
        transfer_name="SUBJ-SECRET",
        policy={"notify": {"to": ["a@example.org", "b@example.org"], "deadline_hours": 4}},
        settings={"mail_connection": "mail", "page_url": "https://airlock.example/airlock/"},
    )
    for module in (notifications, app):
        monkeypatch.setattr(module, "load_settings", lambda: transfer.settings)
    transfer.ledger.claim(transfer.id, transfer.id)
    return transfer


def context(transfer):
    return {"dag_run": SimpleNamespace(conf={"transfer_id": transfer.id}), "params": {}}


def test_a_failure_is_told_once_without_patient_data(transfer, sink):
    transfer.ledger.move(transfer.id, TransferState.FAILED, "The PACS did not answer. Clear the task.")
    for _ in range(2):
        TransferNotifier()(context(transfer))
    (message,) = sink.messages
    assert message["To"] == "a@example.org, b@example.org"
    assert message["From"] == "airlock@research.example"
    assert message["Subject"] == "Airlock: Trial: failed"
    text = message.get_payload(decode=True).decode()
    assert "The PACS did not answer" in text
    assert f"https://airlock.example/airlock/#{transfer.id}" in text
    assert STUDY not in message.as_string()
    assert "SUBJ-SECRET" not in message.as_string()


def test_failed_again_is_news(transfer, sink):
    for _ in range(2):
        transfer.ledger.move(transfer.id, TransferState.FAILED, "x")
        TransferNotifier()(context(transfer))
        transfer.ledger.claim(transfer.id, transfer.id)
    assert len(sink.messages) == 2


def test_what_nobody_wants_to_know_is_not_told(transfer, sink):
    transfer.ledger.move(transfer.id, TransferState.SENT)
    TransferNotifier()(context(transfer))
    assert sink.messages == []


def test_trouble_with_the_mail_changes_nothing(transfer, sink, caplog):
    transfer.ledger.move(transfer.id, TransferState.HELD, "x")
    sink.refuses = True
    TransferNotifier()(context(transfer))
    assert transfer.ledger.find(transfer.id).state is TransferState.HELD
    assert transfer.ledger.events(transfer.id)[-1][1:3] == ("notice", "not sent")
    assert "Doe" not in caplog.text
    sink.refuses = False
    assert tell(transfer.ledger.find(transfer.id), transfer.ledger, transfer.settings)
    with pytest.raises(PeerUnavailable):
        MailServer("127.0.0.1", 9, encryption="none").send(
            notice(transfer.ledger.find(transfer.id), transfer.policy.notify, "x@y")
        )


def test_overdue_is_told_once_and_shown(transfer, sink):
    now = datetime.now(UTC)
    assert tell_overdue(now + timedelta(hours=3.9)) == {"overdue": 0, "notices": 0}
    late = now + timedelta(hours=4.1)
    assert tell_overdue(late) == {"overdue": 1, "notices": 1}
    assert tell_overdue(late) == {"overdue": 1, "notices": 0}
    assert sink.messages[0]["Subject"] == "Airlock: Trial: overdue"
    transfer.ledger.describe(transfer.id, project="Trial", started_at=now, arrived_at=now - timedelta(hours=5))
    shown = listing(transfer.ledger, now - timedelta(days=1), is_overdue=app._overdue_now())
    assert [row["overdue"] for row in shown["transfers"]] == [True]
    transfer.ledger.move(transfer.id, TransferState.SENT)
    assert tell_overdue(late) == {"overdue": 0, "notices": 0}


def test_e_mail_never_leaves_the_machine_unencrypted(transfer, monkeypatch):
    with pytest.raises(PolicyError, match="unencrypted"):
        MailServer("mail.example.org", encryption="none").send(
            notice(transfer.ledger.find(transfer.id), transfer.policy.notify, "x@y")
        )
    monkeypatch.setenv(
        "AIRFLOW_CONN_ODD", json.dumps({"conn_type": "smtp", "host": "h", "extra": {"encryption": "rot13"}})
    )
    with pytest.raises(PolicyError, match="starttls, tls or none"):
        mail_server("odd")
