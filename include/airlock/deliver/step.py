"""The steps that send a transfer to its destinations, and prove that it arrived at each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from airlock.deliver.abreast import Sum, serve
from airlock.deliver.consignment import Consignment, Peers, consign
from airlock.deliver.sending import check_not_refused, confirm, release_refused, send, tell_refused
from airlock.dicomio.progress import Progress, no_progress
from airlock.errors import (
    AirlockError,
    Cancelled,
    DeliveryRefused,
    HeldError,
    OutsideHours,
    PeerDown,
    RetryableError,
    TurnAwaited,
)
from airlock.ledger import Counts
from airlock.transfer import Transfer


def send_to_research(transfer: Transfer, peers: Peers, progress: Progress | None = None) -> Counts:
    """Send every instance to the destinations that lack it, and note their answers to each in the ledger.

    What a busy peer refuses is sent again after a while. What it refuses for good is held, the others are sent and
    proven; run again after that, the step sends the refused ones once more. A destination that fails keeps no other
    from getting its images.

    :param peers: the destination, or the destinations by the names of their connections.
    :raises DeliveryRefused: a peer refused instances, or accepts nothing of their kind; the others were sent.
    :raises PeerDown: nobody answers at a destination, and the others have everything.
    :raises TurnAwaited: as many as may send to a destination already, and the others have everything.
    :raises PeerUnavailable: no answer in time, or the peer was out of resources for some; the others were sent.
    :raises OutsideHours: nothing may be sent at this time of day.
    :raises AssociationRejected: the peer refuses us.
    :raises AssociationAborted: the association ended in the middle.
    :raises HeldError: there is nothing to send, because whatever the project wants of the study is held.
    """
    told = Sum(progress or no_progress)
    _at_each(consign(transfer, peers), lambda one: send(one, told.of(one.destination)))
    counts = transfer.ledger.counts(transfer.id)
    if counts.held and not counts.sent and not counts.open:
        raise HeldError(
            f"Nothing can be sent: {counts.held} instances are held and none is left. `airlock status "
            f"{transfer.id}` says why. Nothing left the workspace."
        )
    return counts


def confirm_receipt(transfer: Transfer, peers: Peers) -> Counts:
    """Have each destination prove every instance it acknowledged; those that all have are `SENT`.

    Missing ones are sent again, once.

    :raises TransferIncomplete: when a destination still doesn't show all; a retry looks for those first.
    Raises else as :func:`send_to_research`.
    """
    _at_each(consign(transfer, peers), confirm)
    return transfer.ledger.counts(transfer.id)


def _at_each(consignments: Sequence[Consignment], do: Callable[[Consignment], None]) -> None:
    """Do something at every destination, whatever happens at the others; then raise what must be told first."""
    for consignment in consignments:
        release_refused(consignment)

    def once(consignment: Consignment) -> None:
        do(consignment)
        check_not_refused(consignment)

    errors = _foreseen(serve(consignments, once))
    if not errors:
        return
    first = _first(errors)
    if isinstance(first, DeliveryRefused):
        for consignment in consignments:
            if isinstance(errors.get(consignment.destination), DeliveryRefused):
                tell_refused(consignment)
    raise first


def _foreseen(failed: dict[str, Exception]) -> dict[str, AirlockError]:
    """Raise what goes before all others: that the transfer is cancelled, then what nobody foresaw."""
    for error in failed.values():
        if isinstance(error, Cancelled):
            raise error
    errors: dict[str, AirlockError] = {}
    for destination, error in failed.items():
        if not isinstance(error, AirlockError):
            raise error
        errors[destination] = error
    return errors


def _first(errors: dict[str, AirlockError]) -> AirlockError:
    """Return the error that decides what happens next, with what all of them say.

    What may be done at once comes first; then what a person must be told; waiting, which may take for ever, comes last.
    """
    first = min(errors.values(), key=_rank)
    if isinstance(first, PeerDown):
        first.connections = tuple(name for name, error in errors.items() if isinstance(error, PeerDown))
    if isinstance(first, PeerDown | TurnAwaited):
        first.lines = tuple(line for error in errors.values() if isinstance(error, TurnAwaited) for line in error.lines)
    if isinstance(first, PeerDown | TurnAwaited | OutsideHours):
        opens = [error.seconds or 0.0 for error in errors.values() if isinstance(error, OutsideHours)]
        first.seconds = min(opens, default=None)
    if len(errors) > 1:
        first.args = (" ".join(f"{name}: {error}" for name, error in errors.items()),)
    return first


def _rank(error: AirlockError) -> int:
    waits = (PeerDown, TurnAwaited, OutsideHours)
    if isinstance(error, waits):
        return 2 + next(number for number, kind in enumerate(waits) if isinstance(error, kind))
    return 0 if isinstance(error, RetryableError) else 1
