"""Every door a request comes in by leads to the same run."""

from __future__ import annotations

import requests
from playwright.sync_api import expect

from airlock.ledger import TransferState
from airlock.redcap import RedcapClient
from tests.e2e.browser import logged_in_page
from tests.e2e.conftest import wait_until
from tests.listening import ports_beyond_loopback


def form(request):
    return {
        "study_instance_uid": request.study_instance_uid,
        "transfer_project_name": request.transfer_project_name,
        "transfer_name": request.transfer_name,
        "redcap_repeat_instance": request.redcap_repeat_instance,
    }


def at_the_same_time(installation, ids):
    """How many transfers were worked on at a time, at most."""
    tasks = [task for i in ids for task in installation.airflow.tasks_of(i).values() if task["pid"]]
    spans = [(task["start_date"], task["end_date"], task["dag_run_id"]) for task in tasks]
    return max(len({run for begun, ended, run in spans if begun <= at < ended}) for at, _, _ in spans)


def test_ten_requests_and_a_broken_one(installation, tmp_path):
    """Ten files at once and a truncated one: ten runs, one reject. The same ten again: no new run."""
    wanted = [installation.request(installation.ct_study(tmp_path / str(n), slices=1)) for n in range(10)]
    broken = installation.drop_folder / "broken.json"
    broken.write_text('{"study_instance_uid": "1.2.3", "transfer_pro')
    ids = [installation.drop(request) for request in wanted]
    assert set(installation.wait(*ids, seconds=400).values()) == {"success"}
    assert {installation.find(i).state for i in ids} == {TransferState.SENT}
    assert at_the_same_time(installation, ids) > 1
    failed = installation.settings.proc_folder / "transfers_fail"
    assert list(failed.glob("broken*"))
    assert not broken.exists()

    started = {i: installation.airflow.run_of(i)["start_date"] for i in ids}
    for request in wanted:
        installation.drop(request)
    done = installation.settings.proc_folder / "transfers_done"
    wait_until(lambda: len(list(done.glob("*_duplicate_*"))) == 10)
    assert not list(installation.drop_folder.glob("*.json"))
    assert {i: installation.airflow.run_of(i)["start_date"] for i in ids} == started
    runs = installation.airflow.api("GET", "dags/transfer/dagRuns", params={"limit": 100}).json()["dag_runs"]
    assert sorted(run["dag_run_id"] for run in runs) == sorted(ids)


def test_nothing_listens_beyond_the_loopback_interface(installation):
    services = installation.stack.services
    sessions = [pid for name in services.names() if (pid := services.pid(name))]
    assert len(sessions) >= 7
    assert ports_beyond_loopback(sessions) == set()


def test_a_file_that_is_still_written_is_left_alone(installation, tmp_path):
    request = installation.request(installation.ct_study(tmp_path))
    part = installation.drop_folder / f"{request.file_name}.part"
    part.write_text(request.model_dump_json(exclude_none=True))
    transfer_id = installation.drop(installation.request(installation.ct_study(tmp_path / "other")))
    assert installation.wait(transfer_id)[transfer_id] == "success"
    assert part.exists()
    assert installation.airflow.run_of(installation.id(request)) is None
    part.rename(installation.drop_folder / request.file_name)
    assert installation.wait(installation.id(request))[installation.id(request)] == "success"


def test_rest_derives_the_run_id(installation, tmp_path):
    request = installation.request(installation.ct_study(tmp_path))
    installation.typed_study_uids.add(request.study_instance_uid)
    conf, url = form(request), "dags/transfer/dagRuns"
    body = {"logical_date": None, "conf": conf}
    answer = installation.airflow.api("POST", url, json=body)
    assert answer.json()["dag_run_id"] == installation.id(request)
    assert installation.airflow.api("POST", url, json=body, check=False).status_code == 409
    assert installation.wait(installation.id(request))[installation.id(request)] == "success"
    for wrong in ({"study_instance_uid": "not a uid"}, {"transfer_name": None}, {"redcap_repeat_instance": 0}):
        bad = installation.airflow.api("POST", url, json={"logical_date": None, "conf": conf | wrong}, check=False)
        assert bad.status_code == 400, bad.text
        assert "not a uid" not in bad.text
    anonymous = requests.post(f"{installation.airflow.url}/api/v2/{url}", json=body, timeout=60)
    assert anonymous.status_code == 401


