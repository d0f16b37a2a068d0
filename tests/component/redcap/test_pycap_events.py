"""An unmodified PyCap works against a longitudinal project of the sandbox: arms, events, and what repeats in them."""

from __future__ import annotations

import io
import json

import pytest
import redcap

from airlock.errors import PolicyError
from airlock.redcap.sandbox import RedcapSandbox
from airlock.redcap.sandbox.dictionary import Dictionary

CHOICES = {"select_choices_or_calculations": "1, CT | 2, MR"}
DOCUMENT = {
    "title": "Trial",
    "fields": [
        {"field_name": "id", "form_name": "person", "field_type": "text"},
        {"field_name": "born", "form_name": "person", "field_type": "text"},
        {"field_name": "weight", "form_name": "visit", "field_type": "text"},
        {"field_name": "seen", "form_name": "visit", "field_type": "checkbox", **CHOICES},
        {"field_name": "report", "form_name": "visit", "field_type": "file"},
        {"field_name": "study_uid", "form_name": "imaging", "field_type": "text"},
    ],
    "arms": [{"arm_num": 1, "name": "Drug"}, {"arm_num": 2, "name": "Placebo"}],
    "events": [
        {"event_name": "Baseline", "arm_num": 1},
        {"event_name": "Every week", "arm_num": 1, "day_offset": 7},
        {"event_name": "Baseline", "arm_num": 2},
    ],
    "mappings": [
        {"unique_event_name": "baseline_arm_1", "form": "person"},
        {"unique_event_name": "baseline_arm_1", "form": "imaging"},
        {"unique_event_name": "every_week_arm_1", "form": "visit"},
        {"unique_event_name": "baseline_arm_2", "form": "person"},
        {"unique_event_name": "baseline_arm_2", "form": "visit"},
    ],
    "repeating": [{"event_name": "every_week_arm_1"}, {"event_name": "baseline_arm_1", "form_name": "imaging"}],
}  # fmt: skip
FIRST = {"id": "7", "redcap_event_name": "baseline_arm_1"}
WEEK = {"id": "7", "redcap_event_name": "every_week_arm_1"}


@pytest.fixture
def dictionary(tmp_path):
    path = tmp_path / "d.json"
    path.write_text(json.dumps(DOCUMENT))
    return path


@pytest.fixture
def project(dictionary):
    with RedcapSandbox(dictionary=dictionary) as running:
        yield redcap.Project(running.url, running.token)


def test_arms_events_and_instruments(project):
    assert project.is_longitudinal is True
    assert project.export_project_info()["is_longitudinal"] == 1
    assert project.export_arms() == [{"arm_num": 1, "name": "Drug"}, {"arm_num": 2, "name": "Placebo"}]
    assert project.export_arms(arms=["2"]) == [{"arm_num": 2, "name": "Placebo"}]
    events = project.export_events()
    assert [event["unique_event_name"] for event in events] == ["baseline_arm_1", "every_week_arm_1", "baseline_arm_2"]
    assert {"event_name", "arm_num", "custom_event_label", "event_id"} <= events[0].keys()
    assert [event["event_name"] for event in project.export_events(arms=["2"])] == ["Baseline"]
    assert project.export_instrument_event_mappings(arms=["2"]) == [
        {"arm_num": 2, "unique_event_name": "baseline_arm_2", "form": "person"},
        {"arm_num": 2, "unique_event_name": "baseline_arm_2", "form": "visit"},
    ]
    assert project.export_repeating_instruments_events() == [
        {"event_name": "baseline_arm_1", "form_name": "imaging", "custom_form_label": ""},
        {"event_name": "every_week_arm_1", "form_name": "", "custom_form_label": ""},
    ]
    with pytest.raises(redcap.RedcapError, match="dictionary file"):
        project.import_events([{"event_name": "More", "arm_num": "1"}])
    with pytest.raises(redcap.RedcapError, match="dictionary file"):
        project.delete_arms(["2"])


def test_records_by_event(project):
    imaging = FIRST | {"redcap_repeat_instrument": "imaging"}
    rows = [
        FIRST | {"born": "1990"},
        imaging | {"redcap_repeat_instance": 1, "study_uid": "1.2.3"},
        imaging | {"redcap_repeat_instance": "new", "study_uid": "1.2.4"},
        WEEK | {"redcap_repeat_instance": 1, "weight": "70.5", "seen___2": "1"},
        WEEK | {"redcap_repeat_instance": 2, "weight": "71"},
        {"id": "8", "redcap_event_name": "baseline_arm_2", "weight": "60"},
    ]
    assert project.import_records(rows) == {"count": 2}
    shown = [
        (r["id"], r["redcap_event_name"], r["redcap_repeat_instrument"], r["redcap_repeat_instance"], r["weight"])
        for r in project.export_records()
    ]
    assert shown == [
        ("7", "baseline_arm_1", "", "", ""),
        ("7", "baseline_arm_1", "imaging", 1, ""),
        ("7", "baseline_arm_1", "imaging", 2, ""),
        ("7", "every_week_arm_1", "", 1, "70.5"),
        ("7", "every_week_arm_1", "", 2, "71"),
        ("8", "baseline_arm_2", "", "", "60"),
    ]
    first, second = project.export_records(events=["every_week_arm_1"], fields=["weight", "seen"])
    place = {"redcap_repeat_instrument": "", "redcap_repeat_instance": 1}
    assert first == WEEK | place | {"weight": "70.5", "seen___1": "0", "seen___2": "1"}
    assert (second["redcap_repeat_instance"], second["seen___2"]) == (2, "0")
    # An instrument that an event lacks is blank there, checkboxes too.
    assert [(r["redcap_event_name"], r["seen___1"]) for r in project.export_records(forms=["person", "visit"])] == [
        ("baseline_arm_1", ""),
        ("every_week_arm_1", "0"),
        ("every_week_arm_1", "0"),
        ("baseline_arm_2", "0"),
    ]
    assert [r["study_uid"] for r in project.export_records(forms=["imaging"])] == ["1.2.3", "1.2.4"]
    labelled = project.export_records(records=["8"], raw_or_label="label")
    assert labelled[0]["redcap_event_name"] == "Baseline (Arm 2: Placebo)"
    assert project.generate_next_record_name() == "9"


