"""DestinationTrigger: waits until a destination that was down answers again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from time import monotonic
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airlock.deliver.outlets import Remote, answers
from airlock.dicomio.peer import Peer
from airlock.dicomio.webpeer import WebPeer
from airlock.ledger import Ledger
from airlock.quiet import guarded
from airlock.settings import load_settings
from airlock.transfer import open_ledger


class DestinationTrigger(BaseTrigger):
    """Fires when one of these destinations answers, the transfer is to stop, or the time is over.

    What then happens is the task's affair: the event says nothing.

    :param peers: fields of the :class:`Peer` or :class:`WebPeer` of each that is down, by connection.
    :param poke_interval: seconds between two looks.
    :param seconds: None to wait without end.
    """

    def __init__(
        self, transfer_id: str, peers: dict[str, dict[str, Any]], poke_interval: float, seconds: float | None = None
    ) -> None:
        super().__init__()
        self.transfer_id = transfer_id
        self.peers = peers
        self.poke_interval = poke_interval
        self.seconds = seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Name the trigger and its arguments."""
        arguments = {
            "transfer_id": self.transfer_id,
            "peers": self.peers,
            "poke_interval": self.poke_interval,
            "seconds": self.seconds,
        }
        return f"{__name__}.DestinationTrigger", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until there is something to do."""
        end = float("inf") if self.seconds is None else monotonic() + self.seconds
        while True:
            # Never at once: a task that is resumed before its first process has ended is taken for a failed one.
            await asyncio.sleep(self.poke_interval)
            if monotonic() >= end or await asyncio.to_thread(self._look):
                break
        yield TriggerEvent({})

    def _look(self) -> bool:
        with guarded():
            ledger: Ledger = open_ledger(load_settings())
            return ledger.cancel_asked(self.transfer_id) or any(answers(_peer(peer)) for peer in self.peers.values())


def _peer(fields: dict[str, Any]) -> Remote:
    return WebPeer(**fields) if "url" in fields else Peer(**fields)
