"""Who the patient of a transfer becomes: the same for every step, and for every try of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from airlock.dicomio.part10 import open_instance
from airlock.errors import AirlockError
from airlock.identity.dates import parse_date
from airlock.identity.harvest import Evidence
from airlock.identity.key_file import make_key_file, read_key_file
from airlock.identity.keys import KeyRing
from airlock.identity.question import Identity, Question
from airlock.identity.service import IdentityService

if TYPE_CHECKING:
    from airlock.transfer import Transfer

ONE_TIME_KEY = "one-time.key"


def identity_of(transfer: Transfer, evidence: Evidence) -> Identity:
    """Say who the patient of a transfer becomes, noting it when it was not known.

    :param evidence: of every input, also of those that are skipped.
    :raises HeldError: on a conflict.
    :raises PeerUnavailable: when the identity store or service cannot be used; nothing goes on without it.
    """
    request, policy = transfer.request, transfer.policy
    accession, study_date, name = facts_of(sorted(transfer.workspace.folder("incoming").glob("*.dcm")))
    retained = "retain_uids" in policy.deidentify.options
    question = Question(
        patients=evidence.patients,
        study_uid=request.study_instance_uid,
        subject=request.transfer_name,
        uids=() if retained else evidence.uids,
        accessions=(accession,) if accession else (),
        name=name,
        study_date=study_date,
        requested_offset_days=request.options.date_offset_days,
    )
    service = IdentityService.open(transfer.settings, transfer.keys, policy)
    return service.identify(question, dry_run=request.options.dry_run, one_time=lambda: _one_time(transfer))


def _one_time(transfer: Transfer) -> KeyRing:
    """Return a key that lasts as long as the workspace, so that every try of the transfer makes the same."""
    path = transfer.workspace.root / ONE_TIME_KEY
    return KeyRing((read_key_file(path) or make_key_file(path))[0])


def facts_of(paths: Iterable[Path]) -> tuple[str, str, str]:
    """Return AccessionNumber, StudyDate and PatientName of the first readable file; they are the same in a study."""
    for path in paths:
        try:
            return _read(path)
        except (AirlockError, OSError):
            continue
    return "", "", ""


def _read(path: Path) -> tuple[str, str, str]:
    with open_instance(path) as instance:
        found = []
        for keyword in ("AccessionNumber", "StudyDate", "PatientName"):
            try:
                found.append(str(instance.dataset.get(keyword, None) or "").strip(" \0"))
            except Exception:  # noqa: BLE001 - a value that cannot be decoded is no fact, and quotes itself
                found.append("")
    accession, study_date, name = found
    return accession, study_date if parse_date(study_date) and len(study_date) == 8 else "", name
