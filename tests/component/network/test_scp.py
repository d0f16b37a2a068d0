"""`airlock scp` and what it keeps."""

import errno
import json
import os
import resource
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid

from airlock.dicomio.outgoing import Outgoing
from airlock.dicomio.peer import Peer
from airlock.dicomio.store import send_files
from airlock.dicomio.wire import part_file, pdu
from airlock.dicomio.wire.acceptor import Admission
from airlock.dicomio.wire.counts import Counts
from airlock.dicomio.wire.server import StorageServer
from airlock.dicomio.wire.shelf import Shelf
from tests.commands import airlock
from tests.raw_dicom import Caller, store
from tests.studies import make_instance, make_study

COMMAND = [sys.executable, "-c", "from airlock.cli import main; main()"]


@contextmanager
def receiver(folder, **options):
    counts = Counts()
    shelf = Shelf(folder, counts, **{"sync": False, "least_free_bytes": 0, **options})
    server = StorageServer(shelf, Admission("ANY-SCP"), counts=counts)
    try:
        yield server, shelf
    finally:
        server.stop()


@contextmanager
def service(folder, *options):
    """Run `airlock scp`; yield the process, its port and that of its health."""
    arguments = ["scp", "--port", "0", "--aet", "SERVICE", "--folder", str(folder), "--http", "0", *options]
    process = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, text=True)
    try:
        ports = [int(process.stdout.readline().split(":")[-1].split("/")[0]) for _ in range(2)]
        yield process, *ports
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)
        process.stdout.close()


def health(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def send(port, files, **peer):
    peer = Peer("127.0.0.1", port, **peer)
    return {o.id: o.status for o in send_files(peer, [Outgoing.of(uid, path) for uid, path in files.items()])}


def kept(folder):
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def test_the_service_from_start_to_end(tmp_path):
    study = generate_uid()
    files = make_study(tmp_path / "made", study, 2, 3)
    folder = tmp_path / "got"
    with service(folder, "--caller", "AIRLOCK", "--min-free-mib", "1") as (process, port, http):
        status, state = health(http)
        assert (status, state["status"], state["stored"], state["open"]) == (200, "ok", 0, 0)
        assert set(send(port, files, called_aet="SERVICE").values()) == {0}
        for wrong in ({"called_aet": "OTHER"}, {"called_aet": "SERVICE", "calling_aet": "STRANGER"}):
            with pytest.raises(Exception, match="rejects associations"):
                send(port, files, **wrong)
        assert set(send(port, files, called_aet="SERVICE").values()) == {0}
        status, state = health(http)
        assert (state["stored"], state["duplicates"], state["rejected"]) == (6, 6, 2)
        assert state["bytes"] > 0
        # Nothing of the patient, the study or the senders.
        assert all(isinstance(value, int) for name, value in state.items() if name != "status")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert process.stdout.read() == "stored 6, duplicates 6, conflicts 0, refused 0\n"
    for uid, path in files.items():
        got = folder / study / path.parent.name / f"{uid}.dcm"
        assert dcmread(got) == dcmread(path)
        assert got.stat().st_mode & 0o077 == 0
    assert len(kept(folder)) == 6


def test_before_the_disk_is_full_it_asks_for_later(tmp_path, monkeypatch):
    files = {"x": make_instance(tmp_path / "x", "1.2", "1.3", "1.4", size=64)}
    with receiver(tmp_path / "got", least_free_bytes=1 << 62) as (server, shelf):
        assert shelf.full
        assert send(server.port, files) == {"x": 0xA700}
        assert server.counts["out_of_resources"] == 1
    real = os.write

    def full(descriptor, data):
        if len(data) > 1000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data)

    with receiver(tmp_path / "got") as (server, _):
        monkeypatch.setattr(part_file.os, "write", full)
        assert send(server.port, files) == {"x": 0xA700}
        monkeypatch.undo()
        assert kept(tmp_path / "got") == set()
        assert send(server.port, files) == {"x": 0}


