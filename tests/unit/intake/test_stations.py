"""Routing by station: an attribute of the images names the project."""

from __future__ import annotations

import json

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from airlock.errors import InvalidRequest, PolicyError, UnknownProject
from airlock.intake.arrived import arrived_studies
from airlock.intake.stations import StationTable, load_stations, stationed
from tests.arrivals import arrive

STUDY = "1.2.826.0.1.3680043.8.498.77"
TABLE = StationTable(file="stations.json", subject="by-project")


def image(raw, series, **attributes):
    arrive(raw, STUDY, series)
    dataset = dcmread(get_testdata_file("CT_small.dcm", download=False))
    dataset.StationName, dataset.StudyDescription = "", ""
    for name, value in attributes.items():
        setattr(dataset, name, value)
    dataset.save_as(raw / STUDY / f"{STUDY}.{series}" / "1.dcm")


def ask(tmp_path, document, projects=("Trial A", "other")):
    (tmp_path / "stations.json").write_text(json.dumps(document))
    (study,) = arrived_studies(tmp_path / "raw")
    return stationed(study, load_stations(TABLE, tmp_path), TABLE, tmp_path / "raw", projects)


LISTED = {
    "MRC1": {"TagForStudy": "StudyDescription", "StudySplit": "^", "StudySplitIndex": 1},
    "MRC2": {"TagForStudy": "StudyDescription", "Split": "^", "SplitIndex": 0},
    "default": {"TagForStudy": "ProtocolName"},
}


@pytest.mark.parametrize(
    ("station", "description"), [("mrc1", "Head^TRIAL A"), ("MRC2", "trial a^Head"), ("elsewhere", "Head")]
)
def test_listed_stations_and_the_default(tmp_path, station, description):
    image(tmp_path / "raw", 1, StationName=station, StudyDescription=description, ProtocolName="Trial A")
    asked = ask(tmp_path, LISTED)
    assert (asked.project, asked.subject, asked.study_instance_uid) == ("Trial A", "by-project", STUDY)


def test_an_image_that_does_not_tell_is_an_error(tmp_path):
    image(tmp_path / "raw", 1, StationName="MRC1", StudyDescription="Head")
    with pytest.raises(InvalidRequest, match="StudyDescription"):
        ask(tmp_path, LISTED)


def test_every_series_must_name_the_same_project(tmp_path):
    for series, project in ((1, "Trial A"), (2, "other")):
        image(tmp_path / "raw", series, ProtocolName=project)
    with pytest.raises(InvalidRequest, match="different projects"):
        ask(tmp_path, LISTED)


def test_a_name_without_a_project_and_a_study_without_images(tmp_path):
    image(tmp_path / "raw", 1, ProtocolName="SECRET")
    with pytest.raises(UnknownProject) as told:
        ask(tmp_path, LISTED)
    assert "SECRET" not in str(told.value)
    (tmp_path / "raw" / STUDY / f"{STUDY}.1" / "1.dcm").write_bytes(b"no DICOM")
    with pytest.raises(InvalidRequest, match="no image"):
        ask(tmp_path, LISTED)


def test_a_file_that_is_none(tmp_path):
    with pytest.raises(PolicyError, match=r"stations\.json: it cannot be read"):
        load_stations(TABLE, tmp_path)
    (tmp_path / "stations.json").write_text("[]")
    with pytest.raises(PolicyError, match=r"stations\.json: a file of stations"):
        load_stations(TABLE, tmp_path)
