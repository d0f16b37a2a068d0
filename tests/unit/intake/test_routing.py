"""Routes: the AND and the OR, and what is nobody's."""

from __future__ import annotations

import pytest

from airlock.errors import PolicyError
from airlock.intake.arrived import arrived_studies
from airlock.intake.routing import Route, load_routes, routed
from tests.arrivals import arrive

STUDY = "1.2.826.0.1.3680043.8.498.71"
ROUTE = Route(
    project="P", called="PROJ", calling="MR1", patient_id="DEMO-[0-9]+", patient_name="D[.][0-9]+", event="e1"
)


def study(tmp_path, *indexes):
    for number, index in enumerate(indexes or ({},), start=1):
        arrive(tmp_path, STUDY, number, **index)
    (found,) = arrived_studies(tmp_path)
    return found


def connection(calling, called):
    return {"IncomingConnection": {"AETitleCaller": calling, "AETitleCalled": called}}


@pytest.mark.parametrize(
    ("calling", "called", "by_ae"), [("MR1", "PROJ", 1), ("MR1", "X", 1), ("X", "PROJ", 1), ("X", "X", 0)]
)
@pytest.mark.parametrize(
    ("patient_id", "name", "subject"),
    [
        ("DEMO-1", "D.2", "DEMO-1"),  # the ID before the name
        ("DEMO-1", "Doe^Jane", "DEMO-1"),
        ("4711", "D.2", "D.2"),
        ("4711", "Doe^Jane", None),
        ("DEMO-1 ", "", "DEMO-1"),
        ("xDEMO-1", "", None),  # as a whole
        ("DEMO-1x", "", None),
    ],
)
def test_ae_title_and_patient(tmp_path, calling, called, by_ae, patient_id, name, subject):
    arrived = study(tmp_path, {**connection(calling, called), "PatientID": patient_id, "PatientName": name})
    asks = routed(arrived, [ROUTE])
    assert [(ask.project, ask.subject, ask.event) for ask in asks] == (
        [("P", subject, "e1")] if by_ae and subject else []
    )


def test_every_route_that_fires_but_nothing_twice(tmp_path):
    routes = [ROUTE, ROUTE, ROUTE.model_copy(update={"project": "Q"}), ROUTE.model_copy(update={"active": False})]
    assert [ask.project for ask in routed(study(tmp_path), routes)] == ["P", "Q"]


def test_a_study_of_two_patients_is_nobodys(tmp_path):
    assert routed(study(tmp_path, {}, {"PatientID": "DEMO-002"}), [ROUTE]) == []


def test_a_fixed_subject_for_projects_that_name_their_patients(tmp_path):
    route = Route(project="P", called="PROJ", subject="auto")
    assert [ask.subject for ask in routed(study(tmp_path), [route])] == ["auto"]
    narrowed = Route(project="P", called="PROJ", subject="auto", patient_id="X.*")
    assert routed(study(tmp_path), [narrowed]) == []


def test_a_series_without_index_or_with_half_of_one(tmp_path):
    arrive(tmp_path, STUDY)
    (tmp_path / STUDY / f"{STUDY}.2.json").write_text('{"PatientID": "DEMO')
    (tmp_path / STUDY / "notes.json").write_text("{}")
    (tmp_path / "1.2.3").mkdir()
    (tmp_path / "not-a-study").mkdir()
    (found,) = arrived_studies(tmp_path)
    assert found.patient_ids == {"DEMO-001"}
    assert list(arrived_studies(tmp_path, settled_seconds=60)) == []
    assert list(arrived_studies(tmp_path / "none")) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("routes: [{project: P, patient_id: x}]", "names an AE title"),
        ("routes: [{project: P, called: A}]", "whose studies"),
        ("routes: [{project: P, called: A, patient_id: '('}]", "routes.0.patient_id: .*not a regular expression"),
        ("routes: [{project: P, called: A, subject: s, colour: red}]", "routes.0.colour"),
        ("routes: [", "routing.yaml:1"),
    ],
)
def test_a_table_that_cannot_be_used(tmp_path, text, words):
    path = tmp_path / "routing.yaml"
    path.write_text(text)
    with pytest.raises(PolicyError, match=words):
        load_routes(path)


def test_the_sample_table_is_valid_and_routes_nothing():
    from pathlib import Path

    assert load_routes(Path(__file__).parents[3] / "config" / "routing.yaml").routes == ()
    assert load_routes(Path("nowhere.yaml")).routes == ()
