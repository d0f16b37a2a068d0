"""What is written into every object."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from airlock.deid.marks import stamp_method, stamp_subject
from airlock.deid.profile import CODES, Profile
from airlock.deidentify_policy import DeidentifyPolicy
from tests.synthetic import ct

# CID 7050 of PS3.16.
CID_7050 = {
    "113100": "Basic Application Confidentiality Profile",
    "113101": "Clean Pixel Data Option",
    "113102": "Clean Recognizable Visual Features Option",
    "113103": "Clean Graphics Option",
    "113104": "Clean Structured Content Option",
    "113105": "Clean Descriptors Option",
    "113106": "Retain Longitudinal Temporal Information Full Dates Option",
    "113107": "Retain Longitudinal Temporal Information Modified Dates Option",
    "113108": "Retain Patient Characteristics Option",
    "113109": "Retain Device Identity Option",
    "113110": "Retain UIDs Option",
    "113111": "Retain Safe Private Option",
    "113112": "Retain Institution Identity Option",
}


def test_codes_are_those_of_the_standard() -> None:
    assert {value: CID_7050[value] for value, _ in CODES.values()} == dict(CODES.values())
    assert set(CID_7050) - {value for value, _ in CODES.values()} == {"113102"}


@pytest.mark.parametrize("option", [name for name in CODES if name not in ("basic", "pixels")])
@pytest.mark.parametrize("pixels", [False, True])
def test_methods(option: str, pixels: bool) -> None:
    ds = ct(BurnedInAnnotation="YES", RecognizableVisualFeatures="YES")
    stamp_method(ds, Profile("2026d", [option]), "2026d", pixels_rewritten=pixels)
    codes = [item.CodeValue for item in ds.DeidentificationMethodCodeSequence]
    assert codes == sorted({"113100", CODES[option][0]} | ({"113101"} if pixels else set()))
    assert all(item.CodingSchemeDesignator == "DCM" for item in ds.DeidentificationMethodCodeSequence)
    dates = {"retain_longitudinal_full_dates": "UNMODIFIED", "retain_longitudinal_modified_dates": "MODIFIED"}
    assert ds.LongitudinalTemporalInformationModified == dates.get(option, "REMOVED")
    assert (ds.BurnedInAnnotation, ds.RecognizableVisualFeatures) == ("NO" if pixels else "YES", "YES")
    assert str(ds.DeidentificationMethod).startswith("Airlock: DICOM PS3.15 2026d")


def test_rules_of_the_project_are_mentioned() -> None:
    policy = DeidentifyPolicy.model_validate({"rules": [{"tag": "KVP", "action": "keep"}]})
    ds = ct()
    stamp_method(ds, Profile.of(policy), "2026d", pixels_rewritten=False)
    assert len(ds.DeidentificationMethod) == 2
    assert all(len(value) <= 64 for value in ds.DeidentificationMethod)


@pytest.mark.parametrize("event", ["", "visit 2", "e" * 64, "a=b^c"])
def test_project_and_event(event: str) -> None:
    ds = ct()
    stamp_subject(ds, "S-1", "Study One", event, "123")
    assert (ds.InstitutionName, ds.ClinicalTrialProtocolID, ds.ClinicalTrialProtocolName) == ("Study One",) * 3
    assert (ds.PatientID, str(ds.PatientName), ds.StudyID) == ("S-1", "S-1", "123")
    if not event:
        assert "ClinicalTrialTimePointID" not in ds
        assert str(ds.ReferringPhysicianName) == "Wolkenkuck^Gundula"
        return
    text = f"EventName:{event}"[:64]
    assert (ds.ClinicalTrialTimePointID, ds.ClinicalTrialTimePointDescription) == (event, event)
    assert (ds.ReasonForTheImagingServiceRequest, ds.ReasonForTheRequestedProcedure) == (text, text)
    assert str(ds.ReferringPhysicianName) == text.replace("=", "-").replace("^", " ")


def test_the_time_point_of_an_earlier_trial_is_emptied() -> None:
    ds = ct(ClinicalTrialTimePointID="Zebedee", ClinicalTrialTimePointDescription="Zebedee")
    stamp_subject(ds, "S-1", "Study One", "", "123")
    assert (ds.ClinicalTrialTimePointID, ds.ClinicalTrialTimePointDescription) == ("", "")


def test_a_subject_that_is_not_ascii_in_an_object_that_is_deep() -> None:
    ds = inner = ct()
    for _ in range(3000):
        item = Dataset()
        inner.SharedFunctionalGroupsSequence = [item]
        inner = item
    stamp_subject(ds, "患者-1", "P", "", "1")
    assert (ds.PatientID, ds.SpecificCharacterSet) == ("患者-1", "ISO_IR 192")
