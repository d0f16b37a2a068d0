"""Encrypted associations, with DCMTK at the other end."""

import shutil
import socket
import ssl
import subprocess
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid

from airlock.dicomio.echo import echo
from airlock.dicomio.outgoing import Outgoing
from airlock.dicomio.peer import ENGINES, Peer
from airlock.dicomio.store import send_files
from airlock.dicomio.wire.acceptor import Admission
from airlock.dicomio.wire.counts import Counts
from airlock.dicomio.wire.server import StorageServer
from airlock.dicomio.wire.service import Patience
from airlock.dicomio.wire.shelf import Shelf
from airlock.dicomio.wire.tls import server_context
from airlock.errors import AirlockError, AssociationAborted, AssociationRejected, PeerUnavailable, PolicyError
from demo.services import free_port
from tests.certificates import make_certificate
from tests.peers import require
from tests.studies import make_instance, make_study


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    return {
        "ours": make_certificate(folder, "ours"),
        "theirs": make_certificate(folder, "theirs"),
        "stranger": make_certificate(folder, "stranger", authority="nobody"),
    }


def encrypted(port, ours, **changes):
    return Peer(
        "127.0.0.1",
        port,
        tls=True,
        ca_file=ours.authority,
        cert_file=ours.certificate,
        key_file=ours.key,
        **{"acse_timeout": 5, "dimse_timeout": 5, **changes},
    )


@contextmanager
def storescp(folder, theirs):
    require("storescp")
    folder.mkdir()
    port = free_port()
    command = [_dcmtk("storescp"), "+tls", theirs.key, theirs.certificate, "+cf", theirs.authority]
    process = subprocess.Popen(
        [*command, "-od", str(folder), "+B", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _dcmtk(program):
    # Not in our own environment: pynetdicom brings programs of the same names.
    return shutil.which(program, path="/usr/bin:/usr/local/bin") or program


@contextmanager
def receiver(folder, theirs, *, authority=True, **patience):
    counts = Counts()
    server = StorageServer(
        Shelf(folder, counts, sync=False, least_free_bytes=0),
        Admission("ANY-SCP"),
        tls=server_context(theirs.certificate, theirs.key, theirs.authority if authority else None),
        patience=Patience(**patience) if patience else None,
        counts=counts,
    )
    try:
        yield server
    finally:
        server.stop()


@pytest.mark.parametrize("engine", ENGINES)
def test_to_storescp(tmp_path, certificates, engine):
    files = make_study(tmp_path / "made", generate_uid(), 2, 3, size=300)
    with storescp(tmp_path / "got", certificates["theirs"]) as port:
        peer = encrypted(port, certificates["ours"], engine=engine, associations=2)
        echo(peer)
        outcomes = list(send_files(peer, [Outgoing.of(uid, path) for uid, path in files.items()]))
        with pytest.raises(AirlockError):  # plain, to an encrypted port
            echo(replace(peer, tls=False, acse_timeout=1))
        stranger = certificates["stranger"]
        with pytest.raises((AssociationRejected, PeerUnavailable)):
            list(send_files(replace(peer, ca_file=stranger.authority), [Outgoing.of(*next(iter(files.items())))]))
        shown = replace(peer, cert_file=stranger.certificate, key_file=stranger.key)
        with pytest.raises((PeerUnavailable, AssociationAborted)):
            list(send_files(shown, [Outgoing.of(*next(iter(files.items())))]))
    assert {o.id for o in outcomes if o.status == 0} == set(files)
    assert len(list((tmp_path / "got").iterdir())) == 6


def test_from_storescu(tmp_path, certificates):
    require("storescu")
    files = make_study(tmp_path / "made", generate_uid(), 1, 4, size=300)
    ours, theirs, stranger = certificates["ours"], certificates["theirs"], certificates["stranger"]
    with receiver(tmp_path / "got", theirs) as server:

        def storescu(*tls):
            command = [_dcmtk("storescu"), *tls, "+sd", "+r", "127.0.0.1", str(server.port), str(tmp_path / "made")]
            return subprocess.run(command, check=False, capture_output=True, timeout=30).returncode

        assert storescu("+tls", ours.key, ours.certificate, "+cf", ours.authority) == 0
        assert server.counts["stored"] == 4
        assert storescu("+tls", stranger.key, stranger.certificate, "+cf", ours.authority) != 0
        assert storescu() != 0
        assert server.counts["stored"] == 4
    for path in (tmp_path / "got").rglob("*.dcm"):
        assert dcmread(path) == dcmread(files[path.stem])


def test_both_ends_are_ours_and_a_large_file_passes(tmp_path, certificates):
    path = make_instance(tmp_path / "x", "1.2", "1.3", "1.2.3.4", size=2048)
    with receiver(tmp_path / "got", certificates["theirs"]) as server:
        peer = encrypted(server.port, certificates["ours"])
        assert [o.status for o in send_files(peer, [Outgoing.of("x", path)])] == [0]
        with pytest.raises(AssociationRejected, match="certificate that is not accepted"):
            # It is for 127.0.0.1.
            list(send_files(replace(peer, host="localhost"), [Outgoing.of("x", path)]))
    assert dcmread(tmp_path / "got" / "1.2" / "1.3" / "1.2.3.4.dcm") == dcmread(path)


def test_a_handshake_that_never_ends_is_ended(tmp_path, certificates):
    with receiver(tmp_path / "got", certificates["theirs"], association=0.5, idle=0.5) as server:
        with socket.create_connection(("127.0.0.1", server.port), 5) as caller:
            caller.settimeout(0.2)
            start, ended = time.monotonic(), False
            for byte in b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200):
                try:
                    caller.sendall(bytes([byte]))
                    if caller.recv(1) == b"":
                        ended = True
                        break
                except TimeoutError:
                    continue
                except OSError:
                    ended = True
                    break
        assert ended
        assert time.monotonic() - start < 20


def test_older_versions_are_refused(certificates):
    context = server_context(certificates["theirs"].certificate, certificates["theirs"].key)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("name", ["ca_file", "cert_file", "key_file"])
def test_a_file_that_cannot_be_used_is_named(tmp_path, certificates, name):
    broken = tmp_path / "broken.pem"
    broken.write_text("-----BEGIN CERTIFICATE-----\nnothing\n")
    path = make_instance(tmp_path / "x", "1.2", "1.3", "1.2.3.4")
    for wrong in (broken, tmp_path / "missing.pem"):
        peer = replace(encrypted(1, certificates["ours"]), **{name: str(wrong)})
        with pytest.raises(PolicyError, match=name):
            list(send_files(peer, [Outgoing.of("x", path)]))


def test_a_key_with_a_password_is_refused_and_nobody_is_asked(tmp_path, certificates):
    key = tmp_path / "locked.key"
    command = ["openssl", "ec", "-in", certificates["ours"].key, "-aes128", "-passout", "pass:secret", "-out", str(key)]
    subprocess.run(command, check=True, capture_output=True)
    with pytest.raises(PolicyError, match="key_file"):
        server_context(certificates["ours"].certificate, str(key))
