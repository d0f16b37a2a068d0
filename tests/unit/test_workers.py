"""Workers survive what happens to single tasks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from airlock.worker import Channel, encode
from airlock.worker_process import Worker
from airlock.workers import Lost, Workers, _Job


def make_worker(folder: str) -> Callable[[str], object]:
    """Return a function that does what its task says."""

    def work(task: str) -> object:
        word, _, name = task.partition(" ")
        if word == "die" or (word == "die-once" and not (Path(folder) / name).exists()):
            (Path(folder) / name).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if word == "nap":
            # Longer than answers are kept back.
            time.sleep(0.2)
        if word == "sleep":
            time.sleep(60)
        if word == "fail":
            raise ValueError(name)
        if word == "eat":
            return len(bytearray(8 << 30))
        return word.upper()

    return work


def test_tasks_are_done_and_the_lost_ones_are_told(tmp_path: Path) -> None:
    tasks = [f"one {n}" for n in range(120)]
    tasks[10], tasks[20], tasks[30] = "die a", "die-once b", "sleep"
    with Workers(2) as pool:
        results = dict(pool.run(make_worker, str(tmp_path), tasks, lambda task: 2 if task == "sleep" else 60))
        assert set(results) == set(tasks)
        assert (results.pop("die a"), results.pop("sleep")) == (Lost(timed_out=False), Lost(timed_out=True))
        assert results.pop("die-once b") == "DIE-ONCE"
        assert set(results.values()) == {"ONE"}
        assert dict(pool.run(make_worker, str(tmp_path), ["again"])) == {"again": "AGAIN"}


def test_errors_of_tasks_are_raised_without_their_text(tmp_path: Path) -> None:
    with Workers(1) as pool, pytest.raises(RuntimeError, match=r"^ValueError in a worker$"):
        list(pool.run(make_worker, str(tmp_path), ["fail Quillfeather"]))


def test_memory_is_bounded(tmp_path: Path) -> None:
    with Workers(1) as pool, pytest.raises(MemoryError):
        list(pool.run(make_worker, str(tmp_path), ["eat"]))


PARENT = """
import os, sys
from airlock.workers import Workers
from tests.unit.test_workers import make_worker
with Workers(1, fork=sys.argv[1:] == ["fork"]) as pool:
    for _ in pool.run(make_worker, "/tmp", ["one", "nap", "sleep"]):
        print(pool._workers[0].process.pid, flush=True)
"""


@pytest.mark.parametrize("way", ["start", "fork"])
def test_workers_die_with_their_parent(way: str) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(Path.cwd())])}
    parent = subprocess.Popen([sys.executable, "-c", PARENT, way], stdout=subprocess.PIPE, env=environment)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and Path(f"/proc/{worker}/stat").exists():
        if Path(f"/proc/{worker}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
            break
        time.sleep(0.05)
    else:
        assert not Path(f"/proc/{worker}").exists()
    parent.stdout.close()


FORKING = """
import sys, threading
from airlock.workers import Lost, Workers
from tests.unit.test_workers import make_worker
folder = sys.argv[1]
tasks = ["one", "die a", "die-once b", "sleep", "two"]
with Workers(2, fork=True) as pool:
    done = dict(pool.run(make_worker, folder, tasks, lambda task: 2 if task == "sleep" else 60))
    list(pool.run(make_worker, folder, ["one"]))
    print(type(pool._workers[0].process).__name__, done == {
        "one": "ONE", "two": "TWO", "die a": Lost(False), "die-once b": "DIE-ONCE", "sleep": Lost(True)
    })
with Workers(1, fork=True) as pool:
    try:
        list(pool.run(make_worker, folder, ["eat"]))
    except MemoryError:
        print("bounded")
threading.Thread(target=threading.Event().wait, daemon=True).start()
with Workers(1, fork=True) as pool:
    print(list(pool.run(make_worker, folder, ["one"])), type(pool._workers[0].process).__name__)
