"""What a pseudonym may look like (PS3.5 section 6.2)."""

from __future__ import annotations

import re

SUBJECT_LENGTH = 64  # LO
ACCESSION_LENGTH = 16  # SH
_TEXT = re.compile(r"[^\\\x00-\x1f\x7f]+")


def is_subject(text: str) -> bool:
    """Whether a text can be a research subject id: PatientID is LO, and PatientName must hold it too."""
    return _fits(text, SUBJECT_LENGTH) and not set(text) & set("^=")


def is_accession(text: str) -> bool:
    """Whether a text can be an AccessionNumber, which is SH."""
    return _fits(text, ACCESSION_LENGTH)


def _fits(text: str, length: int) -> bool:
    return bool(text.strip()) and len(text) <= length and _TEXT.fullmatch(text) is not None
