"""What the answers of a STOW-RS service mean for each file."""

import pytest
from pydicom.uid import generate_uid

from airlock.deliver import stow
from airlock.dicomio.store import Outgoing
from airlock.dicomio.webpeer import WebPeer
from tests.studies import make_study


def item(uid, tag=None, value=None):
    return {"00081155": {"vr": "UI", "Value": [uid]}} | ({tag: {"vr": "US", "Value": [value]}} if tag else {})


def answer(stored=(), failed=()):
    return {"00081199": {"vr": "SQ", "Value": list(stored)}, "00081198": {"vr": "SQ", "Value": list(failed)}}


@pytest.fixture
def send(tmp_path, monkeypatch):
    files = make_study(tmp_path, generate_uid(), 1, 3)
    uids = sorted(files)

    def send(status, said):
        bodies = []

        def store(self, body, boundary):
            bodies.append(b"".join(body))
            assert len(body) == len(bodies[-1])
            return status, said(uids) if callable(said) else said

        monkeypatch.setattr(stow.WebClient, "store", store)
        before = []
        outgoing = [Outgoing.of(f"i-{n}", files[uid]) for n, uid in enumerate(uids)]
        outcomes = list(stow.store_files(WebPeer("http://127.0.0.1:9"), outgoing, before.append))
        assert before == [o.id for o in outcomes] == ["i-0", "i-1", "i-2"]
        return [o.status for o in outcomes], bodies

    return send


def test_stored_with_a_warning_failed_and_not_named(send):
    def said(uids):
        return answer([item(uids[0], "00081196", 0xB007)], [item(uids[1], "00081197", 0xA700)])

    statuses, bodies = send(202, said)
    # the third one is in neither list: nothing says that it was stored
    assert statuses == [0xB007, 0xA700, 0x0110]
    assert len(bodies) == 1


def test_only_a_bare_success_speaks_for_all(send):
    assert send(200, {})[0] == [0, 0, 0]
    assert send(202, {})[0] == [0x0110] * 3
    assert send(409, {})[0] == [0x0110] * 3
    assert send(200, lambda uids: answer([item(uids[0])]))[0] == [0, 0x0110, 0x0110]


def test_a_warning_is_one_by_its_number(send):
    for told, status in ((0xB007, 0xB007), (0x0107, 0x0107), (0xC000, 0xB000)):
        said = lambda uids, told=told: answer([item(uids[0], "00081196", told)])  # noqa: E731 - one line says it
        assert send(202, said)[0][0] == status


def test_a_failure_is_a_failure_whatever_its_number(send):
    for reason in (0, 0xB000, 0x0107, None, "x"):
        said = lambda uids, reason=reason: answer([], [item(uids[0], "00081197", reason)])  # noqa: E731 - one line says it
        assert send(202, said)[0][0] == 0x0110


def test_both_lists(send):
    assert send(200, lambda uids: answer([item(uids[0])], [item(uids[0], "00081197", 0xC000)]))[0][0] == 0xC000


def test_nonsense(send):
    for said in ({"00081199": "x"}, {"00081199": {"Value": "x"}}, {"00081198": {"Value": [1]}}):
        assert send(202, said)[0] == [0x0110] * 3


def test_requests_are_divided(send, monkeypatch):
    monkeypatch.setattr(stow, "MOST_FILES", 2)
    assert len(send(200, {})[1]) == 2
    monkeypatch.setattr(stow, "MOST_BYTES", 10)
    assert len(send(200, {})[1]) == 3


def test_what_is_sent_waits_for_its_pace(tmp_path, monkeypatch):
    (path,) = make_study(tmp_path, generate_uid(), 1, 1, size=200).values()
    bodies, paced = [], []

    def store(self, body, boundary):
        bodies.append(b"".join(body))
        assert len(body) == len(bodies[-1])
        return 200, {}

    monkeypatch.setattr(stow.WebClient, "store", store)
    outgoing = [Outgoing.of("i-0", path)]
    (outcome,) = stow.store_files(WebPeer("http://127.0.0.1:9"), outgoing, pace=paced.append)
    assert outcome.stored
    assert path.read_bytes() in bodies[0]
    assert sum(paced) == len(bodies[0])
    assert max(paced) <= 1 << 15
