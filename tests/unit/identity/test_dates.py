from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlock.identity.dates import offset_days, parse_date, patient_key, shift_date, shift_datetime
from airlock.identity.keys import KeyRing

KEYS = KeyRing(b"k" * 32)
EARLIEST, LATEST = (datetime(year, 1, 1) for year in (1900, 2100))  # noqa: DTZ001 - DICOM's are local
DAYS = st.dates(date(1900, 1, 1), date(2100, 1, 1))


@given(DAYS, DAYS, st.integers(-36500, -1))
def test_intervals_are_kept(one: date, other: date, days: int) -> None:
    moved = [parse_date(shift_date(f"{day:%Y%m%d}", days) or "") for day in (one, other)]
    assert moved[0] is not None
    assert moved[1] is not None
    assert moved[1] - moved[0] == other - one
    assert moved[0] - one == timedelta(days=days)


@given(st.datetimes(EARLIEST, LATEST), st.integers(-3650, -1))
def test_date_times_move_as_dates_do(moment: datetime, days: int) -> None:
    for rest in (f"{moment:%H%M%S}.{moment.microsecond:06}+0130", f"{moment:%H%M}", f"{moment:%H}-0500", ""):
        day = f"{moment:%Y%m%d}"
        assert shift_datetime(day + rest, days) == (shift_date(day, days) or "") + rest


@pytest.mark.parametrize("text", ["", "2020", "20201", "20201301", "20200230", "yesterday", "2020-01-01", "00010101"])
def test_what_cannot_be_read_is_not_guessed(text: str) -> None:
    assert shift_date(text, -5) is None


@pytest.mark.parametrize("text", ["202001", "20200101250000", "20200101120000 noon", "20200101+99"])
def test_date_times_that_cannot_be_read(text: str) -> None:
    assert shift_datetime(text, -5) is None


def test_the_old_dotted_form() -> None:
    assert shift_date("2020.01.10", -9) == "20200101"


@given(st.text(), st.integers(1, 36500))
def test_the_offset_is_bounded_keyed_and_never_zero(patient: str, largest: int) -> None:
    days = offset_days(KEYS, "P", patient, largest)
    assert -largest <= days <= -1
    assert days == offset_days(KEYS, "P", patient, largest)


def test_offsets_differ_by_patient_project_and_key() -> None:
    offsets = {offset_days(KEYS, project, str(n), 36500) for project in "PQ" for n in range(20)}
    offsets |= {offset_days(KeyRing(b"o" * 32), "P", str(n), 36500) for n in range(20)}
    assert len(offsets) > 55


def test_a_patient_without_id_is_told_by_the_study() -> None:
    assert patient_key(" ", "X", "1.2") != patient_key("", "X", "1.3")
    assert patient_key("A ", "", "1.2") == patient_key("A", "", "1.3")
