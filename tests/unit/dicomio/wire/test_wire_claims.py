"""The socket between pulls and the receiving service: what is said, and what a stranger at it can do."""

import itertools
import json
import os
import random
import socket
import threading
import time
from contextlib import contextmanager, suppress

import pytest

from airlock.dicomio.claiming import claimed
from airlock.dicomio.wire.claim import (
    MOST_LINE_BYTES,
    Claim,
    Lines,
    NotUnderstood,
    Offer,
    address,
    coming_folder,
    said_in,
    socket_path,
)
from airlock.dicomio.wire.claims import Claims, joined
from airlock.dicomio.wire.sink import Caller, Incoming
from airlock.errors import PeerUnavailable, PolicyError

CT, SYNTAX, PORT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1", 104
STUDY = Claim("AIRLOCK", "AIRLOCK", "PACS", "PACS@here:104", frozenset({"1.2.3"}))


def incoming(originator=("", None), calling="PACS"):
    return Incoming(CT, "1.2.3.4", SYNTAX, Caller(calling, "AIRLOCK", "127.0.0.1", 1), originator)


@contextmanager
def running(folder, refusal=lambda _: None, **options):
    claims = Claims(socket_path(folder, PORT), refusal, **options)
    try:
        yield claims
    finally:
        claims.close()


@contextmanager
def speaking(folder, *said):
    """Yield a connection that said something."""
    with socket.socket(socket.AF_UNIX) as plain, address(socket_path(folder, PORT)) as name:
        plain.settimeout(5)
        plain.connect(name)
        with suppress(BrokenPipeError):
            for data in said:
                plain.sendall(data)
        yield plain


def hear(plain):
    """Return the next line; an empty one when the other end has closed."""
    data = b""
    with suppress(ConnectionError):
        while not data.endswith(b"\n") and (more := plain.recv(1)):
            data += more
    return data


class Waiting:
    """Says the same to every offer."""

    def __init__(self, status=0, pause=0.0):
        self.status, self.pause = status, pause
        self.files, self.given_up, self.noticed = [], threading.Event(), threading.Event()

    def decide(self, file):
        time.sleep(self.pause)
        self.files.append(file and file.read())
        if file:
            file.discard()
        return self.status

    def notice(self):
        self.noticed.set()

    def give_up(self):
        self.given_up.set()


def until(true, seconds=5.0):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def arrived(folder, content=b"x" * 40):
    coming = coming_folder(folder, PORT) / "1"
    coming.mkdir(parents=True, exist_ok=True)
    (coming / "file").write_bytes(content)
    return "1/file"


def test_an_offer_and_its_answer(tmp_path):
    waiting, idle = Waiting(), Waiting()
    other = Claim("AIRLOCK", "AIRLOCK", "PACS", "PACS@here:104", frozenset({"1.2.4"}))
    with (
        running(tmp_path, sync=True) as claims,
        claimed(tmp_path, PORT, STUDY, waiting) as one,
        claimed(tmp_path, PORT, other, idle) as two,
    ):
        assert (len(claims), one.message_id == two.message_id) == (2, False)
        asking = claims.asking_for("1.2.3", incoming())
        claims.sign_of_life(asking)
        assert claims.offer(asking, arrived(tmp_path), 10, incoming()) == [0]
        assert waiting.noticed.is_set()
        # One that is not there any more.
        assert claims.offer(asking, "1/gone", 10, incoming()) == [0]
    assert (waiting.files, idle.files) == ([b"x" * 40, None], [])
    assert (one.lost, waiting.given_up.is_set()) == (False, False)


def test_the_claim_ends_with_its_connection(tmp_path):
    with running(tmp_path) as claims:
        with claimed(tmp_path, PORT, STUDY, Waiting()):
            asking = claims.asking_for("1.2.3", incoming())
        until(lambda: len(claims) == 0)
        assert claims.asking_for("1.2.3", incoming()) == []
        assert claims.offer(asking, arrived(tmp_path), 0, incoming()) == []
    assert joined([]) == 0xA700


def test_several_pulls_of_one_study(tmp_path):
    good, bad, slow = Waiting(), Waiting(0xA900), Waiting(pause=0.6)
    with (
        running(tmp_path, answer_seconds=0.3) as claims,
        claimed(tmp_path, PORT, STUDY, good),
        claimed(tmp_path, PORT, STUDY, bad),
        claimed(tmp_path, PORT, STUDY, slow),
    ):
        asking = claims.asking_for("1.2.3", incoming())
        assert sorted(claims.offer(asking, arrived(tmp_path), 0, incoming())) == [0, 0xA700, 0xA900]
        assert joined([0, 0xA900, 0xA700]) == 0xA900
        until(lambda: slow.files)
        # The answer that came too late is of no other offer.
        slow.pause = 0
        assert claims.offer([asking[2]], arrived(tmp_path), 0, incoming()) == [0]


