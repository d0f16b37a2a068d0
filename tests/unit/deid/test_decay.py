"""PET: what standardized uptake values are computed from comes out so that they are the same, or cannot be computed."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from pydicom.dataset import Dataset

from tests.related import PATIENT, pet
from tests.unit.deid.conftest import Apply

MODIFIED, FULL, WEIGHT = (
    "retain_longitudinal_modified_dates",
    "retain_longitudinal_full_dates",
    "retain_patient_characteristics",
)


def moment(day: str, time: str) -> datetime:
    text = re.split(r"[+-]", f"{day}{time}")[0]
    return datetime.strptime(text, "%Y%m%d%H%M%S.%f" if "." in text else "%Y%m%d%H%M%S")  # noqa: DTZ007 - one clock


def suv_factor(ds: Dataset) -> float | None:
    """Return by what a value in Bq/ml is multiplied for a standardized uptake value by body weight, in g/ml.

    The way that most manufacturers' files are read: decay is counted from the injection to the start of the series,
    or, when the series was stored anew, to the acquisition less the time of the frame. None when something is missing.
    """
    drug = ds.RadiopharmaceuticalInformationSequence[0]
    dose, half_life = drug.get("RadionuclideTotalDose"), drug.get("RadionuclideHalfLife")
    began, at = ds.get("SeriesDate"), ds.get("SeriesTime")
    if not (ds.get("PatientWeight") and dose and half_life and began and at and ds.get("AcquisitionTime")):
        return None
    scan = moment(began, at)
    acquired = moment(ds.AcquisitionDate, ds.AcquisitionTime)
    if scan > acquired:
        scan = acquired - timedelta(milliseconds=float(ds.FrameReferenceTime))
    if text := drug.get("RadiopharmaceuticalStartDateTime"):
        injected = moment(text[:8], text[8:])
    elif drug.get("RadiopharmaceuticalStartTime"):
        injected = moment(scan.strftime("%Y%m%d"), drug.RadiopharmaceuticalStartTime)
        injected -= timedelta(days=injected > scan)
    else:
        return None
    assert ds.DecayCorrection == "START"
    decayed = float(dose) * 2 ** (-(scan - injected).total_seconds() / float(half_life))
    return float(ds.PatientWeight) * 1000 / decayed


def without_datetime(ds: Dataset) -> None:
    del ds.RadiopharmaceuticalInformationSequence[0].RadiopharmaceuticalStartDateTime


def stored_anew(ds: Dataset) -> None:
    ds.SeriesTime, ds.SeriesDate = "020000", "20260418"


def same_day(ds: Dataset) -> None:
    ds.SeriesDate = ds.AcquisitionDate = PATIENT.study_date
    drug = ds.RadiopharmaceuticalInformationSequence[0]
    drug.RadiopharmaceuticalStartTime, drug.RadiopharmaceuticalStartDateTime = "000100", "20260417000100-0430"
    ds.TimezoneOffsetFromUTC = "-0430"


def as_it_is(ds: Dataset) -> None:
    pass


CHANGES = [as_it_is, without_datetime, stored_anew, same_day]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("days", [-1, -17, -3650])
def test_moved_dates_leave_uptake_values_as_they_were(apply: Apply, change, days: int) -> None:
    ds = pet(PATIENT, 1)
    change(ds)
    before, zone, day = suv_factor(ds), ds.TimezoneOffsetFromUTC, ds.SeriesDate
    assert before is not None
    drug = ds.RadiopharmaceuticalInformationSequence[0]
    kept = {keyword: ds.get(keyword) for keyword in ("FrameReferenceTime", "DecayFactor", "Units", "CorrectedImage")}
    nuclide = drug.RadionuclideCodeSequence[0].CodeValue
    apply(ds, MODIFIED, WEIGHT, days=days)
    assert suv_factor(ds) == before
    assert ds.TimezoneOffsetFromUTC == zone
    assert {keyword: ds.get(keyword) for keyword in kept} == kept
    assert ds.SeriesDate < day
    drug = ds.RadiopharmaceuticalInformationSequence[0]
    assert drug.RadionuclideCodeSequence[0].CodeValue == nuclide
    if "RadiopharmaceuticalStartDateTime" in drug:
        assert drug.RadiopharmaceuticalStartDateTime[-5:] == zone


def test_kept_dates_leave_uptake_values_as_they_were(apply: Apply) -> None:
    ds = pet(PATIENT, 1)
    before = suv_factor(ds)
    apply(ds, FULL, WEIGHT)
    assert suv_factor(ds) == before


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_without_times_there_is_no_uptake_value_rather_than_a_wrong_one(apply: Apply, change) -> None:
    ds = pet(PATIENT, 1)
    change(ds)
    apply(ds, WEIGHT)
    assert suv_factor(ds) is None
    drug = ds.RadiopharmaceuticalInformationSequence[0]
    assert not drug.get("RadiopharmaceuticalStartTime")
    assert (drug.RadionuclideTotalDose, drug.RadionuclideHalfLife) == (370000000, 6586.2)
