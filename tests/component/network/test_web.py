"""DICOMweb against Orthanc, and against services that misbehave."""

import threading
from dataclasses import replace

import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid

from airlock.dicomio.find import StudyKeys
from airlock.dicomio.store import Outgoing, send_files
from airlock.dicomio.web import WebClient
from airlock.dicomio.webpeer import WebPeer
from airlock.errors import AssociationAborted, AssociationRejected, PeerUnavailable, PolicyError, StudyNotFound
from airlock.retrieve.step import pull_study, study_is_ready
from tests.pacs import WEB_PLUGIN, orthanc_web
from tests.peers import require, require_file
from tests.studies import make_instance, make_study
from tests.transfers import make_transfer
from tests.web_service import say, service

WEB = {"method": "dicomweb", "connection": "web"}


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory):
    require("Orthanc")
    require_file(WEB_PLUGIN)
    with orthanc_web(tmp_path_factory.mktemp("orthanc")) as peers:
        yield peers


def store(peer, files):
    assert all(o.stored for o in send_files(peer, [Outgoing.of(uid, path) for uid, path in files.items()]))


def test_a_study_comes_over_dicomweb(orthanc, tmp_path):
    dimse, web = orthanc
    study_uid = generate_uid()
    files = make_study(tmp_path / "made", study_uid, 2, 3)
    transfer = make_transfer(tmp_path, study_uid=study_uid, source=WEB)
    assert not study_is_ready(transfer, web)
    with pytest.raises(StudyNotFound):
        pull_study(transfer, web)
    store(dimse, files)
    assert study_is_ready(transfer, web)
    told = []
    assert pull_study(transfer, web, lambda done, total: told.append((done, total))).received == 6
    assert told[-1] == (6, 6)
    folder = transfer.workspace.folder("incoming")
    assert {p.name for p in folder.iterdir()} == {f"{transfer.instance_id(uid)}.dcm" for uid in files}
    for uid, path in files.items():
        copy, original = dcmread(folder / f"{transfer.instance_id(uid)}.dcm"), dcmread(path)
        assert copy.file_meta.TransferSyntaxUID == original.file_meta.TransferSyntaxUID
        assert copy.PixelData == original.PixelData


@pytest.mark.parametrize("level", ["series", "image"])
def test_levels(orthanc, tmp_path, level):
    dimse, web = orthanc
    study_uid = generate_uid()
    store(dimse, make_study(tmp_path / "made", study_uid, 2, 2))
    transfer = make_transfer(tmp_path, study_uid=study_uid, source=WEB | {"level": level})
    assert pull_study(transfer, web).received == 4


def test_by_accession_number_and_by_patient_and_date(orthanc, tmp_path):
    dimse, web = orthanc
    uids = [generate_uid(), generate_uid()]
    for number, uid in enumerate(uids):
        store(dimse, make_study(tmp_path / f"made{number}", uid, 1, 2, AccessionNumber="AC77", PatientID="P77"))
    with WebClient(web) as client:
        found = client.find_studies(StudyKeys(accession_number="AC77"))
        assert [s.study_instance_uid for s in found] == sorted(uids)
        assert [s.instances for s in found] == [2, 2]
        assert len(client.find_studies(StudyKeys(patient_id="P77", study_date="20240102"))) == 2
        assert not client.find_studies(StudyKeys(patient_id="P77", study_date="20240103"))
        assert not client.find_studies(StudyKeys(accession_number="AC7"))
    transfer = make_transfer(tmp_path, study_uid="", source=WEB | {"accession_number": "AC77"})
    assert pull_study(transfer, web).received == 4


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (500, PeerUnavailable),
        (503, PeerUnavailable),
        (429, PeerUnavailable),
        (401, AssociationRejected),
        (403, AssociationRejected),
        (400, AssociationRejected),
        (302, AssociationRejected),
    ],
)
def test_statuses(status, error):
    with service(say(status)) as peer, WebClient(peer) as client, pytest.raises(error, match=str(status)):
        client.find_studies(StudyKeys("1.2.3"))


def test_nobody_and_nonsense_and_silence():
    with pytest.raises(PeerUnavailable, match="cannot be reached"), WebClient(WebPeer("http://127.0.0.1:9")) as client:
        client.find_studies(StudyKeys("1.2.3"))
    html = say(200, b"<html>", Content_Type="text/html")
    with service(html) as peer, WebClient(peer) as client, pytest.raises(PeerUnavailable, match="not DICOM JSON"):
        client.find_studies(StudyKeys("1.2.3"))
    pause = threading.Event()
    with service(lambda handler: pause.wait(20)) as peer, WebClient(replace(peer, timeout=0.3)) as client:
        with pytest.raises(PeerUnavailable, match=r"did not answer in 0\.3 s"):
            client.find_studies(StudyKeys("1.2.3"))
        pause.set()


def test_no_error_quotes_a_uid():
    with pytest.raises(PeerUnavailable) as caught, WebClient(WebPeer("http://127.0.0.1:9")) as client:
        client.list_study("1.2.3.4711")
    assert "4711" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_answer_that_breaks_off_leaves_no_half_file(tmp_path):
    from airlock.dicomio.retrieval import Retrieval

    uid = generate_uid()
    content = make_instance(tmp_path / "one", "1.2.3", "1.2.3.1", uid).read_bytes()
    whole = b"\r\n--B\r\nContent-Type: application/dicom\r\n\r\n" + content
    foreign = make_instance(tmp_path / "two", "1.2.9", "1.2.9.1", generate_uid()).read_bytes()
    body = whole + whole.replace(content, foreign) + whole.replace(content, b"no DICOM") + whole[:-100]
    folder = tmp_path / "in"
    folder.mkdir()
    got = []
    answer = say(200, body, Content_Type='multipart/related; type="application/dicom"; boundary=B')
    with service(answer) as peer, WebClient(peer) as client, pytest.raises(AssociationAborted):
        got.extend(client.retrieve(Retrieval("1.2.3"), folder, lambda sop_uid: "i-1"))
    assert [p.name for p in folder.iterdir()] == ["i-1.dcm"]
    assert (folder / "i-1.dcm").read_bytes() == content


def test_pages(tmp_path):
    """A service that limits its answers to two is asked for the rest; one that knows no paging repeats itself."""
    import json
    from urllib.parse import parse_qs, urlsplit

    for knows_paging in (True, False):

        def answer(handler, knows_paging=knows_paging):
            start = int(parse_qs(urlsplit(handler.path).query)["offset"][0]) if knows_paging else 0
            uids = [f"1.2.{n}" for n in range(5)][start : start + 2]
            accession = {"vr": "SH", "Value": ["A"]}
            found = [{"0020000D": {"vr": "UI", "Value": [uid]}, "00080050": accession} for uid in uids]
            say(200 if found else 204, json.dumps(found).encode() if found else b"")(handler)

        with service(answer) as peer, WebClient(peer) as client:
            found = client.find_studies(StudyKeys(accession_number="A"))
        assert len(found) == (5 if knows_paging else 2)


@pytest.mark.parametrize(
    "url", ["", "ftp://host/x", "https://user@host/", "https://host/?a=b", "https://host:x/", "host"]
)
def test_urls_that_are_none(url):
    with pytest.raises(PolicyError):
        WebPeer(url)


def test_no_secret_is_shown():
    assert "hush" not in repr(WebPeer("https://host", user="me", password="hush", token="hush"))
