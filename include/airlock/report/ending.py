"""How a transfer ended, derived from the ledger."""

from __future__ import annotations

from dataclasses import dataclass

from airlock import errors
from airlock.ledger import Counts, Ledger, TransferState, TransferSummary
from airlock.request import Options


@dataclass(frozen=True)
class Failure:
    """The last thing that went wrong in a transfer.

    :param step: id of the task.
    :param error: name of the exception class, one of `airlock.errors`, or empty when the task was killed.
    :param number: how many failures the transfer has had, this one included.
    """

    step: str
    error: str
    message: str
    number: int

    @property
    def state(self) -> TransferState:
        """The state such a failure leaves the transfer in."""
        kind = getattr(errors, self.error, errors.UnexpectedFailure) if self.error else errors.UnexpectedFailure
        if issubclass(kind, errors.Cancelled):
            return TransferState.CANCELLED
        if issubclass(kind, errors.HeldError):
            return TransferState.HELD
        if issubclass(kind, errors.RefusedError) and self.step == "accept_request":
            return TransferState.REFUSED
        return TransferState.FAILED


def last_failure(ledger: Ledger, transfer_id: str) -> Failure:
    """Return why a transfer failed.

    A task that was killed leaves no failure of its own: then the last one that was started is named.
    """
    events = ledger.events(transfer_id)
    failures = [(step, detail) for _, step, kind, detail in events if kind == "failed"]
    running: dict[str, bool] = {}
    for _, step, kind, _ in events:
        if kind in ("started", "finished", "failed"):
            running.pop(step, None)
            running[step] = kind == "started"
    killed = [step for step, open_ in running.items() if open_]
    if killed or not failures:
        step = killed[-1] if killed else "the run"
        return Failure(step, "", f"{step} ended without a word: it was killed, or never ran. See its log.", len(events))
    step, detail = failures[-1]
    return Failure(step, detail["error"], detail["message"], len(failures))


def good_ending(counts: Counts, options: Options) -> TransferState:
    """Return the state of a transfer whose every task went well."""
    if options.dry_run or options.stop_before_send:
        return TransferState.PREPARED
    return TransferState.SENT if counts.sent else (TransferState.HELD if counts.held else TransferState.EMPTY)


def outcome_line(summary: TransferSummary) -> str:
    """Say in one line how a transfer stands."""
    c = summary.counts
    line = (
        f"{summary.state}: in {c.received}, sent {c.sent}, skipped {c.skipped}, held {c.held}, boxes masked {c.boxes}"
    )
    return f"{line} ({summary.message})" if summary.message else line
