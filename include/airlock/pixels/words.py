"""What a header knows of the patient, in the plain spelling that readings are compared with. It stays in memory."""

from __future__ import annotations

import re
import unicodedata

from pydicom import Dataset

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")

IDENTIFIERS = (
    "PatientName",
    "PatientID",
    "OtherPatientNames",
    "OtherPatientIDs",
    "PatientBirthDate",
    "PatientBirthName",
    "PatientMotherBirthName",
    "PatientAddress",
    "PatientTelephoneNumbers",
    "AccessionNumber",
    "ReferringPhysicianName",
    "PerformingPhysicianName",
    "OperatorsName",
    "RequestingPhysician",
    "InstitutionName",
    "StudyID",
    "IssuerOfPatientID",
    "MilitaryRank",
)


def plain(text: str) -> str:
    """Upper-case ASCII letters and digits of a text, in the shape OCR returns them."""
    folded = unicodedata.normalize("NFKD", text.replace("ß", "ss").replace("ø", "o").replace("Ø", "O"))
    return "".join(c for c in folded.upper() if c.isalnum() and c.isascii())


def known_words(header: Dataset) -> frozenset[str]:
    """Return what the header knows of the patient, in plain spelling, three characters or more."""
    words: set[str] = set()
    for keyword in IDENTIFIERS:
        text = str(header.get(keyword) or "")
        parts = [text, *re.split(r"[\s^=\\,;/]+", text)]
        if keyword == "PatientBirthDate" and re.fullmatch(r"\d{8}", text):
            parts += _spellings(text[:4], text[4:6], text[6:])
        words.update(word for part in parts if len(word := plain(part)) >= 3)
    return frozenset(words)


def _spellings(year: str, month: str, day: str) -> list[str]:
    """Return a date as devices write it, with the month as a number and as a word."""
    months = [month, MONTHS[int(month) - 1]] if 1 <= int(month) <= len(MONTHS) else [month]
    return [written for m in months for y in (year, year[2:]) for written in (day + m + y, m + day + y)] + [
        year + m + day for m in months
    ]
