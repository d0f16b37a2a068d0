"""Notices by e-mail: how a transfer ended, or that it is overdue. They hold what the ledger holds: no patient data."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from airlock.errors import PeerUnavailable, PolicyError

if TYPE_CHECKING:
    from airlock.ledger import TransferSummary

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
Address = Annotated[str, StringConstraints(pattern=r"^[^@\s,;<>]+@[^@\s,;<>]+$", max_length=254)]
About = Literal["sent", "empty", "prepared", "held", "failed", "refused", "cancelled", "overdue"]


class NotifyPolicy(BaseModel):
    """Who is told of a project's transfers.

    :param to: e-mail addresses.
    :param about: endings, and `overdue`.
    :param deadline_hours: after its request, a transfer that has not ended is overdue; None for never.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    to: tuple[Address, ...] = ()
    about: tuple[About, ...] = ("held", "failed", "refused", "overdue")
    deadline_hours: float | None = Field(default=None, gt=0)

    def wants(self, summary: TransferSummary) -> bool:
        """Whether somebody wants to know of a transfer as it stands; one that has not ended is told when overdue."""
        return bool(self.to) and _about(summary) in self.about

    def is_overdue(self, summary: TransferSummary, now: datetime) -> bool:
        """Whether a transfer has not ended in time."""
        if self.deadline_hours is None or summary.state.ended:
            return False
        return now - _asked_at(summary) > timedelta(hours=self.deadline_hours)


@dataclass(frozen=True)
class MailServer:
    """Where e-mail is handed in.

    :param sender: address that it comes from.
    :param encryption: `starttls`, `tls` from the first byte, or `none`, which is for this machine only.
    :param user: for authentication; none when empty.
    """

    host: str
    port: int = 25
    sender: str = "airlock@localhost"
    encryption: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: str = field(default="", repr=False)
    timeout_seconds: float = 20.0

    def send(self, message: EmailMessage) -> None:
        """Hand in a message.

        :raises PeerUnavailable: when the server didn't take it for all recipients; its words are left out.
        :raises PolicyError: when it would be sent unencrypted to another machine.
        """
        if self.encryption == "none" and self.host not in LOOPBACK:
            raise PolicyError(
                "E-mail would leave this machine unencrypted. Set the connection's encryption to starttls."
            )
        context = ssl.create_default_context()
        try:
            if self.encryption == "tls":
                server: smtplib.SMTP = smtplib.SMTP_SSL(
                    self.host, self.port, timeout=self.timeout_seconds, context=context
                )
            else:
                server = smtplib.SMTP(self.host, self.port, timeout=self.timeout_seconds)
            with server:
                if self.encryption == "starttls":
                    server.starttls(context=context)
                if self.user:
                    server.login(self.user, self.password)
                refused = server.send_message(message, from_addr=self.sender)
        except (smtplib.SMTPException, OSError) as error:
            raise PeerUnavailable(f"The mail server did not take a notice ({type(error).__name__}).") from None
        if refused:
            raise PeerUnavailable(f"The mail server refused {len(refused)} recipients of a notice.")


def notice(summary: TransferSummary, policy: NotifyPolicy, sender: str, address: str = "") -> EmailMessage:
    """Return the message about a transfer as it stands.

    :param address: URL of Airlock's page of transfers.
    """
    about, counts = _about(summary), summary.counts
    lines = [
        f"Transfer   {summary.id}",
        f"Project    {summary.project or 'unknown'}",
        f"State      {about if summary.state.ended else f'{summary.state}, overdue'}",
        f"Instances  in {counts.received}, sent {counts.sent}, skipped {counts.skipped}, held {counts.held}",
        f"Requested  {summary.arrived_at.isoformat(timespec='minutes')}",
    ]
    lines += ["", summary.message] if summary.message else []
    lines += ["", f"{address.rstrip('/')}/#{summary.id}"] if address else []
    message = EmailMessage()
    message["Subject"] = f"Airlock: {summary.project or 'unknown project'}: {about}"
    message["From"], message["To"] = sender, ", ".join(policy.to)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content("\n".join(lines) + "\n")
    return message


def _about(summary: TransferSummary) -> str:
    return summary.state.value if summary.state.ended else "overdue"


def _asked_at(summary: TransferSummary) -> datetime:
    """When the present attempt began: a transfer that is done again has the same time as the first."""
    if summary.attempt == 1 or summary.started_at is None:
        return summary.arrived_at
    return summary.started_at
