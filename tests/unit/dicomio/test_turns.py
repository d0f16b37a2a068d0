"""Turns of processes, here of threads."""

import os
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress

import pytest

from airlock.dicomio import turns
from airlock.dicomio.turns import ABSENT_SECONDS, FORGOTTEN_SECONDS, Line, our_turn
from airlock.errors import TurnAwaited


@pytest.fixture
def line(tmp_path):
    return Line(str(tmp_path / "slots"), "a/b", 2)


def absent(line, who, seconds):
    """Have one that waits not seen for so long."""
    (file,) = line._mine(who)
    then = time.time() - seconds
    os.utime(file, (then, then))


def test_no_more_than_the_places_at_a_time(line):
    inside, most, done = [], [], []

    def work(who):
        while who not in done:
            with suppress(TurnAwaited), line.place(who):
                inside.append(who)
                most.append(len(inside))
                pause.wait(0.02)
                inside.remove(who)
                done.append(who)
            pause.wait(0.005)

    pause = threading.Event()
    threads = [threading.Thread(target=work, args=(f"t-{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(done) == 6
    assert max(most) == 2


def test_those_that_wait_go_one_after_the_other_oldest_first(line):
    with ExitStack() as taken:
        for who in ("one", "two"):
            taken.enter_context(line.place(who))
        for who in ("third", "fourth", "fifth", "fourth", "third"):
            with pytest.raises(TurnAwaited) as told, line.place(who):
                pass
            assert told.value.lines == (line,)
        assert not any(line.has_turn(who) for who in ("third", "fourth", "fifth"))
    assert [who for who in ("fifth", "fourth", "third") if line.has_turn(who)] == ["fourth", "third"]
    with pytest.raises(TurnAwaited, match="3 transfers wait before"), line.place("new"):
        pass
    with line.place("fourth"):
        assert [who for who in ("third", "fifth", "new") if line.has_turn(who)] == ["third"]
        with pytest.raises(TurnAwaited), line.place("fifth"):
            pass
        with line.place("third"), pytest.raises(TurnAwaited, match="0 transfers wait before"), line.place("fifth"):
            pass
    with line.place("fifth"), line.place("new"):
        assert list(line._waiting.iterdir()) == []


def test_who_is_not_seen_is_passed_over_and_stands_where_it_stood(line):
    with line.place("one"), line.place("two"):
        for who in ("gone", "late", "new"):
            with pytest.raises(TurnAwaited), line.place(who):
                pass
    only = Line(line.folder, line.name, 1)
    absent(line, "gone", ABSENT_SECONDS + 1)
    absent(line, "late", ABSENT_SECONDS + 1)
    assert only.has_turn("new")
    assert only.has_turn("late")
    assert not only.has_turn("new")
    absent(line, "gone", FORGOTTEN_SECONDS + 1)
    with only.place("late"):
        pass
    with pytest.raises(TurnAwaited, match="1 transfers wait before"), only.place("gone"):
        pass


def test_a_process_that_dies_gives_its_place_back(line):
    program = (
        "import sys, time; from airlock.dicomio.turns import Line\n"
        "with Line(sys.argv[1], 'a/b', 1).place('killed'):\n"
        "    print('in', flush=True); time.sleep(60)"
    )
    only = Line(line.folder, line.name, 1)
    command = [sys.executable, "-c", program, line.folder]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "in\n"
        assert not only.has_turn("waits")
        process.kill()
    assert only.has_turn("waits")
    with only.place("waits"):
        pass


def test_without_a_limit_nobody_waits_and_nothing_is_written(tmp_path):
    line = Line(str(tmp_path / "slots"), "a", 0)
    with line.place("one"), line.place("two"):
        assert list(tmp_path.iterdir()) == []


def test_a_port_is_used_by_one_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(turns.tempfile, "gettempdir", lambda: str(tmp_path))
    second = threading.Event()

    def work():
        with our_turn(104):
            second.set()

    with our_turn(104), our_turn(105):
        thread = threading.Thread(target=work)
        thread.start()
        assert not second.wait(0.1)
    assert second.wait(5)
    thread.join(5)
