"""A command that is watched over ends as one with workers does, whatever becomes of its process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.filewriter import dcmwrite

from tests.synthetic import ct

PROGRAM = """
import os, signal, sys, time
from airlock.cli import main, watched
from airlock.deid import batch, onepass
batch._LEAST_SECONDS = 2.0
process = onepass.OnePass.process
def what_happens(self, task):
    if task.key == "1.dcm" and watched.is_watched():
        {happens}
    return process(self, task)
onepass.OnePass.process = what_happens
main()
"""
HAPPENS = {
    "nothing": "pass",
    "it is killed": "os.kill(os.getpid(), signal.SIGKILL)",
    "it breaks": "os.kill(os.getpid(), signal.SIGSEGV)",
    "it takes forever": "time.sleep(120)",
}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "in").mkdir()
    for number in range(3):
        dcmwrite(tmp_path / "in" / f"{number}.dcm", ct(number), enforce_file_format=True)
    places = {"AIRLOCK_HOME": str(tmp_path / "home"), "AIRLOCK_PROJECTS": str(tmp_path / "none")}
    return {**os.environ, **places, "AIRLOCK_WORKERS": "1"}


def command(folder: Path, happens: str) -> list[str]:
    arguments = ["deidentify", str(folder / "in"), str(folder / "out"), "--project", "P"]
    return [sys.executable, "-c", PROGRAM.format(happens=happens), *arguments]


@pytest.mark.parametrize("happens", HAPPENS)
def test_a_process_that_ends_costs_nothing(tmp_path: Path, environment: dict[str, str], happens: str) -> None:
    done = subprocess.run(
        command(tmp_path, HAPPENS[happens]), env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "in 3 / out 3 / skipped 0 / held 0\n"), done.stderr
    assert len(list((tmp_path / "out").rglob("*.dcm"))) == 3
    assert not list((tmp_path / "out").glob(".*"))


VERIFYING = """
import os, signal, sys, time
from airlock.cli import main, watched
from airlock.verify import {module} as module, together
together._SECONDS = 2.0
before = module.{kind}.{method}
def what_happens(self, told):
    if watched.is_watched():
        {happens}
    return before(self, told)
module.{kind}.{method} = what_happens
main()
"""
PLACES = {
    "of the inputs": ("harvest", "Harvester", "__call__"),
    "of the outputs": ("inspect", "Inspector", "_read"),
}


@pytest.mark.parametrize("happens", ["nothing", "it is killed", "it breaks"])
@pytest.mark.parametrize("place", PLACES)
def test_a_verification_that_ends_costs_nothing(
    tmp_path: Path, environment: dict[str, str], place: str, happens: str
) -> None:
    assert_verified(tmp_path, environment, place, HAPPENS[happens])


def test_a_verification_that_takes_forever_is_done_again(tmp_path: Path, environment: dict[str, str]) -> None:
    assert_verified(tmp_path, environment, "of the outputs", HAPPENS["it takes forever"])


def assert_verified(folder: Path, environment: dict[str, str], place: str, happens: str) -> None:
    """Verify outputs of which one holds a name; what happens, happens to whoever is watched."""
    subprocess.run(command(folder, "pass"), env=environment, capture_output=True, check=True, timeout=60)
    output = min((folder / "out").rglob("*.dcm"))
    dataset = dcmread(output)
    dataset.PatientName = ct(0).PatientName
    dataset.save_as(output)
    module, kind, method = PLACES[place]
    program = VERIFYING.format(module=module, kind=kind, method=method, happens=happens)
    arguments = ["verify", str(folder / "out"), "--against", str(folder / "in"), "--project", "P"]
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments, "--report", str(folder / "report")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    said = "in 3 / out 3 / pass 2 / review 0 / fail 1 / inputs without output 0\n"
    assert (done.returncode, done.stdout) == (3, said), done.stderr
    assert "PatientName" in (folder / "report").read_text()


BACKGROUND = """
import os, sys, time
from airlock.cli import main, watched
send, calls = os.sendfile, []
def what_happens(target, source, offset, size):
    if watched.is_watched():
        calls.append(size)
        print("sent", file=sys.stderr)
        {happens}
    return send(target, source, offset, size)
