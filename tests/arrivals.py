"""Studies in a raw folder, with index files as FIONA's receiver writes them."""

from __future__ import annotations

import json
from pathlib import Path

CONNECTION = {"AETitleCaller": "MR1", "AETitleCalled": "PROJ", "CallerIP": "127.0.0.1"}


def arrive(raw: Path, study: str, series: int = 1, **index) -> Path:
    """Write the index of a series; keys of `index` replace its default values."""
    uid = f"{study}.{series}"
    (raw / study / uid).mkdir(parents=True, exist_ok=True)
    document = {
        "IncomingConnection": CONNECTION,
        "ClassifyType": ["axial"],
        "Modality": ["MR"],
        "NumFiles": "3",
        "StudyInstanceUID": study,
        "SeriesInstanceUID": uid,
        "PatientID": "DEMO-001",
        "PatientName": "Doe^Jane",
        "AccessionNumber": "A4711",
    }
    path = raw / study / f"{uid}.json"
    path.write_text(json.dumps(document | index))
    return path
