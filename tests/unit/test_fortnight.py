"""The driver of the two weeks: it asks for everything, and its comparison notices what it is there to notice."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pytest

from airlock.request.model import validate_request
from tests.fortnight import compare
from tests.fortnight.found import Found
from tests.fortnight.scenario import CLOSING, DOORS, TWISTS, Case, early_half, make_scenario

STUDY, NEW = "1.2.3", "2.25.4"


def test_every_twist_and_every_door_occur():
    cases = make_scenario(60, 1)
    assert {case.twist for case in cases} == set(TWISTS)
    assert {case.door for case in cases} == set(DOORS)
    assert [case.name for case in make_scenario(60, 1)] == [case.name for case in cases]
    assert {case.twist for case in make_scenario(len(TWISTS), 7)} == set(TWISTS)


def test_a_study_for_two_projects_is_asked_for_twice():
    pairs = [case for case in make_scenario(40, 3) if case.twist == "two projects"]
    assert set(Counter(case.patient.study_uid for case in pairs).values()) == {2}
    assert len({(case.project, case.subject) for case in pairs}) == len(pairs)


def test_half_of_what_an_ending_approval_is_asked_for_comes_late():
    cases = make_scenario(100, 2)
    closing = [case for case in cases if case.project == CLOSING]
    assert cases[: len(early_half(cases))] == early_half(cases)
    assert cases[-1] is closing[-1]


@pytest.fixture
def case():
    request = {"study_instance_uid": STUDY, "transfer_project_name": "P", "transfer_name": "FN-1"}
    patient = SimpleNamespace(study_uid=STUDY)
    return Case(1, "file", "plain", "P", "FN-1", patient, 2, validate_request(request), "transfer-1", sent=2)


def found(**changes):
    """What everybody says of a transfer that went well."""
    row = {"transfer_date": "2026-11-21 20:00", "transfers_complete": "2", "transfer_error_message": ""}
    wish = (STUDY, "P", "FN-1")
    whole = {
        "transfers": {"transfer-1": {"state": "sent", "attempt": 1, "run_id": "transfer-1", "message": ""}},
        "endings": {"transfer-1": ["sent"]},
        "instances": {"transfer-1": Counter(sent=2)},
        "studies": {NEW: ("FN-1", 2)},
        "rows": {(STUDY, "1"): row | {"transfer_mapped_uid": NEW}},
        "done": Counter({wish: 1}),
        "runs": {"transfer-1": "success"},
    }
    return Found(**(whole | changes))


def problems(case, seen, monkeypatch):
    monkeypatch.setattr(compare, "_report", lambda _world, _case: iter(()))
    return list(compare._of_case(None, case, seen))


def test_what_agrees_is_no_problem(case, monkeypatch):
    assert problems(case, found(), monkeypatch) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"transfers": {}}, "does not know it"),
        ({"endings": {"transfer-1": ["sent", "sent"]}}, "its endings"),
        ({"endings": {"transfer-1": []}}, "its endings"),
        ({"instances": {"transfer-1": Counter(sent=1, held=1)}}, "1 instances sent, not 2"),
        ({"instances": {"transfer-1": Counter(sent=2, ready=1)}}, "left open"),
        ({"studies": {}}, "research PACS"),
        ({"studies": {NEW: ("FN-1", 1)}}, "research PACS has [1]"),
        ({"studies": {NEW: ("FN-1", 2), "2.25.9": ("FN-1", 2)}}, "research PACS has [2, 2]"),
        ({"rows": {}}, "REDCap has no date"),
        ({"rows": {(STUDY, "1"): {"transfer_date": ""}}}, "REDCap has no date"),
        ({"done": Counter()}, "0 archives say that they went well"),
        ({"failed": Counter({(STUDY, "P", "FN-1"): 1})}, "1 archives say that they failed"),
        ({"runs": {"transfer-1": "failed"}}, "its run is failed"),
    ],
)
def test_a_disagreement_is_noticed(case, change, words, monkeypatch):
    told = "; ".join(problems(case, found(**change), monkeypatch))
    assert words in told


def test_an_old_message_in_redcap_is_noticed(case, monkeypatch):
    seen = found()
    seen.rows[STUDY, "1"]["transfer_error_message"] = '{"state": "failed"}'
    assert "REDCap says failed" in "; ".join(problems(case, seen, monkeypatch))
