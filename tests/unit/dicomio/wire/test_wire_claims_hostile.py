"""The socket between pulls and the receiving service: garbage, silence, crowds."""

import itertools
import json
import random
import socket
import threading
import time
from contextlib import suppress

import pytest

from airlock.dicomio.claiming import claimed
from airlock.dicomio.wire.claim import (
    MOST_LINE_BYTES,
    Lines,
    NotUnderstood,
    Offer,
    said_in,
)
from airlock.errors import PeerUnavailable
from tests.claims import CT, PORT, STUDY, SYNTAX, Waiting, arrived, hear, incoming, running, speaking, until

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
        assert time.monotonic() - begun < 15


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
