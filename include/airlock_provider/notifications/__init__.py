"""Airflow notifiers: a project's people are told how a transfer ended, and of those that take too long.

A notice that cannot be sent never changes what becomes of a transfer: it is noted and logged.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseNotifier

from airlock.errors import AirlockError, PolicyError
from airlock.ledger import Ledger, TransferState, TransferSummary
from airlock.notice import MailServer, NotifyPolicy, notice
from airlock.project import load_policies
from airlock.quiet import guarded
from airlock.settings import Settings, load_settings
from airlock.transfer import open_ledger
from airlock_provider.hooks.connections import get_connection

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)


class TransferNotifier(BaseNotifier):
    """Tell a project's people how the run's transfer ended, as `notify` in its policy says.

    Meant as a task's `on_success_callback`: by then the ledger knows the ending.
    """

    def notify(self, context: Context) -> None:
        """Send the notice of the run's transfer, once per ending."""
        from airlock_provider.context import configuration, transfer_id_of

        settings = load_settings()
        try:
            with guarded():
                ledger = open_ledger(settings)
                summary = ledger.find(transfer_id_of(configuration(context), settings))
                if summary is not None and summary.state.ended:
                    tell(summary, ledger, settings)
        except AirlockError as error:
            log.warning("No notice was sent: %s", error)


def tell(summary: TransferSummary, ledger: Ledger, settings: Settings) -> bool:
    """Send the notice of a transfer as it stands; return whether one was sent.

    Nothing is sent twice about the same state of the same attempt. What cannot be sent is noted.
    """
    policy = _policy(summary, settings)
    told = {"about": summary.state.value, "attempt": summary.attempt}
    if settings.mail_connection is None or policy is None or not policy.wants(summary):
        return False
    if _was_told(ledger, summary.id, told):
        return False
    try:
        server = mail_server(settings.mail_connection)
        server.send(notice(summary, policy, server.sender, settings.page_url))
    except AirlockError as error:
        ledger.event(summary.id, "notice", "not sent", error=type(error).__name__)
        log.warning("No notice was sent of %s: %s", summary.id, error)
        return False
    ledger.event(summary.id, "notice", "sent", **told)
    return True


def tell_overdue(now: datetime | None = None) -> dict[str, int]:
    """Send a notice of each transfer that has not ended in time; return how many there are, and notices."""
    settings = load_settings()
    now = now or datetime.now(UTC)
    overdue = sent = 0
    with guarded():
        ledger = open_ledger(settings)
        for summary in ledger.transfers(states=[state for state in TransferState if not state.ended]):
            policy = _policy(summary, settings)
            if policy is not None and policy.is_overdue(summary, now):
                log.warning("%s is overdue: %s allows %g hours", summary.id, summary.project, policy.deadline_hours)
                overdue, sent = overdue + 1, sent + tell(summary, ledger, settings)
    return {"overdue": overdue, "notices": sent}


def mail_server(connection_id: str) -> MailServer:
    """Return the mail server of an Airflow connection.

    Its host, port, login and password; in its extra fields `from` and `encryption` (starttls, tls, none).

    :raises PolicyError: when there is no such connection, or it cannot be used.
    """
    connection = get_connection(connection_id, "SMTP")
    extra: dict[str, Any] = connection.extra_dejson
    encryption = str(extra.get("encryption") or "starttls")
    if encryption not in ("starttls", "tls", "none") or not connection.host:
        raise PolicyError("The mail connection needs a host, and `encryption` starttls, tls or none.")
    return MailServer(
        host=connection.host,
        port=connection.port or (465 if encryption == "tls" else 25),
        sender=str(extra.get("from") or "airlock@localhost"),
        encryption=encryption,  # type: ignore[arg-type]  # checked above
        user=connection.login or "",
        password=connection.password or "",
    )


def _policy(summary: TransferSummary, settings: Settings) -> NotifyPolicy | None:
    try:
        policy = load_policies(settings.projects).get(summary.project or "")
    except PolicyError:
        return None
    return policy.notify if policy else None


def _was_told(ledger: Ledger, transfer_id: str, told: dict[str, Any]) -> bool:
    endings = [
        (step, kind, detail)
        for _, step, kind, detail in ledger.events(transfer_id)
        if (step, kind) == ("notice", "sent") or kind == "state"
    ]
    # Since the state was entered: a transfer that failed again is news.
    latest = next((n for n, (_, kind, _) in reversed(list(enumerate(endings))) if kind == "state"), -1)
    return any(kind == "sent" and detail == told for _, kind, detail in endings[latest + 1 :])
