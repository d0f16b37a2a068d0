"""An identity service on the loopback interface: what is not an answer to the question holds the study."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from airlock.errors import HeldError, PeerUnavailable, PolicyError
from airlock.identity.remote import IdentityClient, OddAnswer
from airlock.identity.service import IdentityService
from airlock.identity.store import open_store
from airlock.settings import Settings
from tests.identity_contract import KEYS, policy, study


def right(question):
    """Answer as Stanford's API does."""
    return {
        "results": [
            {
                "id": entity["id"],
                "id_source": entity["id_source"],
                "items": [
                    {**item, "suid": f"item{n}", "jitter": -19, "custom_fields": []}
                    for n, item in enumerate(entity["items"])
                ],
                "jitter": -19,
                "suid": "10f5",
            }
            for entity in question["identifiers"]
        ]
    }


class Service:
    """Answers with what `answer` makes of the question: an object, or status and bytes."""

    def __init__(self):
        self.answer, self.questions, self.headers = right, [], []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.questions.append(question)
                outer.headers.append(self.headers)
                answer = outer.answer(question)
                status, content = answer if isinstance(answer, tuple) else (200, json.dumps(answer).encode())
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/api"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server():
    made = Service()
    yield made
    made.close()


@pytest.fixture
def client(server):
    return IdentityClient(server.url, "secret", timeout_seconds=2, pause_seconds=0.01)


@pytest.fixture
def store(tmp_path):
    return open_store(Settings(home=tmp_path), KEYS)


def service_policy(server, **more):
    return policy(patient="service", service=server.url, dates="service", accession="service", **more)


def test_who_a_patient_becomes(server, client, store):
    service = IdentityService(store, KEYS, service_policy(server), client)
    asked = study(1, "MRN-1", "HOSP", accessions=["ACC-1", "ACC-2"])
    found = service.identify(asked)
    assert (found.subject, found.offset_days) == ("10f5", -19)
    assert found.accessions == {"ACC-1": "item0", "ACC-2": "item1"}
    assert server.headers[0]["Authorization"] == "Bearer secret"
    assert server.questions == [
        {
            "identifiers": [
                {
                    "id": "MRN-1",
                    "id_source": "HOSP",
                    "items": [{"id": f"ACC-{n}", "id_source": "AccessionNumber"} for n in (1, 2)],
                }
            ]
        }
    ]
    again = service.identify(asked)
    assert (again.subject, dict(again.accessions)) == (found.subject, dict(found.accessions))
    assert len(server.questions) == 1, "what is known is not asked again"


def test_a_dry_run_asks_nothing(server, client, store):
    service = IdentityService(store, KEYS, service_policy(server), client)
    assert service.identify(study(1), dry_run=True).subject.startswith("P-")
    assert server.questions == []
    assert store.counts() == {}


def test_without_patient_id(server, client, store):
    service = IdentityService(store, KEYS, service_policy(server), client)
    with pytest.raises(HeldError, match="has no PatientID"):
        service.identify(study(1, ""))


def change(**result):
    """Answer right but for some fields of the result."""

    def answer(question):
        document = right(question)
        document["results"][0].update(result)
        return document

    return answer


ITEM = {"id": "ACC-1", "id_source": "AccessionNumber", "suid": "x1"}
ODD = {
    "html": lambda _: (200, b"<html>MRN-1</html>"),
    "empty": lambda _: (200, b""),
    "null": lambda _: None,
    "list": lambda _: [],
    "no results": lambda _: {"result": []},
    "nobody": lambda _: {"results": []},
    "two": lambda q: {"results": right(q)["results"] * 2},
    "text": lambda _: {"results": ["10f5"]},
    "long": lambda _: (200, b'"' + b"x" * (1 << 20) + b'"'),
    "deep": lambda _: (200, b"[" * 100000),
    "another patient": change(id="MRN-2"),
    "another source": change(id_source="OTHER"),
    "no suid": change(suid=None),
    "numeric suid": change(suid=17),
    "blank suid": change(suid="  "),
    "suid too long": change(suid="x" * 65),
    "suid with backslash": change(suid="a\\b"),
    "suid is the original": change(suid="MRN-1"),
    "no jitter": change(jitter=None),
    "jitter 0": change(jitter=0),
    "jitter true": change(jitter=True),
    "jitter is text": change(jitter="-19"),
    "jitter is a fraction": change(jitter=-1.5),
    "jitter too large": change(jitter=10**9),
    "no items": change(items=None),
    "items missing": change(items=[]),
    "another item": change(items=[{**ITEM, "id": "ACC-2"}]),
    "item of another source": change(items=[{**ITEM, "id_source": "x"}]),
    "item is the original": change(items=[{**ITEM, "suid": "ACC-1"}]),
    "item too long for SH": change(items=[{**ITEM, "suid": "x" * 17}]),
    "item is text": change(items=["x"]),
    "one item more": change(items=[ITEM, ITEM]),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_answers_hold(server, client, store, name):
    server.answer = ODD[name]
    service = IdentityService(store, KEYS, service_policy(server), client)
    with pytest.raises(OddAnswer) as odd:
        service.identify(study(1, "MRN-1", accessions=["ACC-1"]))
    assert "MRN" not in str(odd.value)
    assert odd.value.__cause__ is None
    assert store.counts() == {}


def test_down(server, client, store):
    server.close()
    with pytest.raises(PeerUnavailable, match=r"does not answer \(ConnectionError, 3 attempts\)") as down:
        IdentityService(store, KEYS, service_policy(server), client).identify(study(1, "MRN-1"))
    assert down.value.__cause__ is None
    server.close = lambda: None


def test_tries_again(server, client):
    answers = iter([(500, b""), (429, b"")])
    server.answer = lambda question: next(answers, None) or right(question)
    assert client.ask("MRN-1").subject == "10f5"
    assert len(server.questions) == 3


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404])
def test_refusals(server, client, status):
    server.answer = lambda _: (status, b"MRN-1")
    with pytest.raises(PolicyError, match=f"status {status}") as refused:
        client.ask("MRN-1")
    assert "MRN" not in str(refused.value)
    assert len(server.questions) == 1


@pytest.mark.parametrize("url", ["http://identities.example.org/", "ftp://127.0.0.1/", "nonsense", ""])
def test_addresses_that_are_refused(url):
    with pytest.raises(PolicyError, match=r"identity\.service"):
        IdentityClient(url)


def test_the_token_is_not_shown():
    assert "secret" not in repr(IdentityClient("http://127.0.0.1/", "secret"))
