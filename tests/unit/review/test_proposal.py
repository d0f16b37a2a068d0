"""A decision becomes a rule that the location library understands."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydicom import Dataset

from airlock.errors import InvalidRequest
from airlock.pixels.locations import load_library
from airlock.review.pictures import Picture
from airlock.review.proposal import propose_location

PICTURE = Picture("1.2.3", (1, 1), "US", ("ACME Imaging", "Sono 3 (rev. B)"), 480, 640, 12)
BOXES = [(0, 0, 640, 40), (500, 440, 640, 480)]


def header(**changed) -> Dataset:
    result = Dataset()
    result.Modality, result.Manufacturer, result.ManufacturerModelName = "US", "ACME Imaging", "Sono 3 (rev. B)"
    result.Rows, result.Columns = 480, 640
    for name, value in changed.items():
        setattr(result, name, value)
    return result


def test_the_location_library_reads_it_and_applies_it_to_such_pictures_only(tmp_path):
    file = propose_location(tmp_path, PICTURE, BOXES, "dora")
    library = load_library(file.parent)
    assert library.boxes(header(), (480, 640)) == sorted(BOXES)
    for other in ({"Rows": 600}, {"Modality": "OT"}, {"ManufacturerModelName": "Sono 4"}):
        assert library.boxes(header(**other), (480, 640)) == []


def test_the_same_proposal_is_written_once(tmp_path):
    first = propose_location(tmp_path, PICTURE, BOXES, "dora")
    assert propose_location(tmp_path, PICTURE, [*reversed(BOXES), BOXES[0]], "otto") == first
    assert propose_location(tmp_path, PICTURE, BOXES[:1], "otto") != first


@pytest.mark.parametrize("device", [('A"', "B"), ("A}", "B"), ("A", "B\nC"), ("", "B"), ("A", "")])
def test_a_device_that_a_script_cannot_name_is_refused(tmp_path, device):
    with pytest.raises(InvalidRequest):
        propose_location(tmp_path, replace(PICTURE, device=device), BOXES, "dora")
    assert not (tmp_path / "proposals").exists()