os.sendfile = what_happens
main()
"""


def write_large(path: Path, number: int, *, odd: bool) -> bytes:
    """Write an object of 2.4 MB; return its pixel data. Where they are odd, the last byte is missing."""
    made = ct(number)
    made.Rows = made.Columns = 1100
    made.PixelData = os.urandom(2 * 1100 * 1100 - 1) + b"\0"
    dcmwrite(path, made, enforce_file_format=True)
    if odd:
        data = path.read_bytes()
        start = len(data) - len(made.PixelData)
        path.write_bytes(data[: start - 4] + (len(made.PixelData) - 1).to_bytes(4, "little") + data[start:-1])
    return bytes(made.PixelData)


@pytest.mark.parametrize("happens", ["time.sleep(0.5 * len(calls))", "raise OSError(28, 'No space left')", "return 0"])
def test_pixels_are_copied_in_the_background_or_again(
    tmp_path: Path, environment: dict[str, str], happens: str
) -> None:
    # What is written behind the pixels must not get in between.
    before = {write_large(tmp_path / "in" / f"{n}.dcm", n, odd=n == 1) for n in range(3)}
    arguments = ["deidentify", str(tmp_path / "in"), str(tmp_path / "out"), "--project", "P"]
    done = subprocess.run(
        [sys.executable, "-c", BACKGROUND.format(happens=happens), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "in 3 / out 3 / skipped 0 / held 0\n"), done.stderr
    assert done.stderr.count("sent") == (2 if "sleep" in happens else 1)
    assert {dcmread(path).PixelData for path in (tmp_path / "out").rglob("*.dcm")} == before
    assert not list((tmp_path / "out").glob(".*"))


def test_who_is_told_of_no_process_that_ends_asks_for_it(tmp_path: Path, environment: dict[str, str]) -> None:
    ignoring = (
        "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    )
    arguments = [sys.executable, "-c", ignoring, *command(tmp_path, "pass")]
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "in 3 / out 3 / skipped 0 / held 0\n"), done.stderr


def test_memory_is_bounded(tmp_path: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        command(tmp_path, "bytearray(8 << 30)"), env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (3, "in 3 / out 2 / skipped 0 / held 1\n"), done.stderr


def test_an_error_of_the_program_is_told_without_values(tmp_path: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        command(tmp_path, "raise OSError(5, 'broken', 'Quillfeather')"),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Quillfeather" not in done.stdout + done.stderr


HERE = """
from airlock.worker_here import do_here
def make(_argument):
    def fail(task):
        raise ValueError("Quillfeather")
    return fail
try:
    list(do_here(make, None, [1], 5))
except Exception as error:
    print(repr(error), error.__cause__, error.__suppress_context__)
"""


def test_errors_of_tasks_are_raised_without_their_text() -> None:
    done = subprocess.run([sys.executable, "-c", HERE], capture_output=True, text=True, check=True)
    assert done.stdout == "RuntimeError('ValueError in a worker') None True\n"


def test_who_is_asked_to_end_does_not_begin_again(tmp_path: Path, environment: dict[str, str]) -> None:
    happens = "os.kill(os.getpid(), signal.SIGTERM)"
    done = subprocess.run(
        command(tmp_path, happens), env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (128 + signal.SIGTERM, "")


def test_it_ends_with_who_watches(tmp_path: Path, environment: dict[str, str]) -> None:
    happens = "print(os.getpid(), flush=True); time.sleep(60)"
    watching = subprocess.Popen(command(tmp_path, happens), env=environment, stdout=subprocess.PIPE)
    assert watching.stdout is not None
    watched = int(watching.stdout.readline())
    assert watched != watching.pid
    watching.kill()
    watching.wait()
    deadline = time.monotonic() + 1.5  # before its own clock ends it
    state = Path(f"/proc/{watched}/stat")
    while state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] != "Z" and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not state.exists() or state.read_text().rsplit(")", 1)[1].split()[0] == "Z"
    watching.stdout.close()
