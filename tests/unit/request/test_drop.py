"""The drop folder: whole files only, oldest first, each taken once, each alone."""

import json
import os
import stat
import threading
import time
from datetime import UTC, datetime

import pytest

from airlock.errors import DuplicateRequest
from airlock.ledger import TransferState
from airlock.request import parse_request
from airlock.request.drop import Accepted, Rejected, clear, drop, settled_files, take
from airlock.request.store import RequestStore
from airlock.settings import Settings
from airlock.transfer import open_ledger

REQUEST = {
    "study_instance_uid": "1.2.826.0.1.3680043.8.498.4712",
    "transfer_project_name": "Demo",
    "transfer_name": "S-1",
    "unknown": "kept ø",
}


@pytest.fixture
def settings(tmp_path):
    settings = Settings(home=tmp_path)
    settings.drop_folder.mkdir(parents=True)
    return settings


def put(settings, name, content=None, age=60.0):
    path = settings.drop_folder / name
    data = json.dumps(REQUEST, ensure_ascii=False) if content is None else content
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_only_whole_request_files_count(settings):
    wanted = [put(settings, "b.json", age=50), put(settings, "c.json", age=40), put(settings, "a.json", age=30)]
    for name in ("a.json.tmp", "a.json.part", ".a.json", "a.txt", "a.part"):
        put(settings, name)
    put(settings, "young.json", age=0.5)
    (settings.drop_folder / "folder.json").mkdir()
    (settings.drop_folder / "link.json").symlink_to(wanted[0])
    os.mkfifo(settings.drop_folder / "pipe.json")
    assert settled_files(settings.drop_folder, 2) == wanted
    assert settings.drop_folder / "young.json" in settled_files(settings.drop_folder, 0)


def test_a_file_from_the_future_is_not_waited_for(settings):
    path = put(settings, "a.json", age=-86400)
    time.sleep(0.02)
    assert settled_files(settings.drop_folder, 0.01) == [path]
    accepted = take(path, settings)
    assert isinstance(accepted, Accepted)
    summary = open_ledger(settings).find(accepted.transfer_id)
    assert summary is not None
    assert summary.arrived_at <= datetime.now(UTC)


def test_no_folder(tmp_path):
    assert settled_files(tmp_path / "none", 0) == []


def test_take_keeps_and_registers(settings):
    path = put(settings, "a.json", age=3600)
    first = take(path, settings)
    assert isinstance(first, Accepted)
    assert (first.known, first.priority) == (False, "normal")
    assert path.exists()
    stored = RequestStore(settings.proc_folder).get(first.transfer_id)
    assert stored.file_name == "a.json"
    assert json.loads(stored.content) == REQUEST
    summary = open_ledger(settings).find(first.transfer_id)
    assert summary is not None
    assert (summary.state, summary.project) == (TransferState.REQUESTED, None)
    assert abs((datetime.now(UTC) - summary.arrived_at).total_seconds() - 3600) < 60

    again = take(put(settings, "b.json"), settings)
    assert isinstance(again, Accepted)
    assert (again.transfer_id, again.known) == (first.transfer_id, True)
    assert RequestStore(settings.proc_folder).get(first.transfer_id).file_name == "a.json"


def test_priority_and_a_byte_order_mark(settings):
    content = "\ufeff" + json.dumps(REQUEST | {"options": {"priority": "high"}})
    accepted = take(put(settings, "a.json", content), settings)
    assert isinstance(accepted, Accepted)
    assert accepted.priority == "high"


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff", b"[]", b'{"transfer_name": "Xantippe"}', b"[" * 99999, b"x" * (1 << 21)],
    ids=range(7),
)
def test_a_bad_file_is_rejected_alone(settings, content):
    path = put(settings, "Xantippe.json", content)
    rejected = take(path, settings)
    assert isinstance(rejected, Rejected)
    assert rejected.reason
    assert "Xantippe" not in rejected.reason
    assert path.exists()
    assert isinstance(take(put(settings, "good.json"), settings), Accepted)


def test_what_is_not_a_file_anymore(settings):
    assert take(settings.drop_folder / "gone.json", settings) is None
    os.mkfifo(settings.drop_folder / "pipe.json")
    assert isinstance(take(settings.drop_folder / "pipe.json", settings), Rejected)


def test_several_takers_agree(settings):
    open_ledger(settings)
    path, results = put(settings, "a.json"), []
    threads = [threading.Thread(target=lambda: results.append(take(path, settings))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({accepted.transfer_id for accepted in results}) == 1
    assert sorted(accepted.known for accepted in results) == [False] + [True] * 5


def test_clear_removes_what_was_taken_and_nothing_newer(settings):
    path = put(settings, "a.json")
    accepted = take(path, settings)
    assert isinstance(accepted, Accepted)
    put(settings, "a.json", json.dumps(REQUEST | {"transfer_name": "S-2"}), age=1)
    assert not clear(accepted)
    assert path.exists()
    accepted = take(path, settings)
    assert isinstance(accepted, Accepted)
    assert clear(accepted)
    assert not path.exists()
    assert clear(accepted)


def test_drop_writes_what_take_reads(settings):
    request = parse_request(json.dumps(REQUEST))
    path = drop(request, settings)
    assert path.name == request.file_name
    assert stat.S_IMODE(path.stat().st_mode) & 0o027 == 0
    assert isinstance(take(path, settings), Accepted)
    with pytest.raises(DuplicateRequest):
        drop(request, settings)
    assert [p.name for p in settings.drop_folder.iterdir()] == [path.name]


def test_drop_with_the_longest_name(settings):
    request = parse_request(
        json.dumps(REQUEST | {"transfer_name": "\U0001d518" * 64, "transfer_project_name": "\U0001d504" * 64})
    )
    path = drop(request, settings)
    assert path.suffix == ".json"
    assert settled_files(settings.drop_folder, 0) == [path]
