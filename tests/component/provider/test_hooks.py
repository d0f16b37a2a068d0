"""The hooks find their connection, and their Test button tells the truth."""

import json

import pytest
from airflow.sdk import BaseHook

from airlock.errors import PolicyError, StatusRefused
from airlock.redcap.sandbox import RedcapSandbox
from airlock_provider.hooks.dicomweb import DicomWebHook
from airlock_provider.hooks.redcap import RedcapHook


@pytest.fixture
def connect(monkeypatch):
    def connect(name, **fields):
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(fields))

    return connect


@pytest.fixture
def sandbox():
    with RedcapSandbox() as running:
        yield running


def test_redcap(connect, sandbox):
    connect("redcap", conn_type="redcap", host=sandbox.url, password=sandbox.token)
    hook = RedcapHook("redcap")
    assert isinstance(hook, BaseHook)
    assert hook.test_connection() == (True, "REDCap 14.5.10, project 'Incoming'.")
    assert hook.get_conn() is hook.client
    assert hook.client.verify_tls
    assert sandbox.token not in repr(hook.client)


def test_a_wrong_token_is_told(connect, sandbox):
    connect("redcap", conn_type="redcap", host=sandbox.url, password="0" * 32)
    works, said = RedcapHook("redcap").test_connection()
    assert not works
    assert "API token" in said


@pytest.mark.parametrize(
    ("uri", "url"),
    [
        ("redcap://:T@redcap.example.org/api", "https://redcap.example.org/api/"),
        ("redcap://:T@redcap.example.org:8443", "https://redcap.example.org:8443/api/"),
        ("redcap://:T@https%3A%2F%2Fredcap.example.org%2Fr%2Fapi%2F", "https://redcap.example.org/r/api/"),
    ],
)
def test_redcap_as_a_uri(monkeypatch, uri, url):
    monkeypatch.setenv("AIRFLOW_CONN_REDCAP", uri)
    client = RedcapHook("redcap").client
    assert (client.url, client.token, client.verify_tls) == (url, "T", True)


@pytest.mark.parametrize(
    ("value", "verify"), [(True, True), (None, True), ("", True), (False, False), ("false", False)]
)
def test_the_certificate_is_checked_unless_switched_off(connect, value, verify):
    extra = {"verify_ssl": value, "timeout": 5}
    connect("redcap", conn_type="redcap", host="https://r.example.org/api/", password="T", extra=extra)
    client = RedcapHook("redcap").client
    assert client.verify_tls is verify
    assert client.timeout_seconds == 5


def test_a_connection_that_cannot_work(connect):
    connect("redcap", conn_type="redcap", password="T")
    with pytest.raises(StatusRefused, match="no API URL"):
        _ = RedcapHook("redcap").client
    connect("redcap", conn_type="redcap", host="https://r.example.org/api/", password="T", extra={"timeout": "soon"})
    with pytest.raises(PolicyError, match="number of seconds"):
        _ = RedcapHook("redcap").client


def test_dicom(connect):
    from pynetdicom import AE, evt

    from airlock_provider.hooks.dicom import DicomHook

    entity = AE("PACS")
    entity.add_supported_context("1.2.840.10008.1.1")
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_ECHO, lambda _: 0x0000)])
    port = server.server_address[1]
    extra = {"called_aet": "PACS", "calling_aet": "GATE", "acse_timeout": 2, "move_port": ""}
    connect("pacs", conn_type="dicom", host="127.0.0.1", port=port, extra=extra)
    try:
        hook = DicomHook("pacs")
        assert hook.peer.called_aet == "PACS"
        assert hook.test_connection() == (True, f"PACS@127.0.0.1:{port} answers C-ECHO to GATE.")
    finally:
        server.shutdown()
    works, said = DicomHook("pacs").test_connection()
    assert not works
    assert "PACS@127.0.0.1" in said
    connect("pacs", conn_type="dicom", host="127.0.0.1")
    works, said = DicomHook("pacs").test_connection()
    assert not works
    assert "port" in said


def test_a_dicomweb_service(connect):
    connect("web", conn_type="dicomweb", host="http://127.0.0.1:9/dicom-web/", login="me", password="hush", extra={})
    hook = DicomWebHook("web")
    assert (hook.peer.url, hook.peer.user, hook.peer.verify_tls) == ("http://127.0.0.1:9/dicom-web", "me", True)
    works, said = hook.test_connection()
    assert not works
    assert "cannot be reached" in said
    assert "hush" not in said + repr(hook.peer)
    connect("unsafe", conn_type="dicomweb", host="https://pacs", extra={"verify_tls": "false", "timeout": "7"})
    assert (DicomWebHook("unsafe").peer.verify_tls, DicomWebHook("unsafe").peer.timeout) == (False, 7)
    connect("broken", conn_type="dicomweb", host="pacs")
    with pytest.raises(PolicyError):
        DicomWebHook("broken").get_conn()
