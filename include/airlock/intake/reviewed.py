"""Review records: what people said of a study before anything was asked for. Without it, nothing starts.

The record is that of `django-dicom-review`, as CSV: `study_instance_uid` or `accession_number`, `user`, `has_phi`,
`has_reconstruction`, `relevant`, `exclude` and `comment`; one line per study and person. A study is released when each
of its lines says no PHI, no reconstruction (of a face), relevant, and not excluded. Comments are not read.
"""

from __future__ import annotations

from pathlib import Path

from airlock.errors import NotApproved, PolicyError
from airlock.intake.table import read_table
from airlock.request.model import TransferRequest

WANTED = {"has_phi": False, "has_reconstruction": False, "relevant": True, "exclude": False}
NEEDED = ("user", "has_phi", "relevant")
KEYS = ("study_instance_uid", "accession_number")
_WORDS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
# What a record that says nothing means: nobody looked for PHI, and nobody called the study relevant.
_UNSAID = {"has_phi": None, "has_reconstruction": False, "relevant": False, "exclude": False}


def check_reviewed(path: Path, request: TransferRequest) -> None:
    """Check that people released each study of a request.

    :param path: the CSV file.
    :raises NotApproved: when a study has no review, its reviews disagree, or they don't release it.
    :raises PolicyError: when the file is no such list.
    """
    rows = [(line, row) for line, row in read_table(path, NEEDED, (KEYS,)).rows]
    accession = request.source.accession_number if request.source else None
    for key, value in [(KEYS[0], study) for study in request.studies] or [(KEYS[1], accession or "")]:
        said = [_said(path, line, row) for line, row in rows if value and row.get(key) == value]
        if not said or any(None in one.values() for one in said):
            raise NotApproved(
                "Nobody has reviewed this study to the end, and its project wants that before it starts. Have it "
                "reviewed, then request the transfer again."
            )
        if disputed := sorted({name for name in WANTED for one in said if one[name] != said[0][name]}):
            raise NotApproved(
                f"The reviews of this study disagree ({', '.join(disputed)}). Let them agree, then request the "
                "transfer again."
            )
        if against := sorted(name for name, wanted in WANTED.items() if said[0][name] is not wanted):
            raise NotApproved(f"The review of this study does not release it ({', '.join(against)}).")


def _said(path: Path, line: int, row: dict[str, str]) -> dict[str, bool | None]:
    """Return what a record says; None where it says nothing that could release."""
    said: dict[str, bool | None] = {}
    for name in WANTED:
        text = row.get(name, "").lower()
        if text and text not in _WORDS:
            raise PolicyError(f"{path}:{line}: {name} is neither true nor false.")
        said[name] = _WORDS[text] if text else _UNSAID[name]
    return said
