"""What goes on in the background is done when it is waited for, and a failure of it ends the process."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from airlock import background

_SECONDS = 20


@pytest.fixture(autouse=True)
def _ended() -> Iterator[None]:
    background.allow()
    yield
    background.finish()


def test_it_goes_on_while_others_do_and_is_waited_for() -> None:
    go_on, done = threading.Event(), []

    def call() -> None:
        go_on.wait(_SECONDS)
        done.append(1)

    background.begin(call)
    assert not done
    go_on.set()
    background.finish()
    assert done == [1]
    assert not background.is_allowed()


def test_one_at_a_time_and_in_order() -> None:
    done: list[int] = []
    running: list[int] = []

    def call(number: int) -> None:
        running.append(number)
        assert len(running) == 1
        done.append(number)
        running.clear()

    for _ in range(3):
        background.allow()
        for number in range(20):
            background.begin(lambda number=number: call(number))
        background.finish()
    assert done == [*range(20)] * 3


def test_there_is_no_thread_afterwards() -> None:
    idents: list[int] = []
    background.begin(lambda: idents.append(threading.get_ident()))
    background.finish()
    assert idents[0] != threading.get_ident()
    background.finish()


def test_a_failure_ends_the_process() -> None:
    program = "from airlock import background as b; b.allow(); b.begin(lambda: 1 / 0); b.finish(); print('went on')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "")
