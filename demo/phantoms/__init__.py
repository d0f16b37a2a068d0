"""Synthetic DICOM with an invented patient: valid by the rules of its IOD, and full of identifiers to look for.

Nothing here comes from a person. Every function writes files and returns their paths; the same arguments give the
same bytes.
"""

from __future__ import annotations

from pathlib import Path

from demo.phantoms.documents import presentation_state, report
from demo.phantoms.drawing import draw_text
from demo.phantoms.images import ct_series, mr_series, radiograph, secondary_capture, ultrasound_cine
from demo.phantoms.patient import Patient, invent_uid

__all__ = [
    "Patient",
    "ct_series",
    "draw_text",
    "invent_uid",
    "mr_series",
    "presentation_state",
    "radiograph",
    "report",
    "secondary_capture",
    "study",
    "ultrasound_cine",
]


def study(folder: Path, patient: Patient, *, slices: int = 20) -> list[Path]:
    """Write one study with everything: CT, MR, ultrasound, screenshot, presentation state and report."""
    paths = ct_series(folder, patient, slices)
    paths += mr_series(folder, patient)
    paths += [*ultrasound_cine(folder, patient), secondary_capture(folder, patient)]
    return [*paths, presentation_state(folder, patient, paths[0]), report(folder, patient)]
