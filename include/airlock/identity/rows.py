"""Reads and writes of the identity store, within one transaction of a project."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import ARRAY, ColumnElement, Text, func, literal, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import InstrumentedAttribute, Session

from airlock.errors import HeldError, RefusedError, RetryableError
from airlock.identity.models import AliasRow, Base, CounterRow, PatientRow, UidRow

T = TypeVar("T")
_AT_ONCE_SQLITE, _AT_ONCE_POSTGRESQL = 1000, 50_000
_LONGEST_ORIGINAL = 255
_AGAIN = "Another transfer changed the identity store at the same moment. It is tried again by itself."


def insert_new(session: Session, table: type[Base], rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert the rows that break no unique constraint; return how many these were."""
    insert = postgresql.insert if _is_postgresql(session) else sqlite.insert
    if not rows:
        return 0
    # A list of parameters, not of VALUES: the driver then runs one statement many times, without compiling it anew.
    statement = insert(table).on_conflict_do_nothing().execution_options(preserve_rowcount=True)
    added: int = session.connection().execute(statement, [dict(row) for row in rows]).rowcount
    return added


def _is_postgresql(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"


def insert_one(session: Session, table: type[Base], **row: Any) -> None:
    """Insert a row that is not there.

    :raises RetryableError: when it is, after all.
    """
    if insert_new(session, table, [row]) != 1:
        raise RetryableError(_AGAIN)


def find_patient(session: Session, project: str, patient_id: str, issuer: str, study_uid: str) -> PatientRow | None:
    """Return a patient.

    A patient whose issuer was never named is the one that is found with an issuer later, which is then noted; and a
    patient that is found without an issuer is the only one known of that PatientID.

    :param study_uid: tells the patient when there is no PatientID, else empty.
    :raises HeldError: when there is no issuer, and patients of several issuers have this PatientID.
    """
    query = select(PatientRow).where(
        PatientRow.project == project, PatientRow.patient_id == patient_id, PatientRow.study_uid == study_uid
    )
    by_issuer = {row.issuer: row for row in session.scalars(query)}
    if issuer in by_issuer:
        return by_issuer[issuer]
    if issuer:
        row = by_issuer.get("")
        if row is not None:
            row.issuer = issuer
            session.flush()
        return row
    if len(by_issuer) > 1:
        raise HeldError(
            f"Patients of {len(by_issuer)} different issuers have this PatientID in this project, and the study does "
            "not name its issuer (0010,0021). Have it added at the source, and request the transfer again."
        )
    return next(iter(by_issuer.values()), None)


def owner_of(session: Session, project: str, subject: str) -> int | None:
    """Return the row id of the patient that has a subject id, as its first or as a further one."""
    for query in (
        select(PatientRow.id).where(PatientRow.project == project, PatientRow.subject == subject),
        select(AliasRow.patient).where(AliasRow.project == project, AliasRow.subject == subject),
    ):
        owner = session.scalars(query).first()
        if owner is not None:
            return owner
    return None


def require_owner(session: Session, project: str, subject: str) -> int:
    """Return the row id of the patient that has a subject id.

    :raises RefusedError: when nobody has it.
    """
    owner = owner_of(session, project, subject)
    if owner is None:
        raise RefusedError("No patient of this project has that research subject id.")
    return owner


def subjects_elsewhere(session: Session, project: str, patient_id: str) -> set[str]:
    """Return the subject ids that other projects gave to a PatientID."""
    query = select(PatientRow.subject).where(PatientRow.project != project, PatientRow.patient_id == patient_id)
    return set(session.scalars(query)) if patient_id else set()


def next_number(session: Session, project: str, name: str) -> int:
    """Return the next running number, from 1, which is then taken."""
    row = session.get(CounterRow, (project, name))
    if row is None:
        row = CounterRow(project=project, name=name, value=0)
        session.add(row)
    row.value += 1
    session.flush()
    return row.value


def raise_counter(session: Session, project: str, name: str, least: int) -> None:
    """Let running numbers go on after those that were given out elsewhere."""
    row = session.get(CounterRow, (project, name))
    if row is None:
        session.add(CounterRow(project=project, name=name, value=least))
    elif row.value < least:
        row.value = least
    session.flush()


def known_uids(session: Session, project: str, uids: Iterable[str]) -> dict[str, str]:
    """Return those of the UIDs that have a new one."""
    query = select(UidRow.uid, UidRow.new_uid).where(UidRow.project == project)
    found: dict[str, str] = {}
    for chunk in portions(session, uids):
        found.update(session.execute(query.where(among(session, UidRow.uid, chunk))).all())
    return found


def among(session: Session, column: InstrumentedAttribute[str], values: list[str]) -> ColumnElement[bool]:
    """Return the condition that a column has one of many values."""
    if not _is_postgresql(session):
        return column.in_(values)
    # From an array, they are looked up by the index; a long list of parameters is compared with every row of the table.
    return column.in_(select(func.unnest(literal(values, ARRAY(Text))).column_valued("wanted")))


def add_uids(session: Session, project: str, pairs: Mapping[str, str], owner: Callable[[str], int | None]) -> int:
    """Note new UIDs; return how many were not known.

    :param pairs: none of them known with another new UID.
    :param owner: returns the row id of a UID's patient, by the original UID.
    :raises HeldError: when another UID has one of the new UIDs.
    """
    rows = [{"project": project, "uid": old, "new_uid": new, "patient": owner(old)} for old, new in pairs.items()]
    added = insert_new(session, UidRow, rows)
    if added == len(rows):
        return added
    stored = known_uids(session, project, pairs)
    if any(old not in stored for old in pairs):
        raise HeldError(
            "Two original UIDs would get the same new UID. Look at the UIDs that were imported into this project, and "
            "at the study: it cannot go on as it is."
        )
    if any(stored[old] != new for old, new in pairs.items()):
        raise RetryableError(_AGAIN)
    return added


def storable(value: str) -> bool:
    """Whether a value can be kept as it is, in either database."""
    return 0 < len(value) <= _LONGEST_ORIGINAL and not any(c < " " or "\ud800" <= c <= "\udfff" for c in value)


def portions(session: Session, items: Iterable[T]) -> Iterator[list[T]]:
    """Yield lists of as many items as one query may ask for with :func:`among`."""
    iterator, size = iter(items), _AT_ONCE_POSTGRESQL if _is_postgresql(session) else _AT_ONCE_SQLITE
    while portion := list(islice(iterator, size)):
        yield portion