def test_another_run_of_the_same_request_is_refused(installation, tmp_path):
    """A run id of one's own doesn't make a second transfer, and doesn't disturb the first."""
    request = installation.request(installation.ct_study(tmp_path))
    transfer_id = installation.drop(request)
    assert installation.wait(transfer_id)[transfer_id] == "success"
    mine = f"mine-{transfer_id}"
    body = {"logical_date": None, "dag_run_id": mine, "conf": {"transfer_id": transfer_id}}
    installation.airflow.api("POST", "dags/transfer/dagRuns", json=body)
    assert installation.wait(mine)[mine] == "failed"
    summary = installation.find(transfer_id)
    assert (summary.state, summary.run_id) == (TransferState.SENT, transfer_id)
    assert installation.status_row(request)["transfers_complete"] == "2"


def test_the_form_and_clear_in_a_browser(installation, tmp_path):
    """A person starts a transfer with the form, finds it red, clears the failed task, and finds it green."""
    installation.stack.start_gate()
    request = installation.request(installation.ct_study(tmp_path), project="demo-gated")
    installation.typed_study_uids.add(request.study_instance_uid)
    airflow, run_id = installation.airflow, installation.id(request)
    with logged_in_page(airflow) as page:
        page.goto(f"{airflow.url}/dags/transfer/runs")
        page.get_by_role("button", name="Trigger").first.click()
        for field in ("study_instance_uid", "transfer_project_name", "transfer_name"):
            page.locator(f"[name=element_{field}]").fill(form(request)[field])
        page.locator("[name=element_redcap_repeat_instance]").fill(str(request.redcap_repeat_instance))
        page.screenshot(path=tmp_path / "form.png")
        with page.expect_response(lambda r: r.request.method == "POST" and r.url.endswith("/dagRuns")) as started:
            page.get_by_role("button", name="Trigger", exact=True).last.click()
        assert started.value.json()["dag_run_id"] == run_id
        assert installation.wait(run_id)[run_id] == "failed"

        page.goto(f"{airflow.url}/dags/transfer/runs/{run_id}/tasks/send_to_research")
        expect(page.get_by_text("rejects associations").first).to_be_visible()
        page.screenshot(path=tmp_path / "failed.png")
        page.locator("[aria-label='Press shift+c to clear']").first.click()
        page.get_by_role("button", name="Confirm").click()
        wait_until(lambda: airflow.run_of(run_id)["state"] != "failed")
        assert installation.wait(run_id)[run_id] == "success"

        page.goto(f"{airflow.url}/dags/transfer/runs/{run_id}")
        expect(page.get_by_text("sent: in 2, sent 2").first).to_be_visible()
        page.screenshot(path=tmp_path / "green.png")


def test_connections_have_working_test_buttons(installation):
    """The provider's connection types are known to Airflow, and testing one talks to the real peer."""
    for connection_id, words in (("research_pacs", "C-ECHO"), ("redcap", "REDCap")):
        body = installation.airflow.api("GET", f"connections/{connection_id}").json()
        if connection_id == "redcap":
            body["password"] = installation.stack.state["token"]
        answer = installation.airflow.api("POST", "connections/test", json=body).json()
        assert answer["status"], answer
        assert words in answer["message"]
    answer = installation.airflow.api(
        "POST", "connections/test", json={"connection_id": "x", "conn_type": "dicom", "host": "127.0.0.1", "port": 1}
    ).json()
    assert not answer["status"]


def test_asked_for_in_redcap(installation, tmp_path):
    """A row without a date becomes a run and gets its date; with the date cleared, it is done again."""
    client = RedcapClient(installation.stack.redcap_url, installation.stack.state["token"])
    request = installation.request(installation.ct_study(tmp_path))
    row = {
        "study_instance_uid": request.study_instance_uid,
        "redcap_repeat_instrument": "transfers",
        **{name: value for name, value in form(request).items() if name != "study_instance_uid"},
    }
    client.import_records([row])
    transfer_id = installation.id(request)

    def ask():
        runs = installation.airflow.api("POST", "dags/redcap_poll/dagRuns", json={"logical_date": None}).json()
        url = f"dags/redcap_poll/dagRuns/{runs['dag_run_id']}"
        wait_until(lambda: installation.airflow.api("GET", url).json()["state"] == "success", seconds=240)

    ask()
    assert installation.wait(transfer_id)[transfer_id] == "success"
    assert installation.status_row(request)["transfer_date"]
    attempt = installation.find(transfer_id).attempt
    ask()
    assert installation.find(transfer_id).attempt == attempt
    client.import_records([row | {"transfer_date": ""}])
    ask()
    wait_until(lambda: installation.find(transfer_id).attempt == attempt + 1, seconds=240)
    assert installation.wait(transfer_id)[transfer_id] == "success"
    wait_until(lambda: installation.status_row(request)["transfer_date"], seconds=240)
