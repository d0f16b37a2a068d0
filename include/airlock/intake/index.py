"""The index of a series that our receiver writes, `<StudyInstanceUID>/<SeriesInstanceUID>.json` in the raw folder.

It has those fields of FIONA's that routing and the coupling list read (`airlock.intake.arrived`). Its values are those
of the first instance that came; with each further one it gets a new time, so that a study can be seen to be settled.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from pydicom import dcmread

from airlock.dicomio.quiet import silence
from airlock.dicomio.wire.sink import Caller
from airlock.quiet import guarded
from airlock.workspace import write_atomically

NAMES = (
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "PatientID",
    "PatientName",
    "StudyDate",
    "AccessionNumber",
    "StationName",
    "SOPClassUID",
)
_CODED = ["SpecificCharacterSet", "Modality", *NAMES]


def note_arrival(file: Path, caller: Caller) -> None:
    """Write the index of the series that an instance is of, or give it a new time.

    :param file: the instance, `<study>/<series>/<instance>.dcm`.
    :param caller: who sent it.
    :raises AirlockError: when it cannot be written. It quotes nothing of the instance.
    """
    index = file.parent.parent / f"{file.parent.name}.json"
    with guarded():
        try:
            os.utime(index)
        except FileNotFoundError:
            write_atomically(index, json.dumps(_describe(file, caller), indent=1))


def _describe(file: Path, caller: Caller) -> dict[str, object]:
    silence()
    dataset = dcmread(file, stop_before_pixels=True, specific_tags=_CODED)
    return {
        "IncomingConnection": {
            "AETitleCaller": caller.calling,
            "AETitleCalled": caller.called,
            "CallerIP": caller.address,
        },
        "ClassifyType": [],
        "Modality": [str(dataset.get("Modality") or "")],
        **{name: str(dataset.get(name) or "") for name in NAMES},
    }
