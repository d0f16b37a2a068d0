"""RedcapClient against the sandbox, healthy and failing."""

import logging
import ssl
import time

import pytest

from airlock.errors import PeerUnavailable, StatusRefused
from airlock.redcap.client import RedcapClient
from airlock.redcap.sandbox import RedcapSandbox
from airlock.redcap.sandbox.api import Reply
from tests.certificates import make_certificate

SECRET = "F00DC0DE" * 4
UID = "1.2.826.0.1.3680043.8.498.9001"
NAME = "Zaphod-Marker"


@pytest.fixture
def sandbox():
    with RedcapSandbox(SECRET, tokens={"R" * 32: {"export"}}) as running:
        yield running


@pytest.fixture
def client(sandbox):
    return RedcapClient(sandbox.url, SECRET, attempts=3, pause_seconds=0.01, timeout_seconds=1)


def row(**values):
    return {
        "study_instance_uid": UID,
        "redcap_repeat_instrument": "transfers",
        "redcap_repeat_instance": 1,
    } | values


def test_records_metadata_version_and_project(client):
    assert client.import_records([row(transfer_name=NAME), row(redcap_repeat_instance=2)]) == 1
    exported = client.export_records(records=[UID], fields=["study_instance_uid", "transfer_name"])
    assert [(r["redcap_repeat_instance"], r["transfer_name"]) for r in exported] == [(1, NAME), (2, "")]
    assert client.export_records(records=["1.9"]) == []
    assert client.metadata()[0]["field_name"] == "study_instance_uid"
    assert {r["form_name"] for r in client.metadata(forms=["transfers"])} == {"transfers"}
    assert client.version() == "14.5.10"
    assert client.project()["project_title"] == "Incoming"


@pytest.mark.parametrize("fault", [500, 502, 503, 429, "html", "zero", "garbage", "reset", "lost"])
def test_passing_trouble_is_outlived(client, sandbox, fault):
    sandbox.fail_next(fault, times=2)
    assert client.import_records([row(transfer_name=NAME)]) == 1
    assert len(sandbox.received) == 3
    assert sandbox.records[-1]["transfer_name"] == NAME


@pytest.mark.parametrize("fault", [500, 503, 429, "html", "zero", "garbage", "reset"])
def test_lasting_trouble_is_for_the_scheduler(client, sandbox, fault):
    sandbox.fail_next(fault, times=3)
    with pytest.raises(PeerUnavailable):
        client.import_records([row()])
    assert len(sandbox.received) == 3
    assert client.export_records() == []


def test_no_answer_is_given_up(sandbox):
    sandbox.fail_next("hang", times=1)
    client = RedcapClient(sandbox.url, SECRET, attempts=1, timeout_seconds=0.2)
    before = time.monotonic()
    with pytest.raises(PeerUnavailable, match=r"within 0\.2 s"):
        client.version()
    assert time.monotonic() - before < 20


def test_nobody_listens(sandbox):
    with RedcapSandbox(SECRET) as gone:
        url = gone.url
    with pytest.raises(PeerUnavailable, match="no connection"):
        RedcapClient(url, SECRET, attempts=2, pause_seconds=0.01).version()


@pytest.mark.parametrize("fault", [302, 400, 401, 403, 404, 413])
def test_what_somebody_must_correct_is_not_tried_again(client, sandbox, fault):
    sandbox.fail_next(fault)
    with pytest.raises(StatusRefused, match=f"HTTP status {fault}"):
        client.import_records([row()])
    assert len(sandbox.received) == 1


def test_the_error_names_the_fields_and_no_value(client, caplog):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(StatusRefused, match="Fields written: nonsense, redcap_repeat_instance") as caught:
        client.import_records([row(nonsense=NAME)])
    said = f"{caught.value} {caught.value!r} {client!r} {caplog.text}"
    for secret in (NAME, UID, SECRET):
        assert secret not in said
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_wrong_token_and_missing_rights(sandbox):
    with pytest.raises(StatusRefused, match=r"403.*token"):
        RedcapClient(sandbox.url, "0" * 32).version()
    reader = RedcapClient(sandbox.url, "R" * 32)
    assert reader.export_records() == []
    with pytest.raises(StatusRefused, match="403"):
        reader.import_records([row()])
    assert sandbox.records == []


@pytest.mark.parametrize(
    ("url", "token", "words"),
    [
        ("http://redcap.example.org/api/", SECRET, "unencrypted"),
        ("redcap.example.org", SECRET, "no API URL"),
        ("https://redcap.example.org/api/", " ", "no API token"),
    ],
)
def test_a_connection_that_cannot_work(url, token, words):
    with pytest.raises(StatusRefused, match=words):
        RedcapClient(url, token)


def test_a_certificate_nobody_vouches_for(sandbox, tmp_path, monkeypatch):
    """The server is REDCap and speaks TLS; only its certificate is nobody's. It must not be told the token."""
    certificate = make_certificate(tmp_path, "redcap")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)
    server = sandbox._server
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    url = sandbox.url.replace("http:", "https:")
    with pytest.raises(StatusRefused, match="REQUESTS_CA_BUNDLE"):
        RedcapClient(url, sandbox.token, attempts=1).version()
    assert sandbox.received == []
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.authority))
    assert RedcapClient(url, sandbox.token, attempts=1).version()


def test_an_error_with_status_200(client, sandbox, monkeypatch):
    monkeypatch.setattr("airlock.redcap.sandbox.server._spoiled", lambda _: Reply(200, {"error": NAME}))
    sandbox.fail_next("html")
    with pytest.raises(StatusRefused, match="with an error in it") as caught:
        client.import_records([row()])
    assert NAME not in str(caught.value)
