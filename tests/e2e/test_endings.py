"""Every ending of a transfer: counts whole, REDCap told, request archived."""

from __future__ import annotations

from pydicom import dcmread

from airlock.dicomio.find import find_instances
from airlock.dicomio.store import Outgoing, send_files
from airlock.ledger import TransferState
from demo import phantoms, scene
from demo.stack import docker_answers
from tests.e2e.conftest import wait_until
from tests.pacs import dcmqrscp

REWRITE_STARTED = ("rewrite_pixels", "started")


def test_c_move_from_the_staging_pacs(installation):
    """Everything that the source PACS has of a study is pulled, sent and proven."""
    case = scene.prepare(installation.stack, 900, print)[0]
    transfer_id = installation.drop(case.request)
    assert installation.wait(transfer_id)[transfer_id] == "success"
    summary = installation.find(transfer_id)
    assert summary.counts.sent == summary.counts.received == summary.expected == 7
    found = find_instances(installation.stack.research, installation.mapped_study(transfer_id))
    assert len(found) == 7
    row = installation.status_row(case.request)
    assert row["transfer_mapped_uid"] == installation.mapped_study(transfer_id)
    assert (row["transfers_complete"], row["transfer_error_message"]) == ("2", "")


def test_from_dcmqrscp_to_dcmqrscp(installation, tmp_path):
    """Another PACS on both sides, with C-GET."""
    files = phantoms.ct_series(tmp_path / "ct", installation.patient(), slices=3, side=64)
    with dcmqrscp(tmp_path / "clinical") as clinical, dcmqrscp(tmp_path / "research") as research:
        assert [o.status for o in send_files(clinical, [Outgoing.of(str(n), f) for n, f in enumerate(files)])] == [
            0
        ] * 3
        installation.add_connection("dcmtk_clinical", clinical)
        installation.add_connection("dcmtk_research", research)
        installation.add_project("dcmtk", destination={"connection": "dcmtk_research"})
        study = str(dcmread(files[0], stop_before_pixels=True).StudyInstanceUID)
        request = installation.request(
            study, project="dcmtk", source={"method": "c-get", "connection": "dcmtk_clinical"}
        )
        transfer_id = installation.drop(request)
        assert installation.wait(transfer_id)[transfer_id] == "success"
        assert len(find_instances(research, installation.mapped_study(transfer_id))) == 3


def test_burned_in_text_is_masked(installation, tmp_path):
    files = phantoms.ultrasound_cine(tmp_path, installation.patient(), frames=4)
    transfer_id = installation.drop(installation.request(installation.put_into_raw(files)))
    assert installation.wait(transfer_id)[transfer_id] == "success"
    assert installation.find(transfer_id).counts.boxes > 0
    assert installation.airflow.tasks_of(transfer_id)["rewrite_pixels"]["state"] == "success"
    started = [d for _, step, kind, d in installation.ledger.events(transfer_id) if (step, kind) == REWRITE_STARTED]
    assert [detail["where"] for detail in started] == ["docker" if docker_answers() else "process"]
    assert "boxes masked" in installation.airflow.run_of(transfer_id)["note"]


def test_no_text_skips_the_rewriter(installation, tmp_path):
    transfer_id = installation.drop(installation.request(installation.ct_study(tmp_path)))
    assert installation.wait(transfer_id)[transfer_id] == "success"
    tasks = installation.airflow.tasks_of(transfer_id)
    assert tasks["rewrite_pixels"]["state"] == "skipped"
    assert tasks["report_failure"]["state"] == "skipped"
    assert not (installation.settings.transfers_folder / transfer_id).exists()


def test_unknown_project_is_refused_and_told(installation, tmp_path):
    request = installation.request(installation.ct_study(tmp_path), project="nobody knows this")
    transfer_id = installation.drop(request)
    assert installation.wait(transfer_id)[transfer_id] == "failed"
    assert installation.find(transfer_id).state is TransferState.REFUSED
    assert installation.status_row(request)["transfers_complete"] == "1"
    assert list((installation.settings.proc_folder / "transfers_fail").glob(f"{request.file_name}_fail*"))
    wait_until(lambda: "policy" in (installation.airflow.run_of(transfer_id)["note"] or ""))


def test_missing_study_fails_and_is_told(installation):
    request = installation.request("1.2.826.0.1.3680043.10.404.1")
    transfer_id = installation.drop(request)
    assert installation.wait(transfer_id)[transfer_id] == "failed"
    row = installation.status_row(request)
    assert row["transfers_complete"] == "1"
    assert "not at its source" in row["transfer_error_message"]


def test_only_presentation_states_end_empty(installation, tmp_path):
    """A study of which nothing is wanted is an ending of its own, not a failure."""
    installation.add_project("no-pr", screen={"remove_presentation_states": True})
    patient = installation.patient()
    image = phantoms.ct_series(tmp_path / "ct", patient, slices=1, side=64)[0]
    study = installation.put_into_raw([phantoms.presentation_state(tmp_path / "pr", patient, image)])
    transfer_id = installation.drop(installation.request(study, project="no-pr"))
    assert installation.wait(transfer_id)[transfer_id] == "success"
    summary = installation.find(transfer_id)
    assert summary.state is TransferState.EMPTY
    assert summary.counts.skipped == summary.counts.received == 1


def test_what_is_not_dicom_is_held_and_the_rest_goes_on(installation, tmp_path):
    study = installation.ct_study(tmp_path)
    folder = installation.settings.raw_folder / study
    (folder / "notes.txt").write_text(f"call {installation.patients[-1].name}")
    (folder / "empty.dcm").touch()
    request = installation.request(study)
    transfer_id = installation.drop(request)
    assert installation.wait(transfer_id)[transfer_id] == "success"
    counts = installation.find(transfer_id).counts
    assert (counts.received, counts.sent, counts.held) == (4, 2, 2)


def test_a_study_of_which_all_is_held_is_red_and_kept(installation, tmp_path):
    folder = installation.settings.raw_folder / "1.2.826.0.1.3680043.10.404.2"
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("not DICOM")
    request = installation.request(folder.name)
    transfer_id = installation.drop(request)
    assert installation.wait(transfer_id)[transfer_id] == "failed"
    summary = installation.find(transfer_id)
    assert (summary.state, summary.counts.held) == (TransferState.HELD, 1)
    assert (installation.settings.transfers_folder / transfer_id / "incoming").is_dir()
    assert "held" in installation.status_row(request)["transfer_error_message"]


def test_dry_run_sends_and_tells_nothing(installation, tmp_path):
    request = installation.request(installation.ct_study(tmp_path), options={"dry_run": True})
    transfer_id = installation.drop(request)
    assert installation.wait(transfer_id)[transfer_id] == "success"
    summary = installation.find(transfer_id)
    assert summary.state is TransferState.PREPARED
    assert summary.counts.sent == 0
    assert installation.status_row(request) is None
    assert not find_instances(installation.stack.research, installation.mapped_study(transfer_id))


def test_redcap_down_is_told_later(installation, tmp_path):
    """A transfer doesn't wait for REDCap; the row is written when REDCap is back."""
    request = installation.request(installation.ct_study(tmp_path))
    installation.stack.services.stop("redcap")
    transfer_id = installation.drop(request)
    assert installation.wait(transfer_id)[transfer_id] == "success"
    assert installation.ledger.statuses.owed(transfer_id)
    installation.stack.start_redcap(print)
    wait_until(lambda: not installation.ledger.statuses.owed(transfer_id), seconds=240)
    assert installation.status_row(request)["transfers_complete"] == "2"