def test_the_move_originator_tells_pulls_apart(tmp_path):
    elsewhere = Claim("AIRLOCK", "AIRLOCK", "OTHER", "OTHER@there:104", frozenset({"1.2.3"}))
    with running(tmp_path) as claims, claimed(tmp_path, PORT, STUDY, Waiting()) as here:
        with claimed(tmp_path, PORT, elsewhere, Waiting()) as there:

            def sources(*originator, calling="PACS"):
                return sorted(one.source for one in claims.asking_for("1.2.3", incoming(originator, calling)))

            both = ["OTHER@there:104", "PACS@here:104"]
            assert sources("", None) == both
            assert sources("AIRLOCK", here.message_id) == ["PACS@here:104"]
            assert sources("AIRLOCK", there.message_id) == ["OTHER@there:104"]
            # A PACS that gives its own title, and one that serves somebody else.
            assert sources("OTHER", there.message_id) == ["OTHER@there:104"]
            assert sources("STRANGER", there.message_id) == both
        until(lambda: len(claims) == 1)
        # What comes late of a pull that was killed is not for a pull from another PACS.
        assert sources("AIRLOCK", there.message_id) == []
        with claimed(tmp_path, PORT, elsewhere, Waiting()):
            assert sources("AIRLOCK", there.message_id) == ["OTHER@there:104"]


def test_callers_and_reports(tmp_path):
    strict = Claim("AIRLOCK", "AIRLOCK", "PACS", "PACS@here:104", frozenset({"1.2.3"}), caller="PACS")
    reports = Claim("AIRLOCK", "AIRLOCK", "PACS", "PACS@here:104", reports=True)
    with (
        running(tmp_path) as claims,
        claimed(tmp_path, PORT, strict, Waiting()),
        claimed(tmp_path, PORT, reports, Waiting()),
    ):
        assert len(claims.asking_for("1.2.3", incoming())) == 1
        assert claims.asking_for("1.2.3", incoming(calling="STRANGER")) == []
        assert len(claims.awaiting_reports()) == 1


def test_message_ids_are_never_shared(tmp_path):
    with running(tmp_path) as claims:
        claims._next_message = 0xFFFE
        with (
            claimed(tmp_path, PORT, STUDY, Waiting()) as a,
            claimed(tmp_path, PORT, STUDY, Waiting()) as b,
            claimed(tmp_path, PORT, STUDY, Waiting()) as c,
        ):
            assert [a.message_id, b.message_id, c.message_id] == [0xFFFE, 0xFFFF, 1]
            claims._next_message = 0xFFFE
            with claimed(tmp_path, PORT, STUDY, Waiting()) as d:
                assert d.message_id == 2


def test_no_service_a_dead_one_and_one_that_refuses(tmp_path):
    with claimed(tmp_path, PORT, STUDY, Waiting()) as holding:
        assert holding is None
    with (
        running(tmp_path, lambda _: "Wrong title."),
        pytest.raises(PolicyError, match="Wrong title"),
        claimed(tmp_path, PORT, STUDY, Waiting()),
    ):
        pass
    with pytest.raises(PeerUnavailable, match="doesn't answer"), claimed(tmp_path, PORT, STUDY, Waiting()):
        pass
    waiting = Waiting()

    def ask_in_vain(claims):
        with claimed(tmp_path, PORT, STUDY, waiting):
            claims.close()
            assert waiting.given_up.wait(5)
            raise ValueError("whatever came of it")

    with running(tmp_path) as claims, pytest.raises(PeerUnavailable, match="ended before"):
        ask_in_vain(claims)


def test_who_may_speak_to_it_and_paths_of_any_length(tmp_path):
    folder = tmp_path / ("deep" * 40) / "scp"
    with running(folder) as claims, claimed(folder, PORT, STUDY, Waiting()):
        assert len(claims) == 1
        assert len(str(socket_path(folder, PORT))) > 108
        assert folder.stat().st_mode & 0o777 == 0o700
        assert socket_path(folder, PORT).stat().st_mode & 0o777 == 0o600


WRONG = [
    b"GET / HTTP/1.1\r\n\r\n",
    b"\n",
    b"[]\n",
    b"[" * 4000 + b"\n",
    b"\xff\xfe\n",
    b'{"claim": 1}\n',
    STUDY.line().replace(b'"claim":1', b'"claim":2'),
    STUDY.line().replace(b"1.2.3", b"../x"),
    STUDY.line().replace(b'["1.2.3"]', b"[]"),
    STUDY.line().replace(b'"tls":false', b'"tls":0'),
    STUDY.line().replace(b'"AIRLOCK"', b'"' + b"A" * 17 + b'"'),
    STUDY.line().replace(b'["1.2.3"]', json.dumps(["1.2.3"] * 17).encode()),
    b"x" * (MOST_LINE_BYTES + 1),
    b"x" * 1_000_000,
]


