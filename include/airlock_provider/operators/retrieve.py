"""PullOperator: the step that brings a study in from where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airlock.transfer import Transfer
from airlock_provider.context import source_of
from airlock_provider.operators.waiting import WaitingStepOperator

if TYPE_CHECKING:
    from airlock.dicomio.peer import Peer
    from airlock.dicomio.webpeer import WebPeer


class PullOperator(WaitingStepOperator):
    """Run a step whose function takes the transfer and its source: the PACS, or None for the raw folder.

    A PACS that is down is waited for without an end, as the sensor before does.
    """

    def peers(self, transfer: Transfer) -> tuple[Any, ...]:
        """Return the source."""
        return (source_of(transfer),)

    def remotes(self, transfer: Transfer) -> dict[str, Peer | WebPeer]:
        """Return the PACS."""
        source = source_of(transfer)
        return {} if source is None else {"source": source}
