"""DeliveryOperator: a step that talks to a transfer's destinations, and waits for one that is down."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airlock.errors import OutsideHours, TurnAwaited
from airlock.transfer import Transfer
from airlock_provider.context import destinations_of
from airlock_provider.operators.waiting import WaitingStepOperator

if TYPE_CHECKING:
    from airlock.dicomio.peer import Peer
    from airlock.dicomio.webpeer import WebPeer


_NOBODY_DOWN = (TurnAwaited.__name__, OutsideHours.__name__)


class DeliveryOperator(WaitingStepOperator):
    """Run a step whose function takes the transfer and its destinations by the names of their connections.

    Waiting for one that is down is bounded by `AIRLOCK_DESTINATION_WAIT_HOURS`; then the task fails, and is retried as
    any other.
    """

    def peers(self, transfer: Transfer) -> tuple[Any, ...]:
        """Return the destinations.

        :raises NotApproved: when the approval has ended since the request was accepted: a transfer can wait for days.
        """
        transfer.policy.check_approved(datetime.now(UTC).astimezone().date())
        return (self.remotes(transfer),)

    def remotes(self, transfer: Transfer) -> dict[str, Peer | WebPeer]:
        """Return the destinations."""
        return destinations_of(transfer)

    def patience(self, transfer: Transfer) -> float:
        """Return for how many seconds more the transfer may wait here for a destination that is down."""
        bound = transfer.settings.destination_wait_hours * 3600
        since = datetime.now(UTC)
        for at, step, kind, detail in reversed(transfer.ledger.events(transfer.id)):
            # Who waits for a turn or for the hours only has found nobody down.
            ended = kind in ("finished", "failed") or detail.get("error") in _NOBODY_DOWN
            if step == self.task_id and ended:
                break
            if step == self.task_id and kind == "waiting":
                since = at
        return bound - (datetime.now(UTC) - since).total_seconds()
