"""What goes wrong outside of Airlock, by how much of the two weeks has passed."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from time import monotonic

from tests.fortnight.scenario import CLOSING, Case, early_half
from tests.fortnight.world import World

OUTAGE_SECONDS = 12.0


@dataclass
class Weather:
    """Trouble, in order.

    :param cases: every case, asked for or not.
    """

    world: World
    cases: list[Case]
    log: list[str] = field(default_factory=list)
    _next: int = 0
    _over: tuple[float, Callable[[], None]] | None = None

    def look(self, passed: float, waiting: Collection[Case]) -> None:
        """Do what is due.

        :param passed: share of the requests that have ended.
        :param waiting: cases that are under way.
        """
        if self._over is not None:
            if monotonic() < self._over[0]:
                return
            self._over[1]()
            self._over = None
        if self._next < len(PLAN) and passed >= PLAN[self._next][0]:
            _, name, *arguments = PLAN[self._next]
            self._next += 1
            self.log.append(" ".join([name, *map(str, arguments)]))
            self.world.say(f"    weather: {self.log[-1]}")
            getattr(self, name)(*arguments, waiting=waiting)
        self.close_when_due()

    def close_when_due(self) -> None:
        """Let the approval of a project end, once all is over that it was asked for before."""
        if not self.world.closed and all(case.done for case in early_half(self.cases)):
            self.world.close_project(CLOSING)
            self.world.closed = True

    @property
    def over(self) -> bool:
        """Whether everything has happened."""
        return self._next == len(PLAN) and self._over is None

    def redcap_fault(self, fault: str, waiting: Collection[Case]) -> None:
        """Let every call of REDCap's API go wrong for a while."""
        assert self.world.sandbox is not None
        self.world.sandbox.fail_next(fault, 1000)
        self._until(self.world.sandbox.heal)

    def redcap_restart(self, waiting: Collection[Case]) -> None:
        """Let REDCap be away for a while."""
        self.world.close_redcap()
        self._until(self.world.open_redcap)

    def redcap_locks(self, waiting: Collection[Case]) -> None:
        """Let somebody lock the records that are under way."""
        assert self.world.sandbox is not None
        self.world.sandbox.lock(*(str(case.patient.study_uid) for case in waiting))
        self._until(self.world.sandbox.lock)

    def scheduler(self, how: str, waiting: Collection[Case]) -> None:
        """End the scheduler, and start it again."""
        self.world.restart_scheduler(kill=how == "killed")

    def _until(self, end: Callable[[], None]) -> None:
        self._over = (monotonic() + OUTAGE_SECONDS, end)


PLAN: list[tuple[float, str] | tuple[float, str, str]] = [
    (0.05, "redcap_fault", "500"),
    (0.10, "redcap_fault", "html"),
    (0.20, "scheduler", "ended"),
    (0.25, "redcap_fault", "zero"),
    (0.30, "redcap_restart"),
    (0.40, "redcap_fault", "429"),
    (0.45, "scheduler", "killed"),
    (0.55, "redcap_locks"),
    (0.60, "redcap_fault", "lost"),
    (0.65, "redcap_restart"),
    (0.70, "scheduler", "ended"),
    (0.80, "redcap_fault", "garbage"),
]