"""


def test_forked_workers_are_as_safe(tmp_path: Path) -> None:
    # In a process of its own: the one that runs the tests may have threads, with which nothing is forked.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(Path.cwd())])}
    command = [sys.executable, "-c", FORKING, str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=60)
    assert result.stdout.splitlines() == ["Forked True", "bounded", "[('one', 'ONE')] Popen"], result.stderr


def test_what_is_told_is_heard_whether_it_is_plain_or_not() -> None:
    reading, writing = os.pipe()
    channel = Channel(reading, writing)
    for told in (("a", {1}, b"c", None), [Lost(True)], Path("x"), [("a", {("b", True)}, {"c": {b"d"}})]):
        channel.send(encode(told))
        heard = channel.receive()
        assert heard == told
        assert type(heard) is type(told)
    channel.close()


def test_nothing_is_given_to_a_worker_that_may_not_read_it() -> None:
    class Noted(Channel):
        sent = 0

        def send(self, data: bytes) -> None:
            self.sent += len(data)

    channel = Noted(-1, -1)
    worker = Worker(None, channel, None, room=1 << 16)  # type: ignore[arg-type] - neither is asked
    assert not worker.give(["x" * 40_000, "y" * 40_000], 1.0)
    assert worker.give(["x" * 40_000], 1.0)
    assert worker.give(["y" * 10_000], 1.0)
    sent = channel.sent
    assert not worker.give(["z" * 20_000], 1.0)
    assert channel.sent == sent
    assert worker.answer(1) == ["x" * 40_000]
    assert worker.give(["z" * 20_000], 1.0)
    assert list(worker.tasks) == ["y" * 10_000, "z" * 20_000]


def test_tasks_that_are_alike_stay_together() -> None:
    job = _Job(1, "", None, lambda _task: 1.0, 1.0, lambda task: task[0])
    tasks = [f"{folder}{n}" for folder in "abc" for n in range(100)]
    assert job.cut(tasks[:200], 110) == tasks[:100]
    assert job.cut(tasks[:160], 80) == tasks[:100]
    # Not at any price: others wait.
    assert len(job.cut(tasks[:60], 30)) == 30
    assert len(job.cut(tasks[50:90], 80)) == 40


def test_tasks_that_fill_the_pipe_are_given_by_and_by(tmp_path: Path) -> None:
    tasks = [f"{n} {'x' * 200_000}" for n in range(5)]
    with Workers(1) as pool:
        assert dict(pool.run(make_worker, str(tmp_path), tasks)) == {task: task.split()[0] for task in tasks}


TOLD = """
import os, sys
from airlock.workers import Workers
made = []
def make(argument):
    made.append(os.getpid())
    return lambda task: (os.getpid(), task, list(made))
with Workers(2, fork=True) as pool:
    results = list(pool.run(make, None, list(range(400)), worth_a_worker=1))
print(made == [os.getpid()], {tuple(r[2]) for _, r in results} == {(os.getpid(),)}, len({r[0] for _, r in results}) - 1)
"""


def test_what_forked_workers_do_is_made_once() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(Path.cwd())])}
    result = subprocess.run([sys.executable, "-c", TOLD], capture_output=True, text=True, env=environment, check=True)
    assert result.stdout.split()[:2] == ["True", "True"]


SILENCED = """
import logging, os, sys
from airlock.workers import Workers
folder = sys.argv[1]
logging.basicConfig(filename=folder + "/log")
heard, told = os.pipe()
def make(argument):
    def do(task):
        # What a parent held by its number must not have become what is written here.
        written = [os.open(f"{folder}/{n}", os.O_CREAT | os.O_WRONLY) for n in range(3)]
        logging.warning("said")
        print("said", flush=True)
        try:
            os.write(told, b"said")
        except OSError as error:
            return str(error)
        return sum(os.fstat(each).st_size for each in written)
    return do
with Workers(1, fork=True) as pool:
    print(list(pool.run(make, None, [1])))
os.close(told)
print(os.read(heard, 10), os.stat(folder + "/log").st_size)
"""


def test_what_the_parent_of_a_fork_had_open_leads_nowhere(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(Path.cwd())])}
    command = [sys.executable, "-c", SILENCED, str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=True, timeout=60)
    assert result.stdout.splitlines() == ["[(1, 0)]", "b'' 0"]
