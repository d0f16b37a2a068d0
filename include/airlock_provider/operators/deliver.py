"""DeliveryOperator: a step that talks to a transfer's destinations, and waits for one that is down."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airlock.errors import PeerDown
from airlock.quiet import guarded
from airlock.transfer import Transfer
from airlock_provider.context import destinations_of, open_transfer
from airlock_provider.operators.step import TransferStepOperator, run_step

if TYPE_CHECKING:
    from airflow.sdk import Context


class DeliveryOperator(TransferStepOperator):
    """Run a step whose function takes the transfer and its destinations by the names of their connections.

    A destination that is down is no failure: the task is deferred, holds no worker, and goes on when it answers. That
    is bounded by `AIRLOCK_DESTINATION_WAIT_HOURS`; then the task fails, and is retried as any other.

    :param poke_interval: seconds between two looks whether it answers; None: `AIRLOCK_RETRY_SECONDS`.
    """

    def __init__(self, *, poke_interval: float | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.poke_interval = poke_interval

    def execute(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, int]:
        """Run the step, also after a while of waiting."""
        with guarded():
            transfer = open_transfer(context)
            left = self._patience(transfer)
        try:
            return run_step(
                self,
                transfer,
                context,
                lambda: self.call(transfer),
                waits=lambda error: left > 0 and isinstance(error, PeerDown),
            )
        except PeerDown as error:
            if left <= 0:
                raise
            self._wait(transfer, error, left)
            raise

    def peers(self, transfer: Transfer) -> tuple[Any, ...]:
        """Return the destinations.

        :raises NotApproved: when the approval has ended since the request was accepted: a transfer can wait for days.
        """
        transfer.policy.check_approved(datetime.now(UTC).astimezone().date())
        return (destinations_of(transfer),)

    def _patience(self, transfer: Transfer) -> float:
        """Return for how many seconds more the transfer may wait here."""
        bound = transfer.settings.destination_wait_hours * 3600
        since = datetime.now(UTC)
        for at, step, kind, _ in reversed(transfer.ledger.events(transfer.id)):
            if step == self.task_id and kind in ("finished", "failed"):
                break
            if step == self.task_id and kind == "waiting":
                since = at
        return bound - (datetime.now(UTC) - since).total_seconds()

    def _wait(self, transfer: Transfer, error: PeerDown, left: float) -> None:
        """Hand the waiting to the triggerer."""
        from airlock_provider.triggers.destination import DestinationTrigger

        seconds = min(left, float("inf") if error.seconds is None else error.seconds)
        destinations = destinations_of(transfer)
        down = {name: asdict(destinations[name]) for name in error.connections}
        # Not more often than once in a second, whatever is set: each look is an association with everybody's PACS.
        pause = max(1.0, transfer.settings.retry_seconds) if self.poke_interval is None else self.poke_interval
        trigger = DestinationTrigger(transfer.id, down, pause, None if seconds == float("inf") else seconds)
        # Shown with the transfer until the step goes on.
        transfer.ledger.describe(transfer.id, message=f"Waits. {error}")
        self.defer(trigger=trigger, method_name="execute")
