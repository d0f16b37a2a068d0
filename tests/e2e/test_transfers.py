"""Real transfers through a real Airflow: every door, every kind of ending."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import requests

from airlock.dicomio.find import find_instances
from airlock.ledger import TransferState
from demo import phantoms
from demo.scene import CT_STUDY
from tests.e2e.browser import logged_in_page


def ct_study(installation, tmp_path, slices=2):
    return installation.put_into_raw(phantoms.ct_series(tmp_path, installation.patient(), slices=slices))


def mapped_study(installation, transfer_id):
    return next(i.path for i in installation.ledger.instances(transfer_id)).split("/")[0]


def test_ten_requests_and_a_broken_one(installation, tmp_path):
    """Ten files at once and a truncated one: ten runs, one reject. The same ten again: no new run."""
    studies = [ct_study(installation, tmp_path / str(n), slices=1) for n in range(10)]
    wanted = [installation.request(study) for study in studies]
    broken = installation.drop_folder / "broken.json"
    broken.write_text('{"study_instance_uid": "1.2.3", "transfer_pro')
    ids = [installation.drop(request) for request in wanted]
    assert set(installation.wait(*ids, seconds=400).values()) == {"success"}
    assert {installation.find(i).state for i in ids} == {TransferState.SENT}
    failed = installation.settings.proc_folder / "transfers_fail"
    assert [p.name for p in failed.glob("broken*")], list(failed.iterdir())
    assert not broken.exists()

    started = {i: installation.airflow.run_of(i)["start_date"] for i in ids}
    for request in wanted:
        installation.drop(request)
    done = installation.settings.proc_folder / "transfers_done"
    wait_until(lambda: len(list(done.glob("*_duplicate_*"))) == 10)
    assert not list(installation.drop_folder.glob("*.json"))
    assert {i: installation.airflow.run_of(i)["start_date"] for i in ids} == started
    runs = installation.airflow.api("GET", "dags/transfer/dagRuns", params={"limit": 100}).json()["dag_runs"]
    assert len([r for r in runs if r["dag_run_id"] in ids]) == 10


def test_c_move_from_the_staging_pacs(installation):
    """Everything that the source PACS has of a study is pulled, sent and proven."""
    from demo.scene import prepare

    case = prepare(installation.stack, 900, print)[0]
    transfer_id = installation.drop(case.request)
    assert installation.wait(transfer_id)[transfer_id] == "success"
    summary = installation.find(transfer_id)
    assert summary.counts.sent == summary.counts.received == summary.expected == 7, CT_STUDY
    found = find_instances(installation.stack.research, mapped_study(installation, transfer_id))
    assert len(found) == 7


def test_burned_in_text_is_masked(installation, tmp_path):
    files = phantoms.ultrasound_cine(tmp_path, installation.patient(), frames=4)
    transfer_id = installation.drop(installation.request(installation.put_into_raw(files)))
    assert installation.wait(transfer_id)[transfer_id] == "success"
    assert installation.find(transfer_id).counts.boxes > 0
    assert installation.airflow.tasks_of(transfer_id)["rewrite_pixels"]["state"] == "success"
    assert "boxes masked" in (installation.airflow.run_of(transfer_id)["note"] or "")


def test_no_text_skips_the_rewriter(installation, tmp_path):
    transfer_id = installation.drop(installation.request(ct_study(installation, tmp_path)))
    assert installation.wait(transfer_id)[transfer_id] == "success"
    tasks = installation.airflow.tasks_of(transfer_id)
    assert tasks["rewrite_pixels"]["state"] == "skipped"
    assert tasks["report_failure"]["state"] == "skipped"


def test_unknown_project_is_refused_and_told(installation, tmp_path):
    request = installation.request(ct_study(installation, tmp_path), project="nobody knows this")
    transfer_id = installation.drop(request)
    assert installation.wait(transfer_id)[transfer_id] == "failed"
    assert installation.find(transfer_id).state is TransferState.REFUSED
    assert status_row(installation, request)["transfers_complete"] == "1"
    assert list((installation.settings.proc_folder / "transfers_fail").glob(f"{request.file_name}_fail*"))
    assert "policy" in installation.airflow.run_of(transfer_id)["note"]


def test_missing_study_fails_and_is_told(installation):
    request = installation.request("1.2.826.0.1.3680043.10.404.1")
    transfer_id = installation.drop(request)
    assert installation.wait(transfer_id)[transfer_id] == "failed"
    row = status_row(installation, request)
    assert row["transfers_complete"] == "1"
    assert row["transfer_error_message"]


def test_only_presentation_states_end_empty(installation, tmp_path):
    """A study of which nothing is wanted is an ending of its own, not a failure."""
    policy = (installation.settings.projects / "demo.yaml").read_text()
    policy = policy.replace("name: demo", "name: no-pr") + "\nscreen:\n  remove_presentation_states: true\n"
    (installation.settings.projects / "no-pr.yaml").write_text(policy)
    patient = installation.patient()
    image = phantoms.ct_series(tmp_path / "ct", patient, slices=1)[0]
    state = phantoms.presentation_state(tmp_path / "pr", patient, image)
    study = installation.put_into_raw([state])
    transfer_id = installation.drop(installation.request(study, project="no-pr"))
    assert installation.wait(transfer_id)[transfer_id] == "success"
    summary = installation.find(transfer_id)
    assert summary.state is TransferState.EMPTY
    assert summary.counts.skipped == summary.counts.received == 1


def test_dry_run_sends_and_tells_nothing(installation, tmp_path):
    request = installation.request(ct_study(installation, tmp_path), options={"dry_run": True})
    transfer_id = installation.drop(request)
    assert installation.wait(transfer_id)[transfer_id] == "success"
    summary = installation.find(transfer_id)
    assert summary.state is TransferState.PREPARED
    assert summary.counts.sent == 0
    assert status_row(installation, request) is None
    assert not find_instances(installation.stack.research, mapped_study(installation, transfer_id))


def test_restart_from_the_failed_task(installation, tmp_path):
    """The research PACS refuses once: clearing the failed task goes on there and repeats nothing."""
    installation.stack.start_gate()
    transfer_id = installation.drop(installation.request(ct_study(installation, tmp_path), project="demo-gated"))
    assert installation.wait(transfer_id)[transfer_id] == "failed"
    assert installation.find(transfer_id).counts.held == 2
    before = installation.airflow.tasks_of(transfer_id)
    installation.airflow.clear(transfer_id, "send_to_research")
    wait_until(lambda: installation.airflow.run_of(transfer_id)["state"] != "failed")
    assert installation.wait(transfer_id)[transfer_id] == "success"
    assert installation.find(transfer_id).counts.sent == 2
    after = installation.airflow.tasks_of(transfer_id)
    for task_id in ("pull_study", "detect_burned_in_text", "deidentify", "verify_output"):
        assert after[task_id]["start_date"] == before[task_id]["start_date"]


def test_rest_derives_the_run_id(installation, tmp_path):
    request = installation.request(ct_study(installation, tmp_path))
    conf = {
        "study_instance_uid": request.study_instance_uid,
        "transfer_project_name": "demo",
        "transfer_name": request.transfer_name,
        "redcap_repeat_instance": request.redcap_repeat_instance,
    }
    body = {"logical_date": None, "conf": conf}
    answer = installation.airflow.api("POST", "dags/transfer/dagRuns", json=body)
    assert answer.json()["dag_run_id"] == installation.id(request)
    again = installation.airflow.api("POST", "dags/transfer/dagRuns", json=body, check=False)
    assert again.status_code == 409
    assert installation.wait(installation.id(request))[installation.id(request)] == "success"
    for wrong in ({"study_instance_uid": "not a uid"}, {"transfer_name": None}, {"redcap_repeat_instance": 0}):
        bad = installation.airflow.api(
            "POST", "dags/transfer/dagRuns", json={"logical_date": None, "conf": conf | wrong}, check=False
        )
        assert bad.status_code == 400, bad.text
    anonymous = requests.post(f"{installation.airflow.url}/api/v2/dags/transfer/dagRuns", json=body, timeout=10)
    assert anonymous.status_code == 401


def test_another_run_of_the_same_request_is_refused(installation, tmp_path):
    """A run id of one's own doesn't make a second transfer, and doesn't disturb the first."""
    request = installation.request(ct_study(installation, tmp_path))
    transfer_id = installation.drop(request)
    assert installation.wait(transfer_id)[transfer_id] == "success"
    body = {"logical_date": None, "dag_run_id": f"mine-{transfer_id}", "conf": {"transfer_id": transfer_id}}
    installation.airflow.api("POST", "dags/transfer/dagRuns", json=body)
    assert installation.wait(f"mine-{transfer_id}")[f"mine-{transfer_id}"] == "failed"
    summary = installation.find(transfer_id)
    assert (summary.state, summary.run_id) == (TransferState.SENT, transfer_id)


