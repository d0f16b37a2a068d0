"""Runs whole processes in pairs and compares them."""

from __future__ import annotations

import resource
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

PATIENCE_SECONDS = 900.0


class BenchError(Exception):
    """A program failed, or didn't do what was measured. Being slow is no error."""


@dataclass(frozen=True)
class Run:
    """One process from start to end.

    :param wall_seconds: by the clock.
    :param cpu_seconds: user and system time of the process and of the children that it waited for.
    :param output: what it wrote to standard output.
    """

    wall_seconds: float
    cpu_seconds: float
    output: str = ""


@dataclass(frozen=True)
class Contender:
    """A program that does the work.

    :param once: does it once from scratch, checks the result and returns the figures.
    """

    name: str
    once: Callable[[], Run]


@dataclass(frozen=True)
class Comparison:
    """Runs of Airlock and of a peer; those at the same place of the lists followed each other."""

    peer: str
    ours: Sequence[Run]
    theirs: Sequence[Run]

    @property
    def wall_ratios(self) -> list[float]:
        """Time of the peer by that of Airlock, pair by pair: above 1, Airlock is faster."""
        return [b.wall_seconds / a.wall_seconds for a, b in zip(self.ours, self.theirs, strict=True)]

    @property
    def wall_ratio(self) -> float:
        """Median of :attr:`wall_ratios`."""
        return median(self.wall_ratios)

    @property
    def cpu_ratio(self) -> float:
        """Median of the same for processor time: above 1, Airlock computes less."""
        return median(b.cpu_seconds / a.cpu_seconds for a, b in zip(self.ours, self.theirs, strict=True))


def run(command: Sequence[str], environment: Mapping[str, str]) -> Run:
    """Run a program to its end. One at a time: processor time is counted over all children that ended meanwhile.

    :raises BenchError: when it fails or doesn't end.
    """
    before = _children_cpu_seconds()
    started = time.perf_counter()
    try:
        result = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env=dict(environment),
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    except OSError as error:
        raise BenchError(f"{command[0]} could not be started: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise BenchError(f"{command[0]} did not end within {PATIENCE_SECONDS:.0f} s") from None
    wall = time.perf_counter() - started
    if result.returncode:
        last_words = (result.stderr or result.stdout).strip()[-500:]
        raise BenchError(f"{' '.join(command)} ended with {result.returncode}: {last_words}")
    return Run(wall, _children_cpu_seconds() - before, result.stdout)


def compare(ours: Contender, peer: Contender, pairs: int) -> Comparison:
    """Run Airlock and a peer in turns, once unmeasured, and change who begins with every pair."""
    ours.once()
    peer.once()
    us: list[Run] = []
    them: list[Run] = []
    for number in range(pairs):
        turns = [(ours, us), (peer, them)]
        for contender, runs in turns if number % 2 == 0 else reversed(turns):
            runs.append(contender.once())
    return Comparison(peer.name, us, them)


def _children_cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
