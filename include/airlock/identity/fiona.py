"""FIONA's rules for new UIDs and numbers, for projects whose earlier studies were made with them.

They hash without a secret: whoever has an original can compute the new value. And a part of what they make is not
legal DICOM. They are for continuity, never for new projects.
"""

from __future__ import annotations

import hashlib
import re

ROOT = "1.3.6.1.4.1.45037."
_LONGEST_UID = 63
# PS3.5 section 9.1: components without leading zeros, 64 characters at most.
_LEGAL_UID = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+")
_DECIMAL = str.maketrans("abcdef", "012345")


def is_legal_uid(uid: str) -> bool:
    """Whether a UID is one that PS3.5 section 9.1 allows."""
    return len(uid) <= 64 and _LEGAL_UID.fullmatch(uid) is not None


def fiona_uid(original: str, project: str, *, hexadecimal: bool = False) -> str:
    """Return FIONA's new UID: its root and digits of SHA-256(original + project), 63 characters.

    The hash is over the value as it lies in the file, so a UID of odd length has its padding NUL.

    :param hexadecimal: the old style, with letters, which is never legal. The newer one isn't in one case of eight,
        where the digits begin with 0.
    """
    return (ROOT + _digits(_padded(original), project, hexadecimal=hexadecimal))[:_LONGEST_UID]


def fiona_number(value: str, project: str = "", *, hexadecimal: bool = False) -> str:
    """Return FIONA's 16 digits for a text value such as an accession number."""
    padded = value if len(value) % 2 == 0 else f"{value} "
    return _digits(padded, project, hexadecimal=hexadecimal)[:16]


def fiona_study_id(study_uid: str, project: str, *, hexadecimal: bool = False) -> str:
    """Return FIONA's StudyID, 16 digits made of the original StudyInstanceUID and the project."""
    return _digits(_padded(study_uid), project, hexadecimal=hexadecimal)[:16]


def _padded(uid: str) -> str:
    return uid if len(uid) % 2 == 0 else f"{uid}\0"


def _digits(value: str, project: str, *, hexadecimal: bool) -> str:
    text = (value + project).encode("utf-8", "surrogateescape")
    digest = hashlib.sha256(text).hexdigest()
    return digest if hexadecimal else digest.translate(_DECIMAL)
