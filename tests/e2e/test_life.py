"""The life of a request: projects from REDCap, a transfer that is stopped, one that grows, and who is told."""

from __future__ import annotations

import json
from pathlib import Path

import requests
from pydicom import dcmread

import airlock.redcap.sandbox
from airlock.ledger import TransferState
from airlock.redcap import RedcapClient
from airlock.redcap.sandbox import RedcapSandbox
from airlock.request.again import again_of
from demo import phantoms
from tests.e2e.conftest import wait_until
from tests.e2e.test_page import token
from tests.mail import mail_sink

PROJECTS = Path(airlock.redcap.sandbox.__file__).with_name("projects.json")


def connect(installation, connection_id, **fields):
    installation.airflow.api("DELETE", f"connections/{connection_id}", check=False)
    installation.airflow.api("POST", "connections", json={"connection_id": connection_id, **fields})


def test_a_project_that_only_redcap_knows(installation, tmp_path):
    """It receives studies within its approval, REDCap is told, and nothing is sent after its end."""
    with RedcapSandbox(dictionary=PROJECTS) as listed:
        connect(installation, "project_list", conn_type="redcap", host=listed.url, password=listed.token)
        client = RedcapClient(listed.url, listed.token)
        row = {"project_name": "From REDCap", "project_active": "1", "project_patient_naming": "SUBJ-[0-9]{3}"}
        client.import_records([row | {"project_rec_end_date": "2099-12-31"}])
        installation.run_dag("projects")
        request = installation.request(installation.ct_study(tmp_path / "1"), project="From REDCap")
        transfer_id = installation.drop(request)
        assert installation.wait(transfer_id)[transfer_id] == "success"
        assert installation.find(transfer_id).state is TransferState.SENT
        assert installation.status_row(request)["transfers_complete"] == "2"

        client.import_records([row | {"project_rec_end_date": "2020-12-31"}])
        installation.run_dag("projects")
        late = installation.request(installation.ct_study(tmp_path / "2"), project="From REDCap")
        refused = installation.drop(late)
        assert installation.wait(refused)[refused] == "failed"
        assert installation.find(refused).state is TransferState.REFUSED
        assert "2020-12-31" in installation.status_row(late)["transfer_error_message"]


def test_a_transfer_that_is_stopped_on_the_page(installation, tmp_path):
    """A viewer may not; an administrator may. REDCap and the project's people are told, and nothing stays."""
    with mail_sink() as sink:
        extra = json.dumps({"encryption": "none"})
        connect(installation, "mail", conn_type="smtp", host="127.0.0.1", port=sink.port, extra=extra)
        installation.add_project("told", notify={"to": ["a@example.org"], "about": ["cancelled", "failed"]})
        request = installation.request(f"1.2.826.0.1.3680043.8.498.{id(sink)}", project="told")
        transfer_id = installation.drop(request)
        installation.wait_for_task(transfer_id, "wait_for_study", "deferred", "running")
        url = f"{installation.airflow.url}/airlock/api/transfers/{transfer_id}/cancel"
        assert requests.post(url, headers=token(installation, "viewer"), timeout=60).status_code == 403
        assert requests.post(url, headers=token(installation, "admin"), timeout=60).status_code == 200
        assert installation.wait(transfer_id)[transfer_id] == "failed"
        assert installation.find(transfer_id).state is TransferState.CANCELLED
        assert json.loads(installation.status_row(request)["transfer_error_message"])["state"] == "cancelled"
        wait_until(lambda: sink.messages, 30)
        assert sink.messages[0]["Subject"] == "Airlock: told: cancelled"
        assert request.study_instance_uid not in sink.messages[0].as_string()
    assert not (installation.settings.transfers_folder / transfer_id).exists()


def test_a_series_that_comes_late(installation, tmp_path):
    """The same transfer is done again, with everything; the intake removes what asked for it."""
    files = phantoms.ct_series(tmp_path, installation.patient(), slices=3, side=64)
    study = installation.put_into_raw(files[:2])
    transfer_id = installation.drop(installation.request(study))
    assert installation.wait(transfer_id)[transfer_id] == "success"
    assert installation.find(transfer_id).counts.sent == 2
    installation.put_into_raw(files[2:])
    assert str(dcmread(files[2], stop_before_pixels=True).StudyInstanceUID) == study
    wait_until(lambda: installation.run_dag("arrivals") or _again(installation, transfer_id), 120, pause=1)
    wait_until(lambda: installation.ledger.find(transfer_id).attempt == 2, 60)
    assert installation.wait(transfer_id)[transfer_id] == "success"
    assert installation.find(transfer_id).counts.sent == 3
    assert not [path for path in installation.drop_folder.glob("*.json") if again_of(path) == transfer_id]


def _again(installation, transfer_id):
    return any(kind == "again" for _, _, kind, _ in installation.ledger.events(transfer_id))
