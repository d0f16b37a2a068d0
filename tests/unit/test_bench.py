"""The benchmark's arithmetic, and that it fails on errors only."""

from __future__ import annotations

import sys

import pytest
from click.testing import CliRunner

from bench import __main__ as bench
from bench.measure import BenchError, Comparison, Contender, Run, compare, run
from bench.peers import Peer, missing
from bench.result import Figure, Measured, Skipped


def test_ratios_are_medians_of_pairs():
    ours = [Run(1, 1), Run(2, 1), Run(10, 2)]
    theirs = [Run(3, 2), Run(1, 2), Run(20, 1)]
    compared = Comparison("peer", ours, theirs)
    assert compared.wall_ratios == [3, 0.5, 2]
    assert compared.wall_ratio == 2
    assert compared.cpu_ratio == 2


def test_turns_change_and_the_first_runs_do_not_count():
    order = []

    def contender(name: str) -> Contender:
        return Contender(name, lambda: order.append(name) or Run(float(len(order)), 1.0))

    compared = compare(contender("a"), contender("b"), 3)
    assert order == ["a", "b", *"ab", *"ba", *"ab"]
    assert [r.wall_seconds for r in compared.ours] == [3, 6, 7]
    assert [r.wall_seconds for r in compared.theirs] == [4, 5, 8]


def test_a_process_is_measured():
    busy = "import time; e = time.process_time() + 0.2\nwhile time.process_time() < e: pass\nprint('done')"
    measured = run([sys.executable, "-c", busy], {})
    assert measured.output == "done\n"
    assert 0.2 <= measured.cpu_seconds < 5
    assert measured.wall_seconds >= 0.2
    idle = run([sys.executable, "-c", "import time; time.sleep(0.3)"], {})
    assert idle.wall_seconds >= 0.3
    assert idle.cpu_seconds < idle.wall_seconds


@pytest.mark.parametrize("command", [[sys.executable, "-c", "raise SystemExit('no')"], ["no-such-program"]])
def test_a_failure_is_an_error(command):
    with pytest.raises(BenchError):
        run(command, {})


def test_a_missing_peer_is_named_with_its_package():
    assert "no-such-program not installed: apt-get install some-package" in missing(
        Peer("no-such-program", "some-package")
    )
    assert missing(Peer("cp", "coreutils")) is None


def test_programs_of_our_own_environment_are_no_peers(tmp_path, monkeypatch):
    for folder in ("own", "other"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "storescu").write_text("#!/bin/sh\n")
        (tmp_path / folder / "storescu").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "own" / "python"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'own'}:{tmp_path / 'other'}")
    assert Peer("storescu", "dcmtk").path == str(tmp_path / "other" / "storescu")


def test_slowness_is_no_failure_but_an_error_is(monkeypatch):
    slow = Measured("work", Comparison("peer", [Run(100, 100)], [Run(1, 1)]))
    results = [slow, Figure("frames", 1.0, 1.0, "1.0 frames/s"), Skipped("work", "other", "not installed")]
    monkeypatch.setattr(bench, "CASES", {"fine": lambda *_: iter(results)})
    done = CliRunner().invoke(bench.main, ["--quick"])
    assert done.exit_code == 0
    assert "0.01 (0.01-0.01)" in done.output
    assert "not installed" in done.output

    def fails(*_):
        yield slow
        raise BenchError("broken")

    monkeypatch.setattr(bench, "CASES", {"broken": fails, "fine": lambda *_: iter(results)})
    done = CliRunner().invoke(bench.main, [])
    assert done.exit_code == 1
    assert "broken failed" in done.output
    assert "1.0 frames/s" in done.output, "the other cases are measured all the same"