def test_a_file_larger_than_the_room_that_is_left(tmp_path):
    # The system itself refuses to write more: as a full disk does, in the middle of an instance.
    files = {"x": make_instance(tmp_path / "x", "1.2", "1.3", "1.4", size=1024)}
    small = {"y": make_instance(tmp_path / "y", "1.2", "1.3", "1.5", size=16)}
    with service(tmp_path / "got", "--any-caller", "--min-free-mib", "0") as (process, port, http):
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        assert send(port, {**files, **small}, called_aet="SERVICE") == {"x": 0xA700, "y": 0}
        assert health(http)[1]["out_of_resources"] == 1
    assert kept(tmp_path / "got") == {"1.2/1.3/1.5.dcm"}


def test_killed_in_the_middle_it_leaves_no_half_file(tmp_path):
    path = make_instance(tmp_path / "x", "1.2", "1.3", "1.4", size=512)
    data = path.read_bytes()
    message = store("1.4", data[data.index(b"\x08\x00\x08\x00CS") :])
    folder = tmp_path / "got"
    with service(folder, "--any-caller") as (process, port, _), Caller(port) as caller:
        caller.associate(called="SERVICE").say(message[:-50])
        deadline = time.monotonic() + 5
        while not kept(folder) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.kill()
        process.wait(10)
        assert caller.hear()[0] == 0
    (left,) = kept(folder)
    assert left.endswith(".part")
    with service(folder, "--any-caller") as (_, port, _):
        assert kept(folder) == set()
        assert send(port, {"x": path}, called_aet="SERVICE") == {"x": 0}
    assert kept(folder) == {"1.2/1.3/1.4.dcm"}


def test_told_to_stop_it_takes_what_is_just_coming(tmp_path):
    path = make_instance(tmp_path / "x", "1.2", "1.3", "1.4", size=512)
    data = path.read_bytes()
    message = store("1.4", data[data.index(b"\x08\x00\x08\x00CS") :])
    with service(tmp_path / "got", "--any-caller") as (process, port, _), Caller(port) as caller:
        with Caller(port) as idle:
            idle.associate(called="SERVICE")
            caller.associate(called="SERVICE").say(message[:-50])
            time.sleep(0.2)
            process.send_signal(signal.SIGTERM)
            assert idle.hear()[0] in (pdu.ABORT, 0)
        caller.say(message[-50:])
        assert caller.status() == 0
        assert process.wait(10) == 0
    assert kept(tmp_path / "got") == {"1.2/1.3/1.4.dcm"}


def test_memory_is_constant_at_both_ends(tmp_path):
    path = make_instance(tmp_path / "in" / "x", "1.2", "1.3", "1.4", size=64)
    data = path.read_bytes()
    at = data.index(b"\xe0\x7f\x10\x00OW")
    size = 160 << 20
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\xe0\x7f\x10\x00OW\0\0" + size.to_bytes(4, "little"))
        file.truncate(at + 12 + size)  # sparse: it takes no room
    with service(tmp_path / "got", "--any-caller", "--no-sync") as (process, port, _):
        before = _peak_kib(process.pid)
        address = ["--host", "127.0.0.1", "--port", str(port), "--called-aet", "SERVICE"]
        program = "import atexit; from airlock.cli import main\n@atexit.register\ndef tell():\n"
        program += "    print(*[l.split()[1] for l in open('/proc/self/status') if l.startswith('VmHWM')])\nmain()"
        sending = subprocess.run(
            [sys.executable, "-c", program, "send", str(path), *address], capture_output=True, text=True, check=True
        )
        said, peak_kib = sending.stdout.splitlines()
        assert said == "sent 1, refused 0, unreadable 0"
        assert _peak_kib(process.pid) - before < 16 << 10
        assert int(peak_kib) < 64 << 10
    got = tmp_path / "got" / "1.2" / "1.3" / "1.4.dcm"
    assert got.stat().st_size > size
    got.unlink()


def _peak_kib(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def test_who_may_send_must_be_said(tmp_path):
    result = airlock("scp", "--port", 0, "--aet", "X", "--folder", tmp_path)
    assert result.status == 2
    assert "--any-caller" in result.stderr