@pytest.mark.parametrize("said", WRONG, ids=range(len(WRONG)))
def test_what_is_no_claim_ends_the_connection(tmp_path, said):
    with running(tmp_path) as claims, speaking(tmp_path, said) as plain:
        assert hear(plain) == b""
        assert len(claims) == 0
        assert claims._all() == []


def test_garbage_instead_of_answers(tmp_path):
    chance = random.Random(1)
    with running(tmp_path, answer_seconds=0.5) as claims:
        for _ in range(60):
            noise = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 60)))
            answer = b'{"offer":1,"status":0}'
            cut = chance.randrange(len(answer))
            said = chance.choice([noise + b"\n", answer[:cut] + noise + answer[cut + 1 :] + b"\n"])
            with speaking(tmp_path, STUDY.line()) as plain:
                assert b"welcome" in hear(plain)
                with suppress(BrokenPipeError):
                    plain.sendall(said)
        until(lambda: claims._all() == [])
        # It serves others as if nothing had been.
        with claimed(tmp_path, PORT, STUDY, Waiting()):
            assert claims.offer(claims.asking_for("1.2.3", incoming()), arrived(tmp_path), 0, incoming()) == [0]


@pytest.mark.parametrize(
    "said",
    [b'{"offer":true,"status":0}\n', b'{"offer":1,"status":65536}\n', b'{"offer":1,"status":"0"}\n', b'{"status":0}\n'],
)
def test_an_answer_that_is_none(tmp_path, said):
    with running(tmp_path) as claims, speaking(tmp_path, STUDY.line()) as plain:
        assert b"welcome" in hear(plain)
        plain.sendall(said)
        assert hear(plain) == b""
        assert claims._all() == []


def test_who_says_nothing_or_too_slowly_is_left(tmp_path):
    with running(tmp_path, claim_seconds=0.3) as claims, speaking(tmp_path) as silent:
        with speaking(tmp_path, STUDY.line()[:-1]) as slow:
            until(lambda: len(claims._all()) == 2)
            assert (hear(silent), hear(slow)) == (b"", b"")
        until(lambda: claims._all() == [])


def test_who_reads_nothing_costs_the_others_no_time(tmp_path):
    with running(tmp_path, answer_seconds=0.4) as claims, speaking(tmp_path, STUDY.line()) as deaf:
        until(lambda: len(claims) == 1)
        stuck = claims.asking_for("1.2.3", incoming())
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        threads = [threading.Thread(target=claims.offer, args=(stuck, "1/x", 0, incoming())) for _ in range(40)]
        begun = time.monotonic()
        for thread in threads:
            thread.start()
        with claimed(tmp_path, PORT, STUDY, Waiting()):
            quick = [one for one in claims.asking_for("1.2.3", incoming()) if one not in stuck]
            assert claims.offer(quick, arrived(tmp_path), 0, incoming()) == [0]
        for thread in threads:
            thread.join(10)
        assert time.monotonic() - begun < 5


def test_no_more_than_so_many(tmp_path):
    with running(tmp_path, most=2) as claims, speaking(tmp_path) as _, speaking(tmp_path) as _:
        until(lambda: len(claims._all()) == 2)
        with pytest.raises(PeerUnavailable, match="as many pulls"), claimed(tmp_path, PORT, STUDY, Waiting()):
            pass


def test_lines_in_any_pieces_and_in_bounded_memory():
    chance = random.Random(2)
    text = b"".join(b"%d\n" % n for n in range(500))
    lines, found = Lines(), []
    while text:
        size = chance.randrange(1, 9)
        found += lines.add(text[:size])
        text = text[size:]
    assert found == [b"%d" % n for n in range(500)]
    with pytest.raises(NotUnderstood):
        list(itertools.chain.from_iterable(lines.add(b"x" * 100) for _ in range(100)))


@pytest.mark.parametrize("file", ["../1/x", "1/../x", "/etc/passwd", "x", "1/2/3", ""])
def test_an_offer_leads_nowhere_else(file):
    said = said_in(Offer(1, file, 0, CT, "1.2", SYNTAX).line())
    with pytest.raises(NotUnderstood):
        Offer.of(said)
    assert Offer.of({**said, "file": "1/x"}).incoming.sop_instance_uid == "1.2"


def test_reprs_show_no_uid():
    assert "1.2.3" not in repr(STUDY) + repr(Offer(1, "1/x", 0, CT, "1.2.3", SYNTAX)) + repr(incoming())
    assert os.fsencode("1.2.3") in STUDY.line()
