"""The socket between pulls and the receiving service: what is said."""

import os

import pytest

from airlock.dicomio.claiming import claimed
from airlock.dicomio.wire.claim import (
    Claim,
    Offer,
    socket_path,
)
from airlock.dicomio.wire.claims import joined
from airlock.errors import PeerUnavailable, PolicyError
from tests.claims import CT, PORT, STUDY, SYNTAX, Waiting, arrived, incoming, running, until


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


def test_a_decision_that_fails_is_out_of_resources_and_ends_nothing(tmp_path):
    waiting = Waiting()
    with running(tmp_path) as claims, claimed(tmp_path, PORT, STUDY, waiting) as holding:
        asking = claims.asking_for("1.2.3", incoming())
        waiting.pause = "not a number"
        assert claims.offer(asking, arrived(tmp_path), 0, incoming()) == [0xA700]
        waiting.pause = 0
        assert claims.offer(asking, arrived(tmp_path), 0, incoming()) == [0]
    assert not holding.lost


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


def test_reprs_show_no_uid():
    assert "1.2.3" not in repr(STUDY) + repr(Offer(1, "1/x", 0, CT, "1.2.3", SYNTAX)) + repr(incoming())
    assert os.fsencode("1.2.3") in STUDY.line()
