"""WaitingStepOperator: a step that waits for a PACS that is down, for its hours or for its turn, without a worker."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import asdict, astuple
from math import inf, isinf
from typing import TYPE_CHECKING, Any

from airlock.errors import AirlockError, OutsideHours, PeerDown, TurnAwaited
from airlock.quiet import guarded
from airlock.transfer import Transfer
from airlock_provider.context import open_transfer
from airlock_provider.operators.step import TransferStepOperator, run_step

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airlock.dicomio.peer import Peer
    from airlock.dicomio.webpeer import WebPeer

# Then the task looks for itself, and learns what was changed in its project's policy.
LONGEST_TURN_SECONDS = 900.0


class WaitingStepOperator(TransferStepOperator):
    """Run a step that may find its PACS down, outside its hours, or with as many transfers there as may be.

    None of it is a failure: the task is deferred, holds neither a worker nor a slot of its pool, and goes on when the
    PACS answers, its hours begin, or its turn has come.

    :param poke_interval: seconds between two looks whether a PACS answers; None: `AIRLOCK_RETRY_SECONDS`.
    """

    def __init__(self, *, poke_interval: float | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.poke_interval = poke_interval

    def execute(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, int]:
        """Run the step, also after a while of waiting."""
        with guarded():
            transfer = open_transfer(context)
            left = self.patience(transfer)

        def waits(error: AirlockError) -> bool:
            return isinstance(error, TurnAwaited | OutsideHours) or (left > 0 and isinstance(error, PeerDown))

        try:
            return run_step(self, transfer, context, lambda: self.call(transfer), waits=waits)
        except (PeerDown, TurnAwaited, OutsideHours) as error:
            if waits(error):
                self._wait(transfer, error, left)
            raise

    @abstractmethod
    def remotes(self, transfer: Transfer) -> dict[str, Peer | WebPeer]:
        """Return the PACSs that the step talks to, by the names of their connections."""

    def patience(self, transfer: Transfer) -> float:
        """Return for how many seconds more the transfer may wait here for a PACS that is down."""
        return inf

    def _wait(self, transfer: Transfer, error: PeerDown | TurnAwaited | OutsideHours, left: float) -> None:
        """Hand the waiting to the triggerer."""
        from airlock_provider.triggers.destination import DestinationTrigger

        seconds = inf if error.seconds is None else error.seconds
        down = {}
        if isinstance(error, PeerDown):
            seconds = min(seconds, left)
            remotes = self.remotes(transfer)
            down = {name: asdict(remotes[name]) for name in error.connections or remotes}
        if error.lines:
            seconds = min(seconds, LONGEST_TURN_SECONDS)
        # Not more often than once in a second, whatever is set: each look is an association with everybody's PACS.
        pause = max(1.0, transfer.settings.retry_seconds) if self.poke_interval is None else self.poke_interval
        lines = [list(astuple(line)) for line in error.lines]
        trigger = DestinationTrigger(transfer.id, down, pause, None if isinf(seconds) else seconds, lines)
        # Shown with the transfer until the step goes on.
        transfer.ledger.describe(transfer.id, message=f"Waits. {error}")
        self.defer(trigger=trigger, method_name="execute")
