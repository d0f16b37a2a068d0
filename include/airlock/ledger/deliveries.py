"""Deliveries: what became of each instance at each destination, and what that makes of the instance.

An instance is `READY` as long as a destination lacks it, `HELD` when one refuses it and none lacks it, `ACKNOWLEDGED`
when one has yet to prove that it has it, and `SENT` when all have proven it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import fields, replace

from sqlalchemy import ColumnElement, Insert, and_, exists, func, insert, literal, null, or_, select, update
from sqlalchemy.orm import Session, aliased

from airlock.ledger.cancellation import Cancellation
from airlock.ledger.models import DeliveryRow, InstanceRow, InstanceState
from airlock.ledger.update import InstanceUpdate

UNNAMED = ""
"""The destination of what was sent before destinations were noted."""
_ON_ITS_WAY = (InstanceState.READY, InstanceState.ACKNOWLEDGED, InstanceState.SENT)
_ORDER = (InstanceState.READY, InstanceState.HELD, InstanceState.ACKNOWLEDGED, InstanceState.SENT)
_CHUNK = 500


class Deliveries(Cancellation):
    """The part of the ledger that knows destinations."""

    def consign(self, transfer_id: str, destinations: Sequence[str]) -> None:
        """Have every instance that may be sent go to these destinations. What each of them has already stays so.

        :param destinations: names of their connections, at least one.
        """
        with self._begin() as session:
            of_transfer = DeliveryRow.transfer_id == transfer_id
            session.execute(
                update(DeliveryRow)
                .where(of_transfer, DeliveryRow.destination == UNNAMED)
                .values(destination=destinations[0])
            )
            _begin_again(session, transfer_id)
            for destination in destinations:
                session.execute(_missing_rows(transfer_id, destination))
            refused = aliased(DeliveryRow)
            finished = or_(
                InstanceRow.state.in_((InstanceState.ACKNOWLEDGED, InstanceState.SENT)),
                # Not what an earlier step holds.
                and_(InstanceRow.state == InstanceState.HELD, _refused(refused)),
            )
            lacking = of_transfer, DeliveryRow.state == InstanceState.READY, DeliveryRow.destination.in_(destinations)
            query = select(DeliveryRow.instance_id).join(InstanceRow, _same()).where(*lacking, finished).distinct()
            ids = list(session.scalars(query))
            for start in range(0, len(ids), _CHUNK):
                rows = _rows(session, transfer_id, ids[start : start + _CHUNK], destinations)
                _roll_up(session, transfer_id, rows, destinations)

    def deliveries(self, transfer_id: str, destination: str, *states: InstanceState) -> list[InstanceUpdate]:
        """Return the instances of a transfer with state, reason and status as they are at one destination.

        :param states: only those in these states, and of those that lack or refuse it only what still goes there: not
            what a person left out, or what an earlier step holds. None: all that was ever to go there.
        """
        query = (
            select(InstanceRow, DeliveryRow)
            .join(DeliveryRow, _same())
            .where(InstanceRow.transfer_id == transfer_id, DeliveryRow.destination == destination)
            .order_by(InstanceRow.id)
        )
        if states:
            query = query.where(DeliveryRow.state.in_(states), _still_goes())
        names = [f.name for f in fields(InstanceUpdate)]
        with self._begin() as session:
            return [
                replace(
                    InstanceUpdate(**{name: getattr(instance, name) for name in names}),
                    state=row.state,
                    reason=row.reason,
                    status=row.status,
                )
                for instance, row in session.execute(query)
            ]

    def record_deliveries(
        self, transfer_id: str, destination: str, updates: Iterable[InstanceUpdate], among: Sequence[str]
    ) -> None:
        """Write what a destination said of instances, and what that makes of them, in one transaction.

        :param updates: state, reason and status; `None` leaves a column as it is.
        :param among: all destinations of the transfer; none to leave the instances themselves as they are.
        :raises Cancelled: within :meth:`Ledger.stopping`, once it is written, when the transfer is to stop.
        """
        pending = {change.id: change for change in updates}
        ids = list(pending)
        with self._begin() as session:
            for start in range(0, len(ids), _CHUNK):
                rows = _rows(session, transfer_id, ids[start : start + _CHUNK], {destination, *among})
                for row in rows:
                    if row.destination == destination:
                        change = pending[row.instance_id]
                        row.state = change.state or row.state
                        row.reason = row.reason if change.reason is None else change.reason
                        row.status = row.status if change.status is None else change.status
                if among:
                    _roll_up(session, transfer_id, rows, among)
        self._stop_if_asked(transfer_id)

    def destinations(self, transfer_id: str | None = None) -> dict[str, dict[InstanceState, int]]:
        """Return how many instances are in which state, by destination.

        :param transfer_id: of this transfer; None: of all.
        """
        query = select(DeliveryRow.destination, DeliveryRow.state, func.count())
        if transfer_id is not None:
            query = query.where(DeliveryRow.transfer_id == transfer_id)
        found: defaultdict[str, dict[InstanceState, int]] = defaultdict(dict)
        with self._begin() as session:
            for name, state, count in session.execute(query.group_by(DeliveryRow.destination, DeliveryRow.state)):
                found[name][state] = count
        return dict(sorted(found.items()))


def _same() -> ColumnElement[bool]:
    return and_(InstanceRow.transfer_id == DeliveryRow.transfer_id, InstanceRow.id == DeliveryRow.instance_id)


def _still_goes() -> ColumnElement[bool]:
    ready, held = InstanceState.READY, InstanceState.HELD
    return or_(
        DeliveryRow.state.not_in((ready, held)),
        and_(DeliveryRow.state == ready, InstanceRow.state == ready),
        and_(DeliveryRow.state == held, InstanceRow.state.in_((ready, held))),
    )


def _refused(rows: type[DeliveryRow]) -> ColumnElement[bool]:
    """Whether an instance is held because a destination refuses it."""
    of_instance = rows.transfer_id == InstanceRow.transfer_id, rows.instance_id == InstanceRow.id
    return exists().where(*of_instance, rows.state == InstanceState.HELD)


def _begin_again(session: Session, transfer_id: str) -> None:
    """Send instances again of which a step before made a new file: ready as a whole, and lacking nowhere."""
    rows = DeliveryRow.transfer_id == transfer_id
    lacking = exists().where(rows, DeliveryRow.instance_id == InstanceRow.id, DeliveryRow.state == InstanceState.READY)
    known = exists().where(rows, DeliveryRow.instance_id == InstanceRow.id)
    ready = InstanceRow.transfer_id == transfer_id, InstanceRow.state == InstanceState.READY
    # Apart from the change: SQLite would see rows of the same instance that it has just changed.
    again = list(session.scalars(select(InstanceRow.id).where(*ready, known, ~lacking)))
    for start in range(0, len(again), _CHUNK):
        of_chunk = DeliveryRow.instance_id.in_(again[start : start + _CHUNK])
        session.execute(update(DeliveryRow).where(rows, of_chunk).values(state=InstanceState.READY, reason=""))


def _missing_rows(transfer_id: str, destination: str) -> Insert:
    """Return the statement that adds an instance to a destination, where it is not yet."""
    known = aliased(DeliveryRow)
    of_instance = known.transfer_id == InstanceRow.transfer_id, known.instance_id == InstanceRow.id
    wanted = (
        select(
            InstanceRow.transfer_id,
            InstanceRow.id,
            literal(destination),
            literal(InstanceState.READY, DeliveryRow.state.type),
            literal(""),
            null(),
        )
        .where(InstanceRow.transfer_id == transfer_id)
        .where(
            or_(
                InstanceRow.state.in_(_ON_ITS_WAY),
                and_(InstanceRow.state == InstanceState.HELD, _refused(known)),
            )
        )
        .where(~exists().where(*of_instance, known.destination == destination))
    )
    columns = ["transfer_id", "instance_id", "destination", "state", "reason", "status"]
    return insert(DeliveryRow).from_select(columns, wanted)


def _rows(session: Session, transfer_id: str, ids: Sequence[str], destinations: Collection[str]) -> list[DeliveryRow]:
    query = select(DeliveryRow).where(
        DeliveryRow.transfer_id == transfer_id,
        DeliveryRow.instance_id.in_(ids),
        DeliveryRow.destination.in_(destinations),
    )
    # Destinations are served side by side: what becomes of an instance follows from all its rows as they are at the
    # end. In one order, so that two who want the same rows wait for each other one way round.
    return list(session.scalars(query.order_by(DeliveryRow.instance_id, DeliveryRow.destination).with_for_update()))


def _roll_up(session: Session, transfer_id: str, rows: Iterable[DeliveryRow], among: Collection[str]) -> None:
    """Write into instances what their deliveries to some destinations make of them."""
    of_instance: defaultdict[str, list[DeliveryRow]] = defaultdict(list)
    for row in rows:
        if row.destination in among:
            of_instance[row.instance_id].append(row)
    query = select(InstanceRow).where(
        InstanceRow.transfer_id == transfer_id,
        InstanceRow.id.in_(list(of_instance)),
        InstanceRow.state.in_((*_ON_ITS_WAY, InstanceState.HELD)),
    )
    for instance in session.scalars(query):
        decides = min(of_instance[instance.id], key=lambda row: (_ORDER.index(row.state), -(row.status or 0)))
        named = f"{decides.destination}: " if len(among) > 1 and decides.reason else ""
        instance.state, instance.status = decides.state, decides.status
        instance.reason = named + decides.reason
