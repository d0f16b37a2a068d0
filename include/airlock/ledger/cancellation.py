"""A person wants a transfer to stop: it is asked for in the ledger, and noticed by whatever works on the transfer.

The wish is an event. It is open until the transfer ends, in whatever way: a wish that came too late to stop anything
says nothing about the next time the transfer is done.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import select
from sqlalchemy.orm import Session

from airlock.errors import Cancelled, InvalidRequest, NotPossibleNow
from airlock.ledger.models import EventRow, TransferRow, TransferState
from airlock.ledger.store import Store

STEP, KIND = "request", "cancel"
_LOOK_EVERY_SECONDS = 1.0


class Cancellation(Store):
    """The part of the ledger that knows of such wishes."""

    _watched: str | None = None
    _looked_at = 0.0

    def ask_cancel(self, transfer_id: str, by: str) -> None:
        """Note that a transfer is to stop. Asking twice is harmless.

        :param by: account of the person who asks.
        :raises InvalidRequest: when there is no such transfer.
        :raises NotPossibleNow: when it has ended.
        """
        with self._begin() as session:
            row = session.get(TransferRow, transfer_id, with_for_update=True)
            if row is None:
                raise InvalidRequest("The ledger knows no such transfer. `airlock status` lists the latest ones.")
            if row.state.ended:
                raise NotPossibleNow(
                    f"The transfer has ended ({row.state}): there is nothing to stop. `airlock withdraw` takes it back."
                )
            if not _asked(session, transfer_id):
                self._append(session, row, STEP, KIND, {"by": by})

    def cancel_asked(self, transfer_id: str) -> bool:
        """Whether a transfer is to stop."""
        with self._begin() as session:
            return _asked(session, transfer_id)

    def check_not_cancelled(self, transfer_id: str) -> None:
        """Go on, unless the transfer is to stop.

        :raises Cancelled: when it is.
        """
        if self.cancel_asked(transfer_id):
            raise Cancelled("Cancelled by a person. To do it after all, ask for it again.")

    @contextmanager
    def stopping(self, transfer_id: str) -> Iterator[None]:
        """Within the block, writing down what became of instances stops a transfer that is to stop.

        So a step ends between two batches of instances, with everything known that it had done.

        :raises Cancelled: then, or at the beginning.
        """
        self.check_not_cancelled(transfer_id)
        self._watched, self._looked_at = transfer_id, time.monotonic()
        try:
            yield
        finally:
            self._watched = None

    def _stop_if_asked(self, transfer_id: str) -> None:
        if self._watched == transfer_id and time.monotonic() - self._looked_at >= _LOOK_EVERY_SECONDS:
            self._looked_at = time.monotonic()
            self.check_not_cancelled(transfer_id)


def _asked(session: Session, transfer_id: str) -> bool:
    of_transfer = select(EventRow).where(EventRow.transfer_id == transfer_id).order_by(EventRow.id.desc())
    wish = session.scalars(of_transfer.where(EventRow.step == STEP, EventRow.kind == KIND).limit(1)).first()
    if wish is None:
        return False
    later = session.scalars(of_transfer.where(EventRow.kind == "state", EventRow.id > wish.id))
    return not any(TransferState(event.detail["after"]).ended for event in later)
