"""Studies in the raw folder, as the index files of their series describe them.

FIONA's receiver writes `<StudyInstanceUID>/<SeriesInstanceUID>.json` for each series, with the AE titles that it came
by and the patient's identifiers. A study without one cannot be routed; it can only be asked for.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airlock.request.model import UID_PATTERN

MAX_INDEX_BYTES = 1 << 20


@dataclass(frozen=True, repr=False)
class ArrivedStudy:
    """A study in the raw folder. Its repr shows nothing of the patient.

    :param connections: AE titles that its series came by, as (calling, called).
    :param changed_at: when its newest index file was written, in seconds since 1970.
    """

    study_instance_uid: str
    connections: frozenset[tuple[str, str]]
    patient_ids: frozenset[str]
    patient_names: frozenset[str]
    accession_numbers: frozenset[str]
    changed_at: float


def arrived_studies(raw_folder: Path, since: float = 0.0, settled_seconds: float = 0.0) -> Iterator[ArrivedStudy]:
    """Yield the studies of the raw folder that have an index, in order of UID.

    :param since: only those with an index file that was written after this time, in seconds since 1970.
    :param settled_seconds: leave out those with a younger one: the study is still arriving.
    """
    with suppress(FileNotFoundError):
        for folder in sorted(raw_folder.iterdir()):
            if not re.fullmatch(UID_PATTERN, folder.name) or not folder.is_dir():
                continue
            times = [status for path in _indexes(folder) if (status := _mtime(path))]
            if times and max(times) > since and time.time() - max(times) >= settled_seconds:
                yield _describe(folder, max(times))


def find_arrived(raw_folder: Path, study_instance_uid: str = "", accession_number: str = "") -> list[str]:
    """Return the StudyInstanceUIDs of the raw folder that are asked for by UID or by accession number."""
    if study_instance_uid:
        there = re.fullmatch(UID_PATTERN, study_instance_uid) and (raw_folder / study_instance_uid).is_dir()
        return [study_instance_uid] if there else []
    return [
        study.study_instance_uid
        for study in arrived_studies(raw_folder)
        if accession_number and accession_number in study.accession_numbers
    ]


def _indexes(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.json") if re.fullmatch(UID_PATTERN, path.stem))


def _mtime(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _describe(folder: Path, changed_at: float) -> ArrivedStudy:
    documents = [document for path in _indexes(folder) if (document := _read(path))]
    connections = [d.get("IncomingConnection") for d in documents]
    return ArrivedStudy(
        folder.name,
        frozenset((_text(c, "AETitleCaller"), _text(c, "AETitleCalled")) for c in connections if isinstance(c, dict)),
        _values(documents, "PatientID"),
        _values(documents, "PatientName"),
        _values(documents, "AccessionNumber"),
        changed_at,
    )


def _read(path: Path) -> dict[str, Any] | None:
    """Read an index file; None when it is none (yet): its receiver may be writing it."""
    try:
        with path.open("rb") as stream:
            document = json.loads(stream.read(MAX_INDEX_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _values(documents: list[dict[str, Any]], name: str) -> frozenset[str]:
    return frozenset(text for document in documents if (text := _text(document, name)))


def _text(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    return value.strip() if isinstance(value, str) else ""