def test_the_form_in_a_browser(installation, tmp_path):
    request = installation.request(ct_study(installation, tmp_path))
    with logged_in_page(installation.airflow) as page:
        page.goto(f"{installation.airflow.url}/dags/transfer/runs")
        page.get_by_role("button", name="Trigger", exact=False).first.click()
        page.locator("[name=element_study_instance_uid]").fill(request.study_instance_uid)
        page.locator("[name=element_transfer_name]").fill(request.transfer_name)
        page.screenshot(path=str(tmp_path / "form.png"))
    assert (tmp_path / "form.png").exists()


def test_backfill_of_redrive_does_an_interval_again(installation, tmp_path):
    transfer_id = installation.drop(installation.request(ct_study(installation, tmp_path)))
    assert installation.wait(transfer_id)[transfer_id] == "success"
    first = installation.find(transfer_id)
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    arguments = ["backfill", "create", "--dag-id", "redrive", "--dag-run-conf", json.dumps({"mode": "redo"})]
    arguments += ["--from-date", (hour - timedelta(hours=1)).isoformat(), "--to-date", hour.isoformat()]
    installation.airflow.run(*arguments)
    wait_until(lambda: installation.find_attempt(transfer_id) > first.attempt, seconds=120)
    installation.wait(*[t.id for t in installation.ledger.transfers()], seconds=600)
    assert installation.find(transfer_id).state is TransferState.SENT


def status_row(installation, request):
    """The transfers row that REDCap has for a request, or None."""
    data = {
        "token": installation.stack.state["token"],
        "content": "record",
        "format": "json",
        "type": "flat",
        "records[0]": request.study_instance_uid,
    }
    rows = requests.post(installation.stack.redcap_url, data=data, timeout=10).json()
    found = [r for r in rows if str(r.get("redcap_repeat_instance")) == str(request.redcap_repeat_instance)]
    return found[0] if found else None


def wait_until(condition, seconds=60):
    from time import monotonic, sleep

    end = monotonic() + seconds
    while not condition():
        assert monotonic() < end, "it did not happen in time"
        sleep(0.3)
