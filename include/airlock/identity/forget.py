"""Withdrawing a patient."""

from __future__ import annotations

from sqlalchemy import func, select

from airlock.errors import RefusedError
from airlock.identity.models import AccessionRow, AliasRow, PatientRow, StudyRow, UidRow
from airlock.identity.rows import require_owner
from airlock.identity.store import IdentityStore


def forget(store: IdentityStore, project: str, patient_id: str = "", subject: str = "") -> dict[str, int]:
    """Withdraw a patient: its rows and those of its studies, accession numbers and UIDs; return how many.

    With the key, the same values would be made again for the same patient; numbers are not given out again.

    :raises RefusedError: when nobody is meant.
    """
    with store.transaction(project) as session:
        if subject:
            rows = [session.get_one(PatientRow, require_owner(session, project, subject))]
        else:
            query = select(PatientRow).where(PatientRow.project == project, PatientRow.patient_id == patient_id)
            rows = list(session.scalars(query)) if patient_id else []
        if not rows:
            raise RefusedError("No patient of this project is meant by that.")
        ids = [row.id for row in rows]
        counts = {"patients": len(rows)}
        for name, column in (
            ("studies", StudyRow.patient),
            ("accessions", AccessionRow.patient),
            ("uids", UidRow.patient),
            ("further_ids", AliasRow.patient),
        ):
            counts[name] = session.scalar(select(func.count()).where(column.in_(ids))) or 0
        for row in rows:
            session.delete(row)
        return counts
