"""One date offset per patient and project, and how DICOM dates are moved by it (PS3.15 section E.3.6)."""

from __future__ import annotations

import re

from airlock.identity.days import date, timedelta
from airlock.identity.keyed import keyed_digest
from airlock.identity.keys import KeyRing
from airlock.patterns import compiled_later

# DA as PS3.5 section 6.2 has it, and the dotted form of ACR-NEMA 2.0 that old devices still write.
_DATE = re.compile(r"([0-9]{4})(\.?)([0-9]{2})\2([0-9]{2})")
_REST_OF_DATETIME = compiled_later(
    r"(?:(?:[01][0-9]|2[0-3])(?:[0-5][0-9](?:(?:[0-5][0-9]|60)(?:\.[0-9]{1,6})?)?)?)?(?:[+-][01][0-9][0-5][0-9])?"
)


def offset_days(keys: KeyRing, project: str, patient: str, largest: int) -> int:
    """Return the number of days by which a patient's dates move: into the past, at least 1 and at most `largest`.

    Dates never move into the future, where nobody would believe them.

    :param patient: what tells the patient from others, in the original identifiers.
    """
    digest = keyed_digest(keys.derive("date", project), patient.encode("utf-8", "surrogateescape"))
    return -(1 + int.from_bytes(digest, "big") % largest)


def patient_key(patient_id: str, issuer: str, fallback: str) -> str:
    """Return what the offset of a patient is derived from.

    :param fallback: used when there is no PatientID, for example the StudyInstanceUID.
    """
    return f"id\0{issuer.strip()}\0{patient_id.strip()}" if patient_id.strip() else f"study\0{fallback}"


def parse_date(text: str) -> date | None:
    """Read a DA value; None when it is not one."""
    match = _DATE.fullmatch(text.strip(" \0"))
    if match is None:
        return None
    try:
        return date(int(match[1]), int(match[3]), int(match[4]))
    except ValueError:
        return None


def shift_date(text: str, days: int) -> str | None:
    """Move one DA value. None when it cannot be read or leaves the years 1 to 9999."""
    original = parse_date(text)
    if original is None:
        return None
    try:
        moved = original + timedelta(days=days)
    except OverflowError:
        return None
    return f"{moved.year:04}{moved.month:02}{moved.day:02}"


def shift_datetime(text: str, days: int) -> str | None:
    """Move the date of one DT value by whole days; time, fraction and zone stay.

    None when it cannot be read, or is less precise than a day and so cannot be moved by days.
    """
    stripped = text.strip(" \0")
    moved = shift_date(stripped[:8], days)
    if moved is None or not _REST_OF_DATETIME.fullmatch(stripped[8:]):
        return None
    return moved + stripped[8:]
