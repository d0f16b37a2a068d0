"""What somebody on the line can read of a transfer: nothing with TLS, and everything without."""

import signal
import subprocess
import time
from contextlib import contextmanager

import pytest
from pydicom.uid import generate_uid

from airlock.deliver.step import confirm_receipt, send_to_research
from airlock.dicomio.store import Outgoing, send_files
from airlock.retrieve.step import pull_study
from tests.certificates import make_certificate
from tests.pacs import orthanc, orthanc_tls
from tests.peers import require
from tests.studies import make_study
from tests.transfers import make_ready, make_transfer

NAME, NUMBER = "Planted^Name", "PLANTED-4711"


@pytest.fixture(scope="module")
def may_capture(tmp_path_factory):
    require("tshark", "Orthanc")
    probe = tmp_path_factory.mktemp("probe") / "probe.pcapng"
    command = ["tshark", "-q", "-i", "lo", "-a", "duration:0", "-c", "1", "-w", str(probe)]
    tried = subprocess.run(command, capture_output=True, check=False, timeout=30)
    if tried.returncode:
        pytest.skip("this user may not capture packets")


@contextmanager
def captured(file, *ports):
    """Write what goes over ports of this machine into a file."""
    ports_of = " or ".join(f"tcp port {port}" for port in ports)
    command = ["tshark", "-q", "-i", "lo", "-B", "64", "-f", ports_of, "-w", str(file)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    # It says that it captures when it does.
    while b"Capturing" not in (line := process.stderr.readline()):
        assert line, "tshark ended"
    time.sleep(0.3)
    try:
        yield
        time.sleep(0.5)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)


def read(file, ports, *arguments):
    decode = [word for port in ports for word in ("-d", f"tcp.port=={port},dicom")] if "dicom" in arguments else []
    command = ["tshark", "-r", str(file), *decode, "-Y", *arguments]
    return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout.decode().splitlines()


def transfer_between(tmp_path, peer):
    """Have a study moved here, and send it on with its names still in it; nothing of it may be seen on the way."""
    uid = str(generate_uid())
    made = make_study(tmp_path / "made", uid, 1, 3, PatientName=NAME, PatientID=NUMBER)
    assert all(o.stored for o in send_files(peer, [Outgoing.of(u, path) for u, path in made.items()]))
    source = {"method": "c-move", "connection": "staging"}
    transfer = make_transfer(tmp_path / "home", study_uid=uid, source=source)
    assert pull_study(transfer, peer).received == 3
    make_ready(transfer, made)
    send_to_research(transfer, peer)
    assert confirm_receipt(transfer, peer).sent == 3


def test_with_tls_nothing_is_in_clear(may_capture, tmp_path):
    ours, theirs = (make_certificate(tmp_path / "certificates", name) for name in ("ours", "theirs"))
    with orthanc_tls(tmp_path / "orthanc", ours, theirs) as peer:
        ports = (peer.port, peer.move_port)
        with captured(tmp_path / "tls.pcapng", *ports):
            transfer_between(tmp_path, peer)
    versions = read(tmp_path / "tls.pcapng", ports, "tls.handshake.type == 2", "-T", "fields", "-e", "tcp.srcport")
    # both what we opened and what the PACS opened to us
    assert set(versions) == {str(port) for port in ports}
    with_data = read(tmp_path / "tls.pcapng", ports, "tcp.len > 0 and not tls and not tcp.reassembled_in")
    assert with_data == []
    assert read(tmp_path / "tls.pcapng", ports, "dicom") == []
    content = (tmp_path / "tls.pcapng").read_bytes()
    assert len(content) > 3 * 2048 * 3
    for word in (NAME, NUMBER, "1.2.840.10008", "ORTHANC", "AIRLOCK"):
        assert word.encode() not in content


def test_without_tls_it_would_be_found(may_capture, tmp_path):
    with orthanc(tmp_path / "orthanc") as peer:
        ports = (peer.port, peer.move_port)
        with captured(tmp_path / "plain.pcapng", *ports):
            transfer_between(tmp_path, peer)
    content = (tmp_path / "plain.pcapng").read_bytes()
    for word in (NAME, NUMBER, "1.2.840.10008", "ORTHANC", "AIRLOCK"):
        assert word.encode() in content
    assert read(tmp_path / "plain.pcapng", ports, "dicom")
    assert read(tmp_path / "plain.pcapng", ports, "tls") == []
