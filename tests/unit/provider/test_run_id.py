"""Runs that are started by hand are named after their request."""

from __future__ import annotations

import asyncio
import json

import pytest

from airlock.errors import InvalidRequest
from airlock.identity.keys import KeyRing
from airlock.settings import load_settings
from airlock_provider.context import request_from_form
from airlock_provider.plugin.run_id import DerivedRunId, with_run_id

CONF = {"study_instance_uid": "1.2.3", "transfer_project_name": "demo", "transfer_name": "S-1"}
FORM = CONF | {"transfer_event_name": "", "method": None, "connection": None, "dry_run": False, "priority": "normal"}


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("AIRLOCK_HOME", str(tmp_path))
    load_settings.cache_clear()
    yield
    load_settings.cache_clear()


def derived(conf):
    return json.loads(with_run_id(json.dumps({"conf": conf, "logical_date": "2026-01-01T00:00:00Z"}).encode()))


def test_form_and_rest_have_the_same_run_id():
    expected = request_from_form(CONF).transfer_id(KeyRing.load(load_settings().key_path))
    assert derived(CONF)["dag_run_id"] == derived(FORM)["dag_run_id"] == expected
    assert derived(CONF)["logical_date"] is None
    assert derived(CONF | {"transfer_name": "S-2"})["dag_run_id"] != expected


def test_a_run_id_of_ones_own_is_left():
    body = json.dumps({"conf": CONF, "dag_run_id": "mine"}).encode()
    assert json.loads(with_run_id(body))["dag_run_id"] == "mine"


@pytest.mark.parametrize("wrong", [{"study_instance_uid": "1.02.3"}, {"transfer_name": None}, {"priority": "urgent"}])
def test_what_is_not_a_request_is_refused_without_its_values(wrong):
    with pytest.raises(InvalidRequest) as refused:
        derived(CONF | wrong)
    assert "1.02.3" not in str(refused.value)
    assert "urgent" not in str(refused.value)


def call(path, body, headers=((b"authorization", b"Bearer x"),), status=200):
    """Run the middleware around an application that notes what it got; return that, and what was answered."""
    got, answers = {}, []

    async def application(scope, receive, send):
        got.update(body=(await receive())["body"], headers=dict(scope["headers"]))
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"Airflow's"})

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        answers.append(message)

    scope = {"type": "http", "method": "POST", "path": path, "headers": [*headers, (b"content-length", b"1")]}
    asyncio.run(DerivedRunId(application)(scope, receive, send))
    return got, answers


def test_the_middleware_changes_only_calls_that_start_a_transfer():
    body = json.dumps({"conf": CONF}).encode()
    got, _ = call("/api/v2/dags/transfer/dagRuns", body)
    assert json.loads(got["body"])["dag_run_id"].startswith("transfer-")
    assert int(got["headers"][b"content-length"]) == len(got["body"])
    for path, headers in (
        ("/api/v2/dags/other/dagRuns", [(b"authorization", b"x")]),
        ("/api/v2/dags/transfer/dagRuns", []),
    ):
        assert call(path, body, headers)[0]["body"] == body


def test_the_middleware_answers_400():
    got, answers = call("/api/v2/dags/transfer/dagRuns", json.dumps({"conf": {}}).encode())
    assert not got
    assert answers[0]["status"] == 400
    assert "study_instance_uid" in json.loads(answers[1]["body"])["detail"]


def test_a_second_run_of_a_request_is_refused_in_plain_words():
    _, answers = call("/api/v2/dags/transfer/dagRuns", json.dumps({"conf": CONF}).encode(), status=409)
    assert [answer.get("status") for answer in answers] == [409, None]
    assert "was requested before" in json.loads(answers[1]["body"])["detail"]
    _, answers = call("/api/v2/dags/transfer/dagRuns", json.dumps({"conf": CONF}).encode())
    assert answers[1]["body"] == b"Airflow's"
