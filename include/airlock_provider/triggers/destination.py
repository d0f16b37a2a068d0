"""DestinationTrigger: waits until a PACS that was down answers again, or a transfer's turn has come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from time import monotonic
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airlock.deliver.outlets import Remote, answers
from airlock.dicomio.peer import Peer
from airlock.dicomio.turns import Line
from airlock.dicomio.webpeer import WebPeer
from airlock.ledger import Ledger
from airlock.quiet import guarded
from airlock.settings import load_settings
from airlock.transfer import open_ledger

# A line is a folder on our own disk: looking into it disturbs no PACS.
TURN_POKE_SECONDS = 2.0


class DestinationTrigger(BaseTrigger):
    """Fires when one of these PACSs answers, it is the transfer's turn, it is to stop, or the time is over.

    What then happens is the task's affair: the event says nothing.

    :param peers: fields of the :class:`Peer` or :class:`WebPeer` of each that is down, by connection.
    :param poke_interval: seconds between two looks at them.
    :param seconds: None to wait without end.
    :param lines: fields of each :class:`Line` in which the transfer waits for its turn.
    """

    def __init__(
        self,
        transfer_id: str,
        peers: dict[str, dict[str, Any]],
        poke_interval: float,
        seconds: float | None = None,
        lines: Sequence[Sequence[Any]] = (),
    ) -> None:
        super().__init__()
        self.transfer_id = transfer_id
        self.peers = peers
        self.poke_interval = poke_interval
        self.seconds = seconds
        self.lines = [list(line) for line in lines]

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Name the trigger and its arguments."""
        arguments = {
            "transfer_id": self.transfer_id,
            "peers": self.peers,
            "poke_interval": self.poke_interval,
            "seconds": self.seconds,
            "lines": self.lines,
        }
        return f"{__name__}.DestinationTrigger", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until there is something to do."""
        asked = monotonic()
        end = float("inf") if self.seconds is None else asked + self.seconds
        pause = min(self.poke_interval, TURN_POKE_SECONDS) if self.lines else self.poke_interval
        while True:
            # Never at once: a task that is resumed before its first process has ended is taken for a failed one.
            await asyncio.sleep(pause)
            ask = monotonic() - asked >= self.poke_interval
            asked = monotonic() if ask else asked
            if monotonic() >= end or await asyncio.to_thread(self._look, ask):
                break
        yield TriggerEvent({})

    def _look(self, ask: bool) -> bool:
        """Whether there is something to do.

        :param ask: the PACSs, too.
        """
        with guarded():
            # Each line is looked at: who doesn't look for long is taken for gone.
            turns = [Line(*line).has_turn(self.transfer_id) for line in self.lines]
            if any(turns):
                return True
            ledger: Ledger = open_ledger(load_settings())
            if ledger.cancel_asked(self.transfer_id):
                return True
            return ask and any(answers(_peer(peer)) for peer in self.peers.values())


def _peer(fields: dict[str, Any]) -> Remote:
    return WebPeer(**fields) if "url" in fields else Peer(**fields)
