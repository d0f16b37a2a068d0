"""Tiny studies, and where they wait to be asked for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from pydicom import dcmread

from airlock.dicomio.store import Outgoing, send_files
from airlock.workspace import write_atomically
from demo import phantoms
from tests.fortnight.scenario import Case
from tests.fortnight.world import World

SIDE = 64


def images(world: World, case: Case, count: int, series: int = 1) -> list[Path]:
    """Write a CT series of the case's patient."""
    folder = world.made / f"{case.number}-{series}"
    return phantoms.ct_series(folder, case.patient, slices=count, side=SIDE, series=series)


def presentation_state(world: World, case: Case) -> list[Path]:
    """Write a study of nothing but a presentation state."""
    image = images(world, case, 1)[0]
    return [phantoms.presentation_state(world.made / f"{case.number}-pr", case.patient, image)]


def receive(world: World, case: Case, files: list[Path]) -> None:
    """Put files where a receiver leaves them, with the index of their series."""
    for file in files:
        header = dcmread(file, stop_before_pixels=True)
        study = world.settings.raw_folder / header.StudyInstanceUID
        series = study / header.SeriesInstanceUID
        series.mkdir(parents=True, exist_ok=True)
        if (series / header.SOPInstanceUID).exists():
            continue
        shutil.copyfile(file, series / header.SOPInstanceUID)
        titles = {"AETitleCaller": "FNSCANNER", "AETitleCalled": _called(case), "CallerIP": "127.0.0.1"}
        index = {
            "IncomingConnection": titles,
            "ClassifyType": [],
            "Modality": [header.Modality],
            "NumFiles": str(len(list(series.iterdir()))),
            "StudyInstanceUID": header.StudyInstanceUID,
            "SeriesInstanceUID": header.SeriesInstanceUID,
            "PatientID": case.patient.id,
            "PatientName": case.subject,
            "AccessionNumber": case.patient.accession,
        }
        write_atomically(study / f"{header.SeriesInstanceUID}.json", json.dumps(index))


def _called(case: Case) -> str:
    if case.door != "route":
        return "FNARCHIVE"
    return "FNAUTO" if case.twist == "automatic id" else "FNROUTED"


def store_at_pacs(world: World, files: list[Path]) -> None:
    """Put files into the PACS of the clinical side."""
    outcomes = send_files(world.stack.staging, [Outgoing.of(str(n), file) for n, file in enumerate(files)])
    assert [outcome.status for outcome in outcomes] == [0] * len(files)


def not_dicom(world: World, case: Case) -> None:
    """Leave a study that is none: a text in its folder."""
    folder = world.settings.raw_folder / case.patient.study_uid
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "notes.txt").write_text(f"call {case.patient.name}")
