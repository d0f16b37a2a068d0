"""By how many days dates move, and who says so."""

from __future__ import annotations

import pytest

from airlock.deid.offsets import date_offset
from airlock.deidentify_policy import DeidentifyPolicy
from airlock.errors import InvalidRequest, RefusedError
from airlock.identity.keys import KeyRing
from airlock.request.model import validate_request

KEYS = KeyRing(b"k" * 32)
MOVED = ("retain_longitudinal_modified_dates",)


def test_dates_of_a_patient_or_of_a_study_move_together() -> None:
    by_patient, by_study = (DeidentifyPolicy(options=MOVED, shift_by=by) for by in ("patient", "study"))
    for policy, together in ((by_patient, True), (by_study, False)):
        one, two = (date_offset(KEYS, "P", policy, "patient", study) for study in ("1.2", "1.3"))
        assert (one == two) == together
        assert one == date_offset(KEYS, "P", policy, "patient", "1.2")
        assert -3650 <= one <= -1
    assert date_offset(KEYS, "P", by_patient, "other", "1.2") != date_offset(KEYS, "P", by_patient, "patient", "1.2")


def test_the_request_may_say_it() -> None:
    assert date_offset(KEYS, "P", DeidentifyPolicy(options=MOVED), "patient", "1.2", 42) == 42
    with pytest.raises(RefusedError, match="do not move"):
        date_offset(KEYS, "P", DeidentifyPolicy(), "patient", "1.2", 42)


def test_the_request_is_checked() -> None:
    document = {"study_instance_uid": "1.2", "transfer_project_name": "P", "transfer_name": "S"}
    moved = validate_request({**document, "options": {"date_offset_days": -30}})
    assert moved.options.date_offset_days == -30
    assert moved.transfer_id(KEYS) != validate_request(document).transfer_id(KEYS)
    for days in (0, 40000):
        with pytest.raises(InvalidRequest, match="date_offset_days"):
            validate_request({**document, "options": {"date_offset_days": days}})
