"""The network in whole: DICOMweb in, an encrypted destination and one that is down, and the daily comparison."""

from __future__ import annotations

import json

import yaml
from pydicom import dcmread

from airlock.dicomio.find import find_instances
from airlock.dicomio.store import Outgoing, send_files
from airlock.ledger import TransferState
from demo import phantoms
from demo.services import free_port
from tests.certificates import make_certificate
from tests.e2e.conftest import wait_until
from tests.pacs import WEB_PLUGIN, dcmqrscp, orthanc_tls, orthanc_web
from tests.peers import require_file


def test_from_dicomweb_to_an_encrypted_destination_and_one_that_is_down(installation, tmp_path):
    """The encrypted one has everything while the transfer waits for the other; then both are compared."""
    require_file(WEB_PLUGIN)
    files = phantoms.ct_series(tmp_path / "ct", installation.patient(), slices=3, side=64)
    study = str(dcmread(files[0], stop_before_pixels=True).StudyInstanceUID)
    ours, theirs = (make_certificate(tmp_path / "certificates", name) for name in ("ours", "theirs"))
    port = free_port()
    with (
        orthanc_web(tmp_path / "clinical") as (clinical, web),
        orthanc_tls(tmp_path / "research", ours, theirs) as encrypted,
    ):
        assert all(o.stored for o in send_files(clinical, [Outgoing.of(f.name, f) for f in files]))
        installation.add_connection("encrypted_research", encrypted)
        with dcmqrscp(tmp_path / "late", port=port) as late:
            installation.add_connection("late_research", late)
        body = {"connection_id": "clinical_web", "conn_type": "dicomweb", "host": web.url, "extra": "{}"}
        installation.airflow.api("POST", "connections", json=body)
        policy = yaml.safe_load((installation.settings.projects / "demo.yaml").read_text())
        del policy["destination"]
        both = [{"connection": "encrypted_research"}, {"connection": "late_research"}]
        (installation.settings.projects / "both.yaml").write_text(
            yaml.safe_dump(policy | {"name": "both", "destinations": both})
        )
        source = {"method": "dicomweb", "connection": "clinical_web"}
        request = installation.request(study, project="both", source=source)
        transfer_id = installation.drop(request)
        installation.wait_for_task(transfer_id, "send_to_research", "deferred")
        mapped = installation.mapped_study(transfer_id)
        assert len(find_instances(encrypted, mapped)) == 3
        summary = installation.ledger.find(transfer_id)
        assert (summary.state, summary.counts.sent, summary.counts.open) == (TransferState.RUNNING, 0, 3)
        with dcmqrscp(tmp_path / "late", port=port) as late:
            assert installation.wait(transfer_id)[transfer_id] == "success"
            assert len(find_instances(late, mapped)) == 3
            assert installation.find(transfer_id).counts.sent == 3
            events = installation.ledger.events(transfer_id)
            assert [kind for _, step, kind, _ in events if step == "send_to_research"][:2] == ["started", "waiting"]
            assert not [kind for _, _, kind, _ in events if kind == "failed"]
            row = installation.status_row(request)
            assert (row["transfers_complete"], row["transfer_error_message"]) == ("2", "")
            assert _compared(installation, {one["connection"] for one in both}) == {"success"}
    tables = installation.settings.home / "reconcile"
    assert all(",whole,3,3,0,0," in next((tables / one["connection"]).glob("*.csv")).read_text() for one in both)
    told = json.dumps([detail for _, _, _, detail in events])
    assert installation.patients[-1].name not in told


def test_from_an_encrypted_source(installation, tmp_path):
    """C-GET and C-MOVE over TLS, both ways: the source shows a certificate, and so does what it moves studies to.

    This source has a pool of its own, which is removed at the end.
    """
    pool = {"name": "pacs_encrypted_clinical", "slots": 1, "include_deferred": False}
    installation.airflow.api("POST", "pools", json=pool)
    ours, theirs = (make_certificate(tmp_path / "certificates", name) for name in ("ours", "theirs"))
    with orthanc_tls(tmp_path / "clinical", ours, theirs) as encrypted:
        installation.add_connection("encrypted_clinical", encrypted)
        requests = []
        for method in ("c-get", "c-move"):
            files = phantoms.ct_series(tmp_path / method, installation.patient(), slices=2, side=64)
            assert all(o.stored for o in send_files(encrypted, [Outgoing.of(f.name, f) for f in files]))
            source = {"method": method, "connection": "encrypted_clinical"}
            study = str(dcmread(files[0], stop_before_pixels=True).StudyInstanceUID)
            requests.append(installation.request(study, project="demo", source=source))
        ids = [installation.drop(request) for request in requests]
        assert installation.wait(*ids) == dict.fromkeys(ids, "success")
        assert [installation.find(transfer_id).counts.sent for transfer_id in ids] == [2, 2]
        tasks = [installation.airflow.tasks_of(transfer_id) for transfer_id in ids]
        assert {task["pull_study"]["pool"] for task in tasks} == {pool["name"]}
        assert {task["send_to_research"]["pool"] for task in tasks} == {"research_pacs"}
        installation.airflow.api("DELETE", f"pools/{pool['name']}")


def _compared(installation, names):
    """Run the DAG `reconcile`; return the states of the comparisons of some destinations."""
    run = installation.airflow.api("POST", "dags/reconcile/dagRuns", json={"logical_date": None}).json()["dag_run_id"]

    def states():
        path = f"dags/reconcile/dagRuns/{run}/taskInstances"
        found = installation.airflow.api("GET", path).json()["task_instances"]
        of_names = {t["rendered_map_index"]: t["state"] for t in found if t["rendered_map_index"] in names}
        return of_names if set(of_names) == names and set(of_names.values()) <= {"success", "failed"} else None

    wait_until(states, seconds=240)
    return set(states().values())