def test_a_row_without_an_event_belongs_to_the_first(project):
    project.import_records([{"id": "7", "born": "1990"}])
    assert [r["redcap_event_name"] for r in project.export_records()] == ["baseline_arm_1"]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (FIRST | {"redcap_event_name": "v1_arm_1"}, "The following values of redcap_event_name are invalid: v1_arm_1"),
        (
            FIRST | {"weight": "70"},
            "exists on an instrument that is not designated for the event named 'Baseline (Arm 1: Drug)'",
        ),
        (
            WEEK | {"redcap_repeat_instrument": "visit", "redcap_repeat_instance": 1, "weight": "70"},
            "must be the unique form name of a Repeating Instrument",
        ),
        (WEEK | {"redcap_repeat_instance": "0", "weight": "70"}, "must be a whole number from 1"),
        (FIRST | {"redcap_repeat_instance": 1, "born": "1990"}, "cannot have a value without an instrument"),
        (FIRST | {"study_uid": "1.2.3"}, "is not on the instrument of this row"),
    ],
)
def test_a_wrong_event_is_refused_and_nothing_is_stored(project, row, words):
    with pytest.raises(redcap.RedcapError) as refused:
        project.import_records([FIRST | {"born": "1990"}, row])
    assert words in str(refused.value).replace("\\'", "'")
    assert project.export_records() == []


def test_a_wrong_event_of_an_export(project):
    with pytest.raises(redcap.RedcapError, match=r'"events" are not valid: .*v1_arm_1'):
        project.export_records(events=["v1_arm_1"])


def test_delete_by_event_and_instance(project):
    project.import_records(
        [FIRST | {"born": "1990"}, *(WEEK | {"redcap_repeat_instance": n, "weight": n} for n in (1, 2, 3))]
    )
    assert project.delete_records(["7"], event="every_week_arm_1", repeat_instance=2) == 1
    assert [r["weight"] for r in project.export_records(events=["every_week_arm_1"])] == ["1", "3"]
    assert project.delete_records(["7"], event="every_week_arm_1") == 1
    assert [r["redcap_event_name"] for r in project.export_records()] == ["baseline_arm_1"]
    with pytest.raises(redcap.RedcapError, match="event"):
        project.delete_records(["7"], event="v1_arm_1")


def test_files_by_event(project):
    project.import_records([WEEK | {"redcap_repeat_instance": 1, "weight": "70"}])
    project.import_file("7", "report", "r.pdf", io.BytesIO(b"one"), event="every_week_arm_1", repeat_instance=2)
    assert project.export_file("7", "report", event="every_week_arm_1", repeat_instance=2)[0] == b"one"
    assert [r["report"] for r in project.export_records(fields=["report"])] == ["", "[document]"]
    for event in (None, "baseline_arm_1", "v1_arm_1"):
        # PyCap takes a refusal for the file.
        assert b"does not exist or has no such field" in project.export_file("7", "report", event=event)[0]


def test_events_outlive_a_restart(dictionary, tmp_path):
    state = tmp_path / "state.json"
    with RedcapSandbox(dictionary=dictionary, state=state) as running:
        redcap.Project(running.url, running.token).import_records(
            [WEEK | {"redcap_repeat_instance": 3, "weight": "70"}]
        )
    with RedcapSandbox(dictionary=dictionary, state=state) as again:
        assert [(r["redcap_event_name"], r["redcap_repeat_instance"], r["weight"]) for r in again.records] == [
            ("every_week_arm_1", 3, "70")
        ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"mappings": [{"unique_event_name": "v1_arm_1", "form": "person"}]},
        {"mappings": [{"unique_event_name": "baseline_arm_1", "form": "nothing"}]},
        {"repeating": [{"event_name": "v1_arm_1"}]},
        {"arms": [{"arm_num": 1, "name": "Drug"}]},
        {"mappings": 7},
    ],
)
def test_a_dictionary_that_contradicts_itself(dictionary, wrong):
    dictionary.write_text(json.dumps(DOCUMENT | wrong))
    with pytest.raises(PolicyError, match="arms, events and mappings"):
        Dictionary.load(dictionary)
