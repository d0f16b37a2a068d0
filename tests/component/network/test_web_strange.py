"""DICOMweb services that do what the standard allows and few do, or that break off."""

import json
import logging
import socket
import struct
import threading
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from pydicom.uid import generate_uid

from airlock.deliver.step import confirm_receipt, send_to_research
from airlock.dicomio.find import StudyKeys
from airlock.dicomio.header import read_header
from airlock.dicomio.multipart import FilesBody
from airlock.dicomio.web import WebClient
from airlock.errors import AssociationAborted, AssociationRejected, PeerDown, PeerUnavailable, TransferIncomplete
from airlock.ledger import InstanceState
from airlock.quiet import guarded
from airlock.retrieve.step import pull_study
from tests.studies import make_study
from tests.transfers import make_ready, make_transfer
from tests.web_service import say, service

WEB = {"method": "dicomweb", "connection": "web"}
STOW = {"destination": {"method": "stow-rs", "connection": "web"}}


def element(value):
    return {"vr": "UI", "Value": [value]}


class WebPacs:
    """Holds files, and shows them page by page.

    :param found: HTTP status of what a search finds.
    :param retrieved: of what is retrieved.
    :param most: it refuses a search that asks for more answers at a time.
    :param withhold: how many of the files it shows and does not send.
    :param boundary: of what is retrieved, as the header writes it.
    """

    def __init__(self, files, *, found=200, retrieved=200, most=1000, withhold=0, boundary="B"):
        self.files, self.found, self.retrieved, self.most, self.boundary = files, found, retrieved, most, boundary
        self.withheld = set(sorted(files)[:withhold])

    def __call__(self, handler):
        parts = urlsplit(handler.path)
        query = {name: int(value) for name, (value,) in parse_qs(parts.query).items() if value.isdigit()}
        if "limit" not in query:
            self.send(handler, parts.path)
        elif query["limit"] > self.most:
            say(400)(handler)
        else:
            page = self.all(parts.path)[query["offset"] :][: query["limit"]]
            say(self.found, json.dumps(page).encode())(handler)

    def all(self, path):
        headers = [read_header(file) for file in self.files.values()]
        answers = [
            {
                "0020000D": element(header["study_instance_uid"]),
                "0020000E": element(header["series_instance_uid"]),
                "00080018": element(header["sop_instance_uid"]),
            }
            for header in headers
        ]
        return answers if path.endswith("/instances") else answers[:1]

    def send(self, handler, path):
        chosen = [file for uid, file in self.files.items() if uid not in self.withheld]
        chosen = [file for file in chosen if "/instances/" not in path or path.endswith(file.name)]
        boundary = self.boundary.strip('"').encode()
        head = b"\r\n--" + boundary + b"\r\nContent-Type: application/dicom\r\n\r\n"
        body = b"".join(head + file.read_bytes() for file in chosen) + b"\r\n--" + boundary + b"--\r\n"
        say(self.retrieved, body, Content_Type=f"multipart/related; boundary={self.boundary}")(handler)


@pytest.mark.parametrize(
    "strange", [{"most": 100}, {"found": 206}, {"retrieved": 206}, {"boundary": '"a,b:c; d=e"'}], ids=str
)
def test_what_the_standard_allows(tmp_path, strange):
    study_uid = generate_uid()
    files = make_study(tmp_path / "made", study_uid, 2, 3)
    transfer = make_transfer(tmp_path, study_uid=study_uid, source=WEB)
    with service(WebPacs(files, **strange)) as peer:
        assert pull_study(transfer, peer).received == 6
    assert len(list(transfer.workspace.folder("incoming").iterdir())) == 6


def test_a_disk_is_not_filled(tmp_path):
    study_uid = generate_uid()
    files = make_study(tmp_path / "made", study_uid, 1, 3)
    transfer = make_transfer(tmp_path, study_uid=study_uid, source=WEB, settings={"min_free_gigabytes": 1e9})
    with service(WebPacs(files)) as peer, pytest.raises(TransferIncomplete, match="too little room would be left"):
        pull_study(transfer, peer)
    assert not list(transfer.workspace.root.glob("**/*.dcm"))


def test_a_part_of_what_was_asked_for_is_kept_and_the_rest_named(tmp_path):
    study_uid = generate_uid()
    files = make_study(tmp_path / "made", study_uid, 1, 3)
    transfer = make_transfer(tmp_path, study_uid=study_uid, source=WEB)
    pacs = WebPacs(files, retrieved=206, withhold=1)
    with service(pacs) as peer, pytest.raises(TransferIncomplete, match="2 of 3 instances arrived") as caught:
        pull_study(transfer, peer)
    assert transfer.instance_id(sorted(files)[0]) in str(caught.value)


