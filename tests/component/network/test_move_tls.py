"""Studies that a PACS moves to us over encrypted associations, and what does not get in."""

import shutil
import subprocess
from dataclasses import replace

import pytest
from pydicom.uid import generate_uid

from airlock.deliver.step import confirm_receipt, send_to_research
from airlock.dicomio.echo import echo
from airlock.dicomio.inbox import Inbox
from airlock.dicomio.peer import Peer
from airlock.dicomio.scp import storage_server
from airlock.dicomio.store import Outgoing, send_files
from airlock.dicomio.wire.tls import move_context
from airlock.errors import AirlockError, AssociationRejected, PolicyError, TransferIncomplete
from airlock.retrieve.step import pull_study
from demo.services import free_port
from tests.certificates import make_certificate
from tests.pacs import orthanc_tls
from tests.peers import require
from tests.studies import make_study
from tests.transfers import make_ready, make_transfer


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    return {name: make_certificate(folder, name) for name in ("ours", "theirs")} | {
        "stranger": make_certificate(folder, "stranger", authority="nobody")
    }


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory, certificates):
    require("Orthanc")
    with orthanc_tls(tmp_path_factory.mktemp("orthanc"), certificates["ours"], certificates["theirs"]) as peer:
        yield peer


@pytest.fixture
def study(orthanc, tmp_path):
    uid = str(generate_uid())
    files = make_study(tmp_path / "made", uid, 2, 3)
    assert all(o.stored for o in send_files(orthanc, [Outgoing.of(u, path) for u, path in files.items()]))
    return uid


def pulling(tmp_path, study, method="c-move"):
    return make_transfer(tmp_path / "home", study_uid=study, source={"method": method, "connection": "staging"})


@pytest.mark.parametrize("method", ["c-move", "c-get"])
def test_orthanc_gives_a_study_encrypted(orthanc, study, tmp_path, method):
    transfer = pulling(tmp_path, study, method)
    assert pull_study(transfer, orthanc).received == 6
    assert len(list(transfer.workspace.folder("incoming").glob("*.dcm"))) == 6


def test_what_orthanc_moves_encrypted_does_not_get_into_a_plain_port(orthanc, study, tmp_path):
    transfer = pulling(tmp_path, study)
    with pytest.raises((AssociationRejected, TransferIncomplete)):
        pull_study(transfer, replace(orthanc, move_tls=False))
    assert not transfer.workspace.complete("incoming")


def test_a_certificate_of_another_authority_does_not_get_in(orthanc, study, certificates, tmp_path):
    """Orthanc shows its certificate, and our port wants one of the strangers' authority."""
    port = free_port()
    strict = replace(orthanc, move_port=port, ca_file=certificates["stranger"].authority)
    inbox = Inbox(tmp_path, None)
    files = make_study(tmp_path / "made" / "x", study, 1, 1)
    caller = replace(orthanc, port=port, called_aet="AIRLOCK")
    with storage_server(inbox, ae_title="AIRLOCK", port=port, tls=move_context(strict)), pytest.raises(AirlockError):
        list(send_files(caller, [Outgoing.of(u, path) for u, path in files.items()]))
    assert not inbox.received


def test_dcmtk_sends_to_the_port_only_with_a_certificate(certificates, tmp_path):
    require("storescu")
    ours, theirs, stranger = (certificates[name] for name in ("ours", "theirs", "stranger"))
    port = free_port()
    peer = Peer(
        "127.0.0.1",
        104,
        move_tls=True,
        move_port=port,
        cert_file=ours.certificate,
        key_file=ours.key,
        ca_file=ours.authority,
    )
    uid = str(generate_uid())
    make_study(tmp_path / "made", uid, 1, 2)
    inbox = Inbox(tmp_path, uid)
    program = shutil.which("storescu", path="/usr/bin:/usr/local/bin") or "storescu"

    def storescu(*tls):
        command = [program, *tls, "-aec", "AIRLOCK", "+sd", "+r", "127.0.0.1", str(port), str(tmp_path / "made")]
        return subprocess.run(command, check=False, capture_output=True, timeout=30).returncode

    with storage_server(inbox, ae_title="AIRLOCK", port=port, tls=move_context(peer)):
        assert storescu() != 0
        assert storescu("+tls", stranger.key, stranger.certificate, "+cf", ours.authority) != 0
        assert not inbox.received
        assert storescu("+tls", theirs.key, theirs.certificate, "+cf", theirs.authority) == 0
        with pytest.raises(AirlockError):
            echo(Peer("127.0.0.1", port, called_aet="AIRLOCK", acse_timeout=1))
    assert len(inbox.received) == 2


@pytest.mark.parametrize("proof", ["query", "storage-commitment"])
def test_orthanc_is_sent_to_and_proves_encrypted(orthanc, tmp_path, proof):
    policy = {"destination": {"proof": proof, "commitment_seconds": 20}}
    transfer = make_transfer(tmp_path / "home", policy=policy)
    make_ready(transfer, make_study(tmp_path / "made", str(generate_uid()), 1, 3))
    send_to_research(transfer, orthanc)
    assert confirm_receipt(transfer, orthanc).sent == 3


def test_the_port_needs_a_certificate():
    with pytest.raises(PolicyError, match="cert_file"):
        Peer("127.0.0.1", 104, move_tls=True)
    with pytest.raises(PolicyError, match="move_tls"):
        Peer.from_parts("127.0.0.1", 104, {"move_tls": "perhaps"})
