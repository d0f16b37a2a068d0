"""Triggers: what is waited for in the triggerer. Their events carry no patient data."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airlock.dicomio.peer import Peer
from airlock.dicomio.webpeer import WebPeer
from airlock.disk import has_room
from airlock.errors import PeerUnavailable
from airlock.quiet import guarded
from airlock.request.drop import settled_files
from airlock.retrieve.step import study_is_ready
from airlock.settings import load_settings
from airlock.transfer import Transfer
from airlock_provider.status import statuses_due


class RequestTrigger(BaseTrigger):
    """Fires when a request file lies in the drop folder and has settled.

    :param folder: the drop folder.
    :param settle_seconds: a file that changed within this time is still being written.
    :param poke_interval: seconds between two looks.
    """

    def __init__(self, folder: str, settle_seconds: float, poke_interval: float) -> None:
        super().__init__()
        self.folder = folder
        self.settle_seconds = settle_seconds
        self.poke_interval = poke_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Name the trigger and its arguments."""
        arguments = {
            "folder": self.folder,
            "settle_seconds": self.settle_seconds,
            "poke_interval": self.poke_interval,
        }
        return f"{__name__}.RequestTrigger", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until there is a request."""
        # Never at once: a task that is resumed before its first process has ended is taken for a failed one.
        await asyncio.sleep(self.poke_interval)
        while not await asyncio.to_thread(self._look):
            await asyncio.sleep(self.poke_interval)
        yield TriggerEvent({"found": True})

    def _look(self) -> bool:
        """Whether there is a request, and room to take it in."""
        return bool(settled_files(Path(self.folder), self.settle_seconds)) and has_room(load_settings())


class StudyTrigger(BaseTrigger):
    """Fires when the study of a transfer is complete at its source, or the time is over.

    :param peer: fields of the :class:`Peer` or :class:`WebPeer` to ask, None for the raw folder.
    :param poke_interval: seconds between two looks.
    :param timeout_seconds: then it fires with `found` false; time in which the PACS was down is added.
    """

    def __init__(
        self, transfer_id: str, peer: dict[str, Any] | None, poke_interval: float, timeout_seconds: float = 600.0
    ) -> None:
        super().__init__()
        self.transfer_id = transfer_id
        self.peer = peer
        self.poke_interval = poke_interval
        self.timeout_seconds = timeout_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Name the trigger and its arguments."""
        arguments = {
            "transfer_id": self.transfer_id,
            "peer": self.peer,
            "poke_interval": self.poke_interval,
            "timeout_seconds": self.timeout_seconds,
        }
        return f"{__name__}.StudyTrigger", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until the study is there or the time is over."""
        end = monotonic() + self.timeout_seconds
        found: bool | None = False
        while not found and monotonic() < end:
            since = monotonic()
            await asyncio.sleep(self.poke_interval)
            found = await asyncio.to_thread(self._look)
            if found is None:
                # The study cannot come to a PACS that is down: that time doesn't count.
                end += monotonic() - since
        yield TriggerEvent({"found": bool(found)})

    def _look(self) -> bool | None:
        """Whether the study is there; None when the PACS doesn't answer."""
        with guarded():
            try:
                transfer = Transfer.open(self.transfer_id)
                # The task that is resumed stops a transfer that is to stop.
                return transfer.ledger.cancel_asked(self.transfer_id) or study_is_ready(transfer, self._peer())
            except PeerUnavailable:
                return None

    def _peer(self) -> Peer | WebPeer | None:
        if not self.peer:
            return None
        return WebPeer(**self.peer) if "url" in self.peer else Peer(**self.peer)


class StatusTrigger(BaseTrigger):
    """Fires when there is a status that REDCap must be told now.

    :param poke_interval: seconds between two looks into the ledger.
    """

    def __init__(self, poke_interval: float) -> None:
        super().__init__()
        self.poke_interval = poke_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Name the trigger and its arguments."""
        return f"{__name__}.StatusTrigger", {"poke_interval": self.poke_interval}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until something is owed."""
        await asyncio.sleep(self.poke_interval)
        while not await asyncio.to_thread(statuses_due):
            await asyncio.sleep(self.poke_interval)
        yield TriggerEvent({"found": True})
