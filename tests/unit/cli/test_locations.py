"""`airlock locations`: the library is checked, and a reviewer's proposal becomes part of it."""

from __future__ import annotations

import pytest
from pydicom import Dataset

from airlock.pixels.locations import load_library
from airlock.review.pictures import Picture
from airlock.review.proposal import propose_location
from airlock.settings import load_settings
from tests.commands import airlock

RULE = 'Console\n{ Modality.equals("US") }\n(0, 0, 640, 40)\n'
PICTURE = Picture("1.2.3", (1, 1), "US", ("ACME", "Sono 3"), 480, 640, 12)


@pytest.fixture(autouse=True)
def nothing_is_remembered():
    for forget in (load_settings.cache_clear, load_library.cache_clear):
        forget()
    yield
    for forget in (load_settings.cache_clear, load_library.cache_clear):
        forget()


@pytest.fixture
def places(tmp_path):
    """A library of one rule, and what leads to it."""
    library = tmp_path / "library"
    library.mkdir()
    (library / "console.script").write_text(RULE)
    (library / "README.md").write_text("A note.")
    return library, {"AIRLOCK_PIXEL_LOCATIONS": str(library), "AIRLOCK_HOME": str(tmp_path / "home")}


def sono_header() -> Dataset:
    header = Dataset()
    header.Modality, header.Manufacturer, header.ManufacturerModelName = "US", "ACME", "Sono 3"
    header.Rows, header.Columns = 480, 640
    return header


def test_a_proposal_is_listed_and_adopted(tmp_path, places):
    library, environment = places
    proposal = propose_location(tmp_path / "home", PICTURE, [(500, 440, 640, 480)], "dora")
    listed = airlock("locations", "list", **environment)
    assert listed.status == 0
    assert "console.script" in listed.stdout
    assert "proposed by dora" in listed.stdout
    assert airlock("locations", "check", proposal, **environment).stdout == f"{proposal}: 1 rules\n"

    done = airlock("locations", "adopt", proposal, "--yes", **environment)
    assert done.status == 0, done.stderr
    assert "(500, 440, 140, 40)" in done.stdout
    assert not proposal.exists()
    load_library.cache_clear()
    assert load_library(library).boxes(sono_header(), (480, 640)) == [(0, 0, 640, 40), (500, 440, 640, 480)]


def test_nothing_is_adopted_twice_or_unasked(tmp_path, places):
    library, environment = places
    again = tmp_path / "console.script"
    again.write_text(RULE)
    assert airlock("locations", "adopt", again, "--yes", **environment).status == 2
    proposal = propose_location(tmp_path / "home", PICTURE, [(500, 440, 640, 480)], "dora")
    assert airlock("locations", "adopt", proposal, **environment).status == 1  # nobody said yes
    assert proposal.exists()
    assert not (library / proposal.name).exists()


@pytest.mark.parametrize("broken", ["library", "proposal"])
def test_what_is_not_understood_is_told_with_its_line(tmp_path, places, broken):
    library, environment = places
    file = (library if broken == "library" else tmp_path) / "broken.script"
    file.write_text('\n{ Modality.equal("US") } (0,0,1,1)')
    for arguments in (["list"] if broken == "library" else [], ["check", file], ["adopt", file, "--yes"]):
        if arguments:
            told = airlock("locations", *arguments, **environment)
            assert told.status == 2
            assert "broken.script:2: unknown test equal" in told.stderr


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    told = airlock("locations", "list", AIRLOCK_PIXEL_LOCATIONS=str(tmp_path / "none"))
    assert told.status == 2
    assert "AIRLOCK_PIXEL_LOCATIONS" in told.stderr
