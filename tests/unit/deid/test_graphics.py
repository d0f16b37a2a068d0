"""Drawn text: overlays, curves, annotations of presentation states, with and without Clean Graphics."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import GrayscaleSoftcopyPresentationStateStorage

from tests.synthetic import PLANTED, ct
from tests.unit.deid.test_rules import apply

NAME = "chest of Zebedee Wolpertinger"


def overlaid(kind: str) -> Dataset:
    ds = ct()
    for group in (0x6000, 0x6002):
        ds.add_new(group << 16 | 0x0010, "US", 2)
        ds.add_new(group << 16 | 0x0022, "LO", NAME)
        ds.add_new(group << 16 | 0x0040, "CS", kind if group == 0x6002 else "G")
        ds.add_new(group << 16 | 0x3000, "OW", b"\1\2")
        ds.add_new(group << 16 | 0x4000, "LT", NAME)
    ds.add_new(0x50000005, "US", 2)
    ds.add_new(0x50000022, "LO", NAME)
    ds.add_new(0x50002006, "OW", b"sound")
    ds.add_new(0x50003000, "OW", b"\3\4")
    return ds


@pytest.mark.parametrize("kind", ["R", "G", ""])
def test_overlays_and_curves(kind: str) -> None:
    ds = overlaid(kind)
    apply(ds)
    assert [tag for tag in ds.keys() if tag.group >> 8 in (0x50, 0x60)] == []  # noqa: SIM118 - datasets yield elements
    ds = overlaid(kind)
    apply(ds, options=["clean_graphics"])
    assert 0x60003000 not in ds
    assert 0x60000010 not in ds
    assert (0x60023000 in ds) == (kind == "R")
    if kind == "R":
        assert (ds[0x60020022].value, ds[0x60024000].value, ds[0x60020010].value) == ("chest of", "chest of", 2)
    assert (ds[0x50000022].value, ds[0x50003000].value) == ("chest of", b"\3\4")
    assert 0x50002006 not in ds


def presentation_state() -> Dataset:
    ds, layer, annotation, text, drawing, reference = ct(), Dataset(), Dataset(), Dataset(), Dataset(), Dataset()
    ds.SOPClassUID = GrayscaleSoftcopyPresentationStateStorage
    layer.GraphicLayer, layer.GraphicLayerOrder, layer.GraphicLayerDescription = "ZEBEDEE", 1, NAME
    ds.GraphicLayerSequence = [layer]
    text.UnformattedTextValue, text.AnchorPoint = NAME, [1, 2]
    drawing.GraphicDimensions, drawing.NumberOfGraphicPoints, drawing.GraphicType = 2, 2, "POLYLINE"
    drawing.GraphicData = [1.0, 2.0, 3.0, 4.0]
    reference.ReferencedSOPInstanceUID = ds.SOPInstanceUID
    annotation.GraphicLayer, annotation.TextObjectSequence = "ZEBEDEE", [text]
    annotation.GraphicObjectSequence, annotation.ReferencedImageSequence = [drawing], [reference]
    ds.GraphicAnnotationSequence = [annotation]
    ds.ContentLabel, ds.ContentDescription = "ZEBEDEE", NAME
    return ds


@pytest.mark.parametrize("clean", [False, True])
def test_annotations(clean: bool) -> None:
    ds = presentation_state()
    apply(ds, options=["clean_graphics"] if clean else [])
    (annotation,) = ds.GraphicAnnotationSequence
    assert annotation.TextObjectSequence[0].UnformattedTextValue == ("chest of" if clean else "ANONYMIZED")
    assert ([*annotation.GraphicObjectSequence[0].GraphicData] == [1, 2, 3, 4]) == clean
    assert annotation.ReferencedImageSequence[0].ReferencedSOPInstanceUID == ds.SOPInstanceUID
    # The layer keeps one name, so that what is drawn still lies on it.
    assert annotation.GraphicLayer == ds.GraphicLayerSequence[0].GraphicLayer == "ANONYMIZED"
    assert not [word for word in PLANTED if word in str(ds).lower()]
    assert "Wolpertinger" not in str(ds)
