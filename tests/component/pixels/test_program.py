"""The rewriter program and the two commands, as they are called."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from airlock.findings import InstanceFindings
from airlock.pixels import pool, rewriter
from airlock.pixels.decode import StoredImage
from airlock.pixels.detect import examine
from airlock.pixels.engine import load_engine
from airlock.pixels.pool import WorkerPool, worker_environment
from airlock.pixels.preview import write_preview
from demo.phantoms import Patient, presentation_state, secondary_capture, ultrasound_cine
from tests.commands import airlock

SMALL = {"rows": 240, "columns": 320, "size": 13}


def run(*arguments) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "airlock.pixels.rewriter", *map(str, arguments)]
    return subprocess.run(command, env=worker_environment(), check=False, capture_output=True, text=True, timeout=120)


def test_fionas_command_line(tmp_path):
    patient = Patient.invent(8)
    [source] = ultrasound_cine(tmp_path / "in" / "deep er", patient, 1, **SMALL)
    mapping, report = tmp_path / "words.json", tmp_path / "report.json"
    more = ["-m", mapping, "--report", report]
    done = run("--input", tmp_path / "in", "--output", tmp_path / "out", "-c", 20, "-t", 2, *more)
    assert (done.returncode, done.stdout) == (0, "1 of 1 files written, 3 boxes masked\n")
    [outcome] = json.loads(report.read_text())["files"].values()
    assert (outcome["outcome"], outcome["residue"]) == ("rewritten", 0)
    header = dcmread(source, stop_before_pixels=True)
    words = json.loads(mapping.read_text())
    assert set(words) == {f"{header.SOPInstanceUID}_{n:04d}" for n in range(3)}
    assert {w["word"] for w in words.values()} == {""}
    for identifier in (patient.name, patient.id, *patient.name.split("^")):
        assert identifier not in mapping.read_text() + done.stdout + done.stderr


def test_one_file_that_fails_fails_the_run(tmp_path):
    ultrasound_cine(tmp_path / "in", Patient(), 1, **SMALL)
    (tmp_path / "in" / "text.dcm").write_text("hello")
    done = run("-i", tmp_path / "in", "-o", tmp_path / "out", "--report", tmp_path / "report.json")
    assert done.returncode == 1
    assert "1 not written: held, the file cannot be parsed" in done.stderr
    files = json.loads((tmp_path / "report.json").read_text())["files"]
    assert {name: f["outcome"] for name, f in files.items()} == {"US-3-0001.dcm": "rewritten", "text.dcm": "held"}


def test_text_that_remains_fails_the_run(tmp_path, monkeypatch, capsys):
    """The box is beside the text."""
    ultrasound_cine(tmp_path / "in", Patient(), 2, text_frames=[1], **SMALL)
    beside = InstanceFindings({1: [(0, 200, 20, 220)]}, ["ocr"])
    monkeypatch.setattr(rewriter, "_detect", lambda files, *_: ((name, beside) for name in files))
    arguments = ["-i", tmp_path / "in", "-o", tmp_path / "out", "--report", tmp_path / "report.json", "-t", "1"]
    assert rewriter.main([str(a) for a in arguments]) == rewriter.INCOMPLETE
    told = capsys.readouterr()
    assert told.out == "1 of 1 files written, 1 boxes masked\n"
    assert told.err == "1 written, but text is still found after masking\n"
    [outcome] = json.loads((tmp_path / "report.json").read_text())["files"].values()
    assert (outcome["outcome"], outcome["residue"]) == ("residue", 3)


def test_an_empty_or_missing_input_is_not_success(tmp_path):
    (tmp_path / "in").mkdir()
    assert run("-i", tmp_path / "in", "-o", tmp_path / "out").returncode == 1
    missing = run("-i", tmp_path / "none", "-o", tmp_path / "out")
    assert (missing.returncode, missing.stderr) == (2, "Cannot work: there is no such input\n")


@pytest.mark.parametrize("arguments", [["-c", "101"], ["-c", "x"], ["-t", "0"], ["--unknown"]])
def test_wrong_arguments(arguments):
    assert run("-i", "a", "-o", "b", *arguments).returncode == 2


def test_it_imports_nothing_that_the_image_lacks():
    code = (
        "import sys, airlock.pixels.rewriter, airlock.pixels.worker, airlock.pixels.detect, airlock.pixels.rewrite, "
        "airlock.pixels.engine\n"
        "print([m for m in ('pydantic', 'sqlalchemy', 'yaml', 'click', 'rich', 'airlock.transfer')"
        " if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=worker_environment(), check=False, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_detect_command(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRLOCK_WORKERS", "1")
    [cine] = ultrasound_cine(tmp_path / "in", Patient(), 2, text_frames=[1], **SMALL)
    state = presentation_state(tmp_path / "in", Patient(), cine)
    done = airlock("detect", tmp_path / "in", "--json")
    assert done.status == 0, done.stderr
    by_file = {d["file"]: d for d in map(json.loads, done.stdout.splitlines())}
    assert by_file[str(state)] == {"file": str(state), "frames": []}
    first, second = by_file[str(cine)]["frames"]
    assert first == {"frame": 0, "boxes": []}
    assert len(second["boxes"]) == 3
    assert all(len(box) == 4 and box[0] < box[2] and box[1] < box[3] for box in second["boxes"])

    broken = tmp_path / "broken.dcm"
    broken.write_bytes(cine.read_bytes()[:-5000])
    done = airlock("detect", broken)
    assert done.status == 3
    assert "FJELDSTAD" not in (done.stdout + done.stderr).upper()


def test_a_frame_after_text_is_left_as_it_is(tmp_path):
    """The room at the ends of a line reaches out of what has changed when the line goes; it must go with it."""
    [cine] = ultrasound_cine(tmp_path, Patient.invent(1001), 3, text_frames=[1], **SMALL)
    assert [n for n, found in examine(StoredImage(cine), load_engine(), 20) if found] == [1]


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_text_is_found_however_the_picture_is_turned(tmp_path, quarter_turns):
    capture = dcmread(secondary_capture(tmp_path, Patient()))
    turned = np.rot90(capture.pixel_array, quarter_turns)
    capture.Rows, capture.Columns = turned.shape[:2]
    capture.PixelData = turned.tobytes()
    capture.save_as(tmp_path / "turned.dcm")
    [(_, found)] = examine(StoredImage(tmp_path / "turned.dcm"), load_engine(), 20)
    masked = np.zeros(turned.shape[:2], bool)
    for x0, y0, x1, y1 in (f.box for f in found):
        masked[y0:y1, x0:x1] = True
    letters = turned.max(axis=2) > 180
    assert letters.sum() > 1000
    assert masked[letters].all()
    assert masked.mean() < 0.15


def test_rewrite_command_is_the_program(tmp_path):
    done = airlock("rewrite", "-i", tmp_path / "none", "-o", tmp_path / "out")
    assert done.status == 2
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "text.dcm").write_text("hello")
    assert airlock("rewrite", "-i", tmp_path / "in", "-o", tmp_path / "out").status == 3
    assert "rewritepixel" in airlock("rewrite", "--help").stdout


def test_preview_shows_both_sides(tmp_path):
    [before] = ultrasound_cine(tmp_path, Patient(), 2, rows=100, columns=160, photometric="PALETTE COLOR")
    write_preview(before, before, 1, tmp_path / "preview.png")
    picture = Image.open(tmp_path / "preview.png")
    assert picture.width > 2 * 160
    assert picture.height > 100


def test_a_worker_that_dies_costs_one_file(tmp_path):
    """The first task makes its process end; the second is done by the next process."""
    [cine] = ultrasound_cine(tmp_path, Patient(), 1, rows=64, columns=64)
    box = {"0": [[2, 2, 9, 9]]}
    with WorkerPool(1) as workers:
        workers.submit({"do": "rewrite", "name": "dies", "source": None, "boxes": 1, "folder": "x" * 10})
        workers.submit({"name": "no task"})
        workers.submit(
            {"do": "rewrite", "name": "lives", "source": str(cine), "folder": str(tmp_path / "o"), "boxes": box}
        )
        answers = {task["name"]: answer for task, answer in workers.results()}
    assert "held" in answers["dies"]
    assert "held" in answers["no task"]
    assert "ok" in answers["lives"]


def children_of(parent: int) -> set[int]:
    return {int(pid) for path in Path(f"/proc/{parent}/task").glob("*/children") for pid in path.read_text().split()}


@pytest.fixture(params=[True, False], ids=["forked", "fresh"])
def forked(request, monkeypatch):
    """Workers of either kind, whatever other tests have left in this process."""
    monkeypatch.setattr(pool, "_may_fork", lambda: request.param)
    return request.param


def is_fork(pid: int) -> bool:
    """Whether a child runs this very program; a fresh interpreter has a command line of its own."""
    return Path(f"/proc/{pid}/cmdline").read_bytes() == Path("/proc/self/cmdline").read_bytes()


def test_a_signal_to_all_processes_of_a_service_costs_no_file(tmp_path, forked):
    """The scheduler is ended: its tasks get the signal, and so do their workers. Nothing is held for that."""
    before = children_of(os.getpid())
    cines = [ultrasound_cine(tmp_path / str(n), Patient.invent(n), 1, rows=64, columns=64)[0] for n in (1, 2)]
    task = {"do": "rewrite", "folder": str(tmp_path / "o"), "boxes": {"0": [[2, 2, 9, 9]]}}
    with WorkerPool(1) as workers:
        workers.submit({**task, "name": "before", "source": str(cines[0])})
        assert ["ok" in answer for _, answer in workers.results()] == [True]
        [worker] = children_of(os.getpid()) - before
        assert is_fork(worker) == forked
        # Nothing of what its parent has open is open there, so that nobody waits for it to be closed.
        assert len({str(path.readlink()) for path in Path(f"/proc/{worker}/fd").iterdir()} - {os.devnull}) == 2
        assert os.getpgid(worker) != os.getpgid(0)
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(worker, number)
        workers.submit({**task, "name": "after", "source": str(cines[1])})
        assert ["ok" in answer for _, answer in workers.results()] == [True]
        assert Path(f"/proc/{worker}").exists()


def test_a_killed_worker_is_replaced(tmp_path, forked):
    [cine] = ultrasound_cine(tmp_path, Patient(), 1, rows=64, columns=64)
    pipe = tmp_path / "pipe.dcm"
    os.mkfifo(pipe)  # opening it for reading waits for ever
    task = {"do": "rewrite", "source": str(cine), "folder": str(tmp_path / "o"), "boxes": {"0": [[2, 2, 9, 9]]}}
    with WorkerPool(1, patience_seconds=6) as workers:  # the next process has this long to start
        workers.submit({**task, "name": "hangs", "source": str(pipe)})
        workers.submit({**task, "name": "lives"})
        answers = {t["name"]: answer for t, answer in workers.results()}
    assert "nothing was heard" in answers["hangs"]["held"]
    assert "ok" in answers["lives"]


def test_a_forked_worker_ends_with_its_parent(tmp_path):
    """However the parent ends: killed, it can tell nobody."""
    code = (
        "import os, sys, time\n"
        "from airlock.pixels.pool import WorkerPool\n"
        # As Airflow does in its tasks: streams of their own, which close their descriptor at their end.
        "sys.stdin, sys.stdout = os.fdopen(0), os.fdopen(1, 'w')\n"
        "pool = WorkerPool(1).__enter__()\n"
        "pool.submit({'name': 'no task'})\n"
        "[(_, answer)] = pool.results()\n"
        "print(answer['held'], file=sys.stderr, flush=True)\n"
        "print(open(f'/proc/self/task/{os.getpid()}/children').read(), flush=True)\n"
        "time.sleep(60)\n"
    )
    command = [sys.executable, "-c", code]
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, env=worker_environment(), text=True, **streams) as parent:
        assert parent.stderr.readline() == "unexpected KeyError\n"
        [worker] = map(int, parent.stdout.readline().split())
        command_line = Path(f"/proc/{worker}/cmdline").read_bytes()
        parent.kill()
        # The pipe of the output is at its end when neither has it open.
        assert parent.stdout.read() == ""
    assert code.encode() in command_line
    deadline = time.monotonic() + 10
    while _runs(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(worker)


def test_forks_have_the_engine_that_was_loaded_before_them(tmp_path):
    """As Airflow's tasks have it of the scheduler, which nothing else keeps from being forked."""
    [cine] = ultrasound_cine(tmp_path, Patient.invent(9), 1, **SMALL)
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from airlock.pixels.engine import RapidOcrEngine, load_before_forks\n"
        "from airlock.pixels.survey import Search, survey\n"
        "assert load_before_forks()\n"
        "RapidOcrEngine.__init__ = None\n"
        "[(_, examined)] = survey({'a': Path(sys.argv[1])}, Search(), 1)\n"
        "print(len(examined.found), examined.problem)\n"
    )
    command = [sys.executable, "-c", code, str(cine)]
    # Threads of linear algebra are not the detector's, but would be counted if they came with it.
    environment = {**worker_environment(), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=60)
    assert done.stdout == "3 None\n", done.stderr


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except FileNotFoundError:
        return False
