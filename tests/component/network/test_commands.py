"""`airlock send` and `airlock pull`."""

import json

import pytest
from pydicom.uid import generate_uid

from tests.commands import airlock
from tests.simulated_pacs import SimulatedPacs
from tests.studies import make_study


def address(peer):
    return ["--host", peer.host, "--port", peer.port, "--called-aet", "SIMULATED"]


def test_send_and_pull(tmp_path):
    study_uid = generate_uid()
    files = make_study(tmp_path / "made", study_uid, 2, 2)
    pacs = SimulatedPacs()
    with pacs.running() as peer:
        result = airlock("send", tmp_path / "made", *address(peer))
        assert (result.status, result.last_line) == (0, "sent 4, refused 0, unreadable 0")
        result = airlock("pull", study_uid, tmp_path / "got", *address(peer), "--method", "c-get")
        assert (result.status, result.last_line) == (0, "received 4 of 4")
        result = airlock("pull", study_uid, tmp_path / "moved", *address(peer), "--move-port", peer.move_port)
        assert (result.status, result.last_line) == (0, "received 4 of 4")
        for folder in ("got", "moved"):
            assert {p.name for p in (tmp_path / folder).iterdir()} == {f"{uid}.dcm" for uid in files}
        # by connection, and a single file
        connection = {"host": peer.host, "port": peer.port, "extra": {"called_aet": "SIMULATED"}}
        one = next(iter(files.values()))
        result = airlock("send", one, "--connection", "lab", AIRFLOW_CONN_LAB=json.dumps(connection))
        assert (result.status, result.last_line) == (0, "sent 1, refused 0, unreadable 0")


def test_refused_and_unreadable_files(tmp_path):
    make_study(tmp_path / "made", generate_uid(), 1, 3)
    (tmp_path / "made" / "zzz.txt").write_text("no")
    with SimulatedPacs(store_statuses={2: 0xC000}).running() as peer:
        result = airlock("send", tmp_path / "made", *address(peer))
    assert (result.status, result.last_line) == (3, "sent 2, refused 1, unreadable 1")
    assert "file 2: status 0xC000" in result.stderr
    assert "file 4: Invalid_DICOM" in result.stderr


def test_a_truncated_file_does_not_keep_the_others_back(tmp_path):
    files = make_study(tmp_path / "made", generate_uid(), 1, 3)
    first = min(files.values())
    first.write_bytes(first.read_bytes()[:-5])
    with SimulatedPacs().running() as peer:
        result = airlock("send", tmp_path / "made", *address(peer))
    assert (result.status, result.last_line) == (3, "sent 2, refused 0, unreadable 1")
    assert "file 1: DICOM_Read_Error: the file ends inside an element: it is truncated" in result.stderr


def test_incomplete_and_failed(tmp_path):
    study_uid = generate_uid()
    files = make_study(tmp_path / "made", study_uid, 1, 2)
    pacs = SimulatedPacs(withhold={next(iter(files))})
    pacs.hold(files)
    with pacs.running() as peer:
        result = airlock("pull", study_uid, tmp_path / "got", *address(peer), "--method", "c-get")
        assert (result.status, result.last_line) == (1, "received 1 of 2")
        result = airlock("pull", "1.2.3", tmp_path / "got", *address(peer))
        assert result.status == 2
        assert "has no instance of the study" in result.stderr
    result = airlock("send", tmp_path / "made", *address(peer))
    assert result.status == 1
    assert "cannot be reached" in result.stderr


@pytest.mark.parametrize("command", ["pull", "send"])
def test_a_peer_must_be_named(command, tmp_path):
    arguments = ["1.2.3", tmp_path] if command == "pull" else [tmp_path]
    result = airlock(command, *arguments)
    assert result.status == 2
    assert "--connection" in result.stderr
