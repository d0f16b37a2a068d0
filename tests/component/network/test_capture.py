"""What somebody on the line can read of a transfer: nothing with TLS, and everything without."""

import json
import signal
import socket
import socketserver
import ssl
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import pytest
from pydicom.uid import generate_uid

from airlock.deliver.step import confirm_receipt, send_to_research
from airlock.dicomio.store import Outgoing, send_files
from airlock.retrieve.step import pull_study
from tests.certificates import make_certificate
from tests.commands import airlock
from tests.pacs import WEB_PLUGIN, orthanc, orthanc_tls, orthanc_web
from tests.peers import require, require_file
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
    time.sleep(0.5)
    try:
        yield
        time.sleep(1)
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


@contextmanager
def encrypted_front(port, certificate):
    """Take encrypted connections and pass them on to a port of this machine, as the proxy of a web service does.

    Debian's Orthanc 1.10 ends when its own encryption is used.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.certificate, certificate.key)

    def pass_on(source, target):
        with suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    class Front(socketserver.BaseRequestHandler):
        def handle(self):
            there = socket.create_connection(("127.0.0.1", port))
            with there as behind, context.wrap_socket(self.request, server_side=True) as caller:
                back = threading.Thread(target=pass_on, args=(behind, caller), daemon=True)
                back.start()
                pass_on(caller, behind)
                back.join(10)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Front) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


def test_with_https_nothing_is_in_clear(may_capture, tmp_path):
    require_file(WEB_PLUGIN)
    certificate = make_certificate(tmp_path / "certificates", "web")
    uid = str(generate_uid())
    made = make_study(tmp_path / "made", uid, 1, 3, PatientName=NAME, PatientID=NUMBER)
    with orthanc_web(tmp_path / "orthanc") as (peer, web), encrypted_front(urlsplit(web.url).port, certificate) as port:
        assert all(o.stored for o in send_files(peer, [Outgoing.of(u, path) for u, path in made.items()]))
        url = f"https://127.0.0.1:{port}/dicom-web"
        connection = {"conn_type": "dicomweb", "host": url, "extra": {"ca_file": certificate.authority}}
        with captured(tmp_path / "https.pcapng", port):
            pulled = airlock(
                *("pull", uid, tmp_path / "out", "--method", "dicomweb", "--web", "web"),
                AIRFLOW_CONN_WEB=json.dumps(connection),
            )
    assert pulled.status == 0, pulled.stderr
    assert pulled.last_line == "received 3 of 3"
    assert {path.stem for path in (tmp_path / "out").iterdir()} == set(made)
    assert read(tmp_path / "https.pcapng", [port], "tcp.len > 0 and not tls and not tcp.reassembled_in") == []
    content = (tmp_path / "https.pcapng").read_bytes()
    assert len(content) > 3 * 2048
    for word in (NAME, NUMBER, uid, "dicom-web", "1.2.840.10008"):
        assert word.encode() not in content
