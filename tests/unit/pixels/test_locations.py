from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import Dataset

from airlock.errors import PolicyError
from airlock.pixels.location_ctp import parse_ctp
from airlock.pixels.location_deid import parse_deid
from airlock.pixels.locations import LocationError, load_library
from airlock.pixels.regions import lies_outside, outside, ultrasound_regions

SHAPE = (480, 640)
SHIPPED = Path(__file__).parents[3] / "config" / "pixel_locations"


def header(**attributes) -> Dataset:
    ds = Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def region(x0: int, y0: int, x1: int, y1: int) -> Dataset:
    return header(RegionLocationMinX0=x0, RegionLocationMinY0=y0, RegionLocationMaxX1=x1, RegionLocationMaxY1=y1)


SCRIPT = """
Any text may stand here.

Console of an ultrasound device
  { Modality.equals("US") * !Manufacturer.containsIgnoreCase("other")
    * (Rows.equals("480") + [0028,0011].isGreaterThan("1000")) }
  (0, 0, 640, 40) (600,40, 40,20)

{ ImageType.contains("SCREEN SAVE") }  (0,0,10,10)
"""


def test_a_ctp_script():
    console, save = parse_ctp(SCRIPT)
    assert console.label == "Console of an ultrasound device"
    us = header(Modality="US", Manufacturer="Acme", Rows=480, Columns=640)
    assert console.matches(us)
    assert console.within(us, SHAPE) == [(0, 0, 640, 40), (600, 40, 640, 60)]
    assert not console.matches(header(Modality="US", Manufacturer="An Other", Rows=480))
    assert not console.matches(header(Modality="US", Rows=600, Columns=800))
    assert console.matches(header(Modality="US", Rows=600, Columns=1200))
    assert save.matches(header(ImageType=["DERIVED", "SCREEN SAVE"]))


RECIPE = """FORMAT dicom
%filter graylist  # a comment
LABEL Console
  contains Modality US|IVUS
  + equals Rows 480 + notcontains Manufacturer other
  || equals Manufacturer acme
  coordinates 0,0,640,40
  ctpcoordinates 600,40,40,20
LABEL no coordinates, only a flag
  present PatientName
LABEL Everything
  missing Manufacturer
  coordinates all
LABEL Regions
  present SequenceOfUltrasoundRegions
  keepcoordinates from:SequenceOfUltrasoundRegions
"""


def test_a_deid_recipe():
    console, everything, regions = parse_deid(RECIPE)
    assert console.boxes == ((0, 0, 640, 40), (600, 40, 640, 60))
    assert console.matches(header(Modality="IVUS", Rows=480))
    assert not console.matches(header(Modality="IVUS", Rows=481))
    assert console.matches(header(Modality="CT", Manufacturer="ACME"))
    assert everything.matches(header(Modality="CT"))
    assert everything.within(header(), SHAPE) == [(0, 0, 640, 480)]
    us = header(SequenceOfUltrasoundRegions=[region(100, 50, 539, 399)])
    masked = regions.within(us, SHAPE)
    assert sum((b[2] - b[0]) * (b[3] - b[1]) for b in masked) == 640 * 480 - 440 * 350


@pytest.mark.parametrize(
    ("parse", "text", "line", "reason"),
    [
        (parse_ctp, '\n{ Modality.equals("US") ', 2, "closing brace"),
        (parse_ctp, '{ Modality.equals("US") }', 1, "no rectangle"),
        (parse_ctp, '{\n Modality.resembles("US") } (0,0,1,1)', 2, "unknown test"),
        (parse_ctp, '{ Modalty.equals("US") } (0,0,1,1)', 1, "unknown element"),
        (parse_ctp, '{ Modality.matches("[") } (0,0,1,1)', 1, "regular expression"),
        (parse_ctp, '{ Modality.equals("US") Rows.equals("1") } (0,0,1,1)', 1, "operator"),
        (parse_ctp, "(0,0,1,1)", 1, "without a signature"),
        (parse_deid, "%filter x\nLABEL a\n resembles Modality US\n coordinates 0,0,1,1", 3, "unknown condition"),
        (parse_deid, "%filter x\nLABEL a\n contains Modalty US", 3, "unknown element"),
        (parse_deid, "%filter x\nLABEL a\n coordinates 5,5,5,9", 3, "no extent"),
        (parse_deid, "%filter x\nLABEL a\n coordinates 5,5", 3, "not understood"),
        (parse_deid, "%header\nREMOVE PatientName", 1, "only %filter"),
        (parse_deid, "%filter x\nLABEL a\n contains Modality US\n contains Rows 5", 4, "joined"),
    ],
)
def test_what_is_not_understood_is_said_with_its_line(parse, text, line, reason):
    with pytest.raises(LocationError) as raised:
        list(parse(text))
    assert raised.value.line == line
    assert reason in raised.value.reason


def test_a_folder_is_validated_as_a_whole(tmp_path):
    (tmp_path / "a.script").write_text("{ nonsense }")
    (tmp_path / "b.deid").write_text("\ncontains Modality US")
    (tmp_path / "c.txt").write_text("")
    with pytest.raises(PolicyError) as raised:
        load_library(tmp_path)
    assert [line.split(": ")[0].rsplit("/", 1)[1] for line in str(raised.value).splitlines()] == [
        "a.script:1",
        "b.deid:2",
        "c.txt:1",
    ]


def test_the_shipped_library_loads_and_masks_a_dose_report():
    library = load_library(SHIPPED)
    report = header(Modality="CT", ImageType=["DERIVED", "SECONDARY", "SCREEN SAVE"], SeriesDescription="Dose Report")
    assert library.boxes(report, (512, 512)) == [(0, 0, 512, 110)]
    assert library.boxes(header(Modality="CT", ImageType=["ORIGINAL"]), (512, 512)) == []


def test_regions_of_ultrasound():
    us = header(SequenceOfUltrasoundRegions=[region(100, 50, 539, 399), region(0, 0, 9, 9)])
    regions = ultrasound_regions(us, SHAPE)
    assert regions == [(100, 50, 540, 400), (0, 0, 10, 10)]
    assert lies_outside((300, 10, 400, 30), regions)
    assert not lies_outside((300, 100, 400, 130), regions)
    covered = outside(regions, SHAPE)
    assert sum((b[2] - b[0]) * (b[3] - b[1]) for b in covered) == 640 * 480 - 440 * 350 - 100
    us.SequenceOfUltrasoundRegions[0].RegionLocationMinX0 = None
    assert ultrasound_regions(us, SHAPE) == []