def test_an_instance_that_it_cannot_read_keeps_no_other_back(tmp_path):
    study_uid = generate_uid()
    files = make_study(tmp_path / "made", study_uid, 1, 4)
    transfer = make_transfer(tmp_path, study_uid=study_uid, source=WEB)
    pacs, broken = WebPacs(files), min(files)

    def answer(handler):
        if "/instances/" in handler.path:
            answer_one = say(500) if handler.path.endswith(broken) else pacs
            answer_one(handler)
        elif "limit=" in handler.path:
            pacs(handler)
        else:
            say(500)(handler)

    told = f"3 of 4 instances arrived.*Missing: {transfer.instance_id(broken)}"
    with service(answer) as peer, pytest.raises(TransferIncomplete, match=told):
        pull_study(transfer, peer)


@pytest.mark.parametrize("said", [None, "oops", {"error": "down"}, [None], [{"0020000D": None}], [3]], ids=str)
def test_what_is_no_answer_is_not_taken_for_an_empty_one(said):
    answer = say(200, json.dumps(said).encode())
    with service(answer) as peer, WebClient(peer) as client, pytest.raises(PeerUnavailable, match="not DICOM JSON"):
        client.list_study("1.2.3")


@pytest.mark.parametrize("said", [b"null", b'"stored"'])
def test_a_store_that_is_answered_with_nonsense_is_proven_by_asking(tmp_path, said):
    files = make_study(tmp_path / "made", generate_uid(), 1, 3)
    transfer = make_transfer(tmp_path, policy=STOW)
    make_ready(transfer, files)
    pacs, posts = WebPacs(files), []

    def answer(handler):
        if handler.command == "GET":
            pacs(handler)
            return
        handler.rfile.read(int(handler.headers["Content-Length"]))
        posts.append(1)
        say(200, said)(handler)

    with service(answer) as peer:
        with pytest.raises(PeerUnavailable, match="not DICOM JSON"):
            send_to_research(transfer, peer)
        send_to_research(transfer, peer)
        assert confirm_receipt(transfer, peer).sent == 3
    assert len(posts) == 1


def drop(handler):
    """Close the connection with what came unread, so that it is reset."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def test_a_service_that_drops_what_is_large_is_not_waited_for_as_if_it_were_down(tmp_path):
    files = make_study(tmp_path / "made", generate_uid(), 1, 3)
    transfer = make_transfer(tmp_path, policy=STOW)
    make_ready(transfer, files)
    pacs, most = WebPacs({}), sum(path.stat().st_size for path in files.values())
    state = {"down": True}

    def answer(handler):
        if state["down"] or (handler.command == "POST" and int(handler.headers["Content-Length"]) > most):
            drop(handler)
        elif handler.command == "GET":
            pacs(handler)
        else:
            body = handler.rfile.read(int(handler.headers["Content-Length"]))
            pacs.files |= {uid: path for uid, path in files.items() if uid.encode() in body}
            say(200)(handler)

    with service(answer) as peer:
        with pytest.raises(PeerDown), WebClient(peer) as client:
            client.store(FilesBody(files.values(), "B"), "B")
        state["down"] = False
        with pytest.raises(AssociationAborted, match=r"destination\.batch"):
            send_to_research(transfer, peer)
        # What was in doubt goes by itself, and so in smaller requests.
        send_to_research(transfer, peer)
        assert confirm_receipt(transfer, peer).sent == 3


def test_a_service_that_says_too_large(tmp_path):
    transfer = make_transfer(tmp_path, policy=STOW)
    make_ready(transfer, make_study(tmp_path / "made", generate_uid(), 1, 1, size=512))

    def answer(handler):
        handler.rfile.read(1000)
        say(413)(handler)
        drop(handler)

    with service(answer) as peer, pytest.raises(AssociationRejected, match=r"413.*destination\.batch"):
        send_to_research(transfer, peer)


def test_a_service_that_is_not_at_this_url_refuses_no_instance(tmp_path):
    transfer = make_transfer(tmp_path, policy=STOW)
    (instance,) = make_ready(transfer, make_study(tmp_path / "made", generate_uid(), 1, 1))

    def answer(handler):
        handler.rfile.read(int(handler.headers["Content-Length"]))
        say(404)(handler)

    with service(answer) as peer, pytest.raises(AssociationRejected, match=r"404\. Check the URL"):
        send_to_research(transfer, peer)
    assert [i.id for i in transfer.ledger.instances(transfer.id, InstanceState.READY)] == [instance]


def test_a_service_that_falls_silent_in_an_answer_is_not_down():
    over = threading.Event()

    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"[{")
        handler.wfile.flush()
        over.wait(20)

    with service(answer) as peer, WebClient(replace(peer, timeout=0.3)) as client:
        with pytest.raises(AssociationAborted, match="in the middle"):
            client.list_study("1.2.3")
        over.set()


def test_no_log_quotes_a_url(caplog):
    def answer(handler):
        handler.send_response(200)
        handler.wfile.write(b"HTTP/1.0 200 OK\r\nno header\r\n\r\n[]")
        handler.close_connection = True

    with caplog.at_level(logging.DEBUG), service(answer) as peer, WebClient(peer) as client, guarded():
        assert client.find_studies(StudyKeys(patient_id="P4711", accession_number="A4711")) == []
        assert client.list_study("1.2.3.4711").expected == 0
    assert not [record for record in caplog.records if "4711" in record.getMessage()]
