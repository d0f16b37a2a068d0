from __future__ import annotations

import pytest
from pydicom import Dataset

from airlock.pixels.rules import suspicions


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"BurnedInAnnotation": "YES"}, "BurnedInAnnotation"),
        ({"ImageType": ["DERIVED", "PRIMARY", "SCREEN SAVE"]}, "ImageType"),
        ({"ImageType": ["DERIVED", "SECONDARY"]}, "DerivedSecondary"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7.4"}, "SecondaryCapture"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.3.1"}, "Ultrasound"),
        ({"Modality": "US"}, "Modality"),
        ({"ConversionType": "WSD"}, "SecondaryCaptureDevice"),
    ],
)
def test_each_rule_alone(attributes, reason):
    ds = Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    assert suspicions(ds) == [reason]


def test_a_plain_ct_is_not_suspicious():
    ds = Dataset()
    ds.Modality, ds.ImageType, ds.BurnedInAnnotation = "CT", "ORIGINAL", "NO"
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.2"
    assert suspicions(ds) == []
