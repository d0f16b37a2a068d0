"""Tables of who became whom, for those who may have them: the RSNA lookup table, and pairs of ids."""

from __future__ import annotations

import csv
import os
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Select, and_, func, select

from airlock.errors import RefusedError
from airlock.identity.imports.tables import LOOKUP_COLUMNS
from airlock.identity.models import AccessionRow, PatientRow, StudyRow, UidRow
from airlock.identity.rows import require_owner
from airlock.identity.store import IdentityStore

PAIR_COLUMNS = ("id_old", "id_new")
_Query = Select[*tuple[Any, ...]]
KINDS = ("lookup", "uid-map", "patid-map")


def export(store: IdentityStore, project: str, kind: str, target: Path, subject: str = "") -> int:
    """Write a table as CSV (UTF-8, heading row), readable by its owner only; return the number of its rows.

    :param kind: `lookup` as the RSNA anonymizer writes it, one row per study; `uid-map` or `patid-map` as the
        MIDI-B benchmark wants it.
    :param subject: of this research subject only.
    :raises RefusedError: when nobody has that subject id, or the file cannot be written.
    """
    columns = LOOKUP_COLUMNS if kind == "lookup" else PAIR_COLUMNS
    query = {"lookup": _lookup, "uid-map": _uids, "patid-map": _patients}[kind](project)
    with store.transaction(project, dry_run=True) as session:
        if subject:
            query = query.where(PatientRow.id == require_owner(session, project, subject))
        rows = session.execute(query.execution_options(yield_per=1000))
        return _write(target, columns, rows)


def _lookup(project: str) -> _Query:
    days = func.coalesce(StudyRow.offset_days, PatientRow.offset_days)
    return (
        select(
            PatientRow.subject,
            PatientRow.subject.label("name"),
            PatientRow.name.label("original_name"),
            PatientRow.patient_id,
            days,
            StudyRow.study_date,
            AccessionRow.pseudonym,
            StudyRow.accession,
            func.coalesce(UidRow.new_uid, StudyRow.study_uid),
            StudyRow.study_uid,
            StudyRow.series,
            StudyRow.instances,
        )
        .join(PatientRow, PatientRow.id == StudyRow.patient)
        .outerjoin(UidRow, and_(UidRow.project == project, UidRow.uid == StudyRow.study_uid))
        .outerjoin(
            AccessionRow, and_(AccessionRow.patient == PatientRow.id, AccessionRow.accession == StudyRow.accession)
        )
        .where(StudyRow.project == project)
        .order_by(PatientRow.id, StudyRow.id)
    )


def _uids(project: str) -> _Query:
    query = select(UidRow.uid, UidRow.new_uid).outerjoin(PatientRow, PatientRow.id == UidRow.patient)
    return query.where(UidRow.project == project).order_by(UidRow.uid)


def _patients(project: str) -> _Query:
    query = select(PatientRow.patient_id, PatientRow.subject)
    return query.where(PatientRow.project == project, PatientRow.patient_id != "").order_by(PatientRow.id)


def _write(target: Path, columns: Sequence[str], rows: Iterator[Any]) -> int:
    count = 0
    part = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(columns)
            for row in rows:
                writer.writerow("" if value is None else value for value in row)
                count += 1
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(target)
    except OSError as error:
        raise RefusedError(f"The table cannot be written: {error.strerror}.") from None
    finally:
        part.unlink(missing_ok=True)
    return count
