"""Turns of processes, here of threads."""

import threading

from airlock.dicomio import turns
from airlock.dicomio.turns import our_turn, slot


def test_no_more_than_the_slots_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(turns, "_POLL_SECONDS", 0.01)
    inside, most = [], []

    def work():
        with slot(tmp_path, "a/b", 2):
            inside.append(1)
            most.append(len(inside))
            pause.wait(0.05)
            inside.pop()

    pause = threading.Event()
    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(most) == 6
    assert max(most) <= 2


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
