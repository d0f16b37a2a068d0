"""How a patient that is not known yet gets its research subject id and its accession numbers."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.orm import Session

from airlock.errors import HeldError, PolicyError
from airlock.identity.fiona import fiona_number
from airlock.identity.keyed import keyed_digest
from airlock.identity.keys import KeyRing
from airlock.identity.pattern import Choose, IdPattern
from airlock.identity.rows import next_number, owner_of, subjects_elsewhere

PATIENTS, ACCESSIONS = "patient", "accession"
_HIGHEST = 999_999
_TRIES = 1000


def hashed_subject(keys: KeyRing, project: str, key: str) -> str:
    """Return a subject id that is a keyed hash of the patient."""
    return "P-" + keys.token(f"patient/{project}", key, length=13).upper()


def numbered_subject(session: Session, project: str, site: str, *, dry_run: bool) -> str:
    """Return `<site>-<6 digits>`, the next running number of the project; in a dry run 0, which nobody gets.

    :raises PolicyError: when all numbers are given out.
    """
    number = 0
    while not dry_run:
        number = next_number(session, project, PATIENTS)
        if number > _HIGHEST:
            raise PolicyError("All numbers of this project's site are given out. Give the project another `site`.")
        if owner_of(session, project, f"{site}-{number:06}") is None:
            break
    return f"{site}-{number:06}"


def patterned_subject(
    session: Session, keys: KeyRing, project: str, patient_id: str, key: str, pattern: IdPattern
) -> str:
    """Return a free id that matches the project's pattern, and that no other project gave to this patient.

    :raises PolicyError: when no free one was found.
    """
    taken = subjects_elsewhere(session, project, patient_id)
    for attempt in range(_TRIES):
        subject = pattern.make(_chooser(keys.derive("id-pattern", project), f"{attempt}\0{key}"))
        if pattern.matches(subject) and subject not in taken and owner_of(session, project, subject) is None:
            return subject
    raise PolicyError(
        "No free id that matches the project's pattern was found: it allows too few. Give the project a `pattern` with "
        "more digits."
    )


def _chooser(key: bytes, seed: str) -> Choose:
    """Return choices that are the same whenever key and seed are."""
    count = 0

    def choose(below: int) -> int:
        nonlocal count
        count += 1
        digest = keyed_digest(key, f"{count}\0{seed}".encode("utf-8", "surrogateescape"))
        return int.from_bytes(digest, "big") % below

    return choose


def accession_maker(session: Session, keys: KeyRing, project: str, patient: str, method: str) -> Callable[[str], str]:
    """Return the function that makes an accession number of 16 characters at most (SH) from an original one.

    :param patient: what tells the patient from others, in the original identifiers.
    :param method: `keyed`, `running`, `fiona` or `fiona_hex`.
    """
    if method == "running":
        return lambda _original: str(next_number(session, project, ACCESSIONS))
    if method == "keyed":
        return lambda original: keys.token(f"accession/{project}", f"{patient}\0{original}", length=16).upper()
    if method.startswith("fiona"):
        return lambda original: fiona_number(original, hexadecimal=method == "fiona_hex")
    raise HeldError("No rule makes this accession number. Correct `accession` in the project's policy.")
