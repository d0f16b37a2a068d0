"""The header that Siemens scanners write into (0029,xx10) and (0029,xx20): cleaned in place.

It is a binary structure of named text items, and holds the scanner's protocol as text: physicists need both. Whatever
says who or when is overwritten by as many blanks, so that every length in the structure stays true.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from airlock.identity.identifiers import Identifiers
from airlock.identity.uids import is_registered

_RUN = re.compile(rb"[\x20-\x7e\t\r\n\x80-\xff]{3,}")
_UID = re.compile(r"(?<![0-9.])[0-9]+(?:\.[0-9]+){4,}(?![0-9.])")
_DATE = re.compile(r"(?<!\d)(?:19|20)\d{2}[-./]?(?:0[1-9]|1[0-2])[-./]?(?:0[1-9]|[12]\d|3[01])(?=\d{6}(?!\d)|[^\d]|$)")
# Text items of a patient that need not be among what was harvested.
_NAMED = re.compile(
    rb"(?:tPatient|PatientsName|PatientName|PatientID|PatientsBirth)[^\r\n\0]{0,20}?=[ \t]*([^\r\n\0]+)"
)


def clean_csa(value: bytes, identifiers: Identifiers) -> bytes | None:
    """Return the header without identifiers, dates and UIDs; None when one is left that cannot be cut."""
    cleaned = bytearray(value)
    for start, end in _spans(value, identifiers):
        cleaned[start:end] = b" " * (end - start)
    result = bytes(cleaned)
    return None if identifiers.in_bytes(result, dates=False) else result


def _spans(value: bytes, identifiers: Identifiers) -> Iterator[tuple[int, int]]:
    for match in _NAMED.finditer(value):
        yield match.span(1)
    for run in _RUN.finditer(value):
        # One byte is one character, so that offsets in the text are offsets in the bytes.
        text = run.group().decode("latin-1")
        spans = identifiers.find(text)
        spans += [m.span() for m in _UID.finditer(text) if not is_registered(m.group())]
        spans += [m.span() for m in _DATE.finditer(text)]
        yield from ((run.start() + start, run.start() + end) for start, end in spans)
