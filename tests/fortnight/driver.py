"""Lets the cases live: asks for the next while some are under way, and resumes each when what it waits for is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import monotonic, sleep

import requests

from tests.fortnight.lives import Condition, life
from tests.fortnight.scenario import Case, early_half
from tests.fortnight.weather import Weather
from tests.fortnight.world import World

PAUSE_SECONDS = 0.5
STUCK_SECONDS = 300.0
TELL_SECONDS = 10.0


class Stuck(Exception):
    """Nothing ended any more, or it took too long; the message names what is under way."""


@dataclass
class Driver:
    """Runs the two weeks.

    :param at_a_time: cases that are under way at most.
    :param seconds: in which all must be over.
    :param calm: without outages and restarts.
    """

    world: World
    cases: list[Case]
    at_a_time: int
    seconds: float
    calm: bool = False
    begun: float = 0.0
    ended: float = 0.0
    died: int = 0
    waiting: dict[int, tuple[Iterator[Condition], Condition]] = field(default_factory=dict)

    def run(self) -> None:
        """Run until every case is over, and REDCap was told of each.

        :raises Stuck: when that does not come.
        """
        weather = Weather(self.world, self.cases)
        self.begun = moved = told = monotonic()
        coming = list(enumerate(self.cases))
        while coming or self.waiting or not (self.calm or weather.over) or self._owed():
            self._see_to_the_scheduler()
            if self._resume():
                moved = monotonic()
            while coming and len(self.waiting) < self.at_a_time and self._may_come(coming[0][1]):
                self._ask(*coming.pop(0))
            passed = sum(case.done for case in self.cases) / len(self.cases)
            under_way = [self.cases[index] for index in self.waiting]
            if self.calm:
                weather.close_when_due()
            else:
                weather.look(passed, under_way)
            if monotonic() - told > TELL_SECONDS:
                told = monotonic()
                self._tell(passed, under_way)
            if monotonic() - moved > STUCK_SECONDS or monotonic() - self.begun > self.seconds:
                names = "; ".join(f"{case.name} ({case.transfer_id})" for case in under_way)
                raise Stuck(f"not over after {monotonic() - self.begun:.0f} s: {names or 'REDCap is owed statuses'}")
            sleep(PAUSE_SECONDS)
        self.ended = monotonic()

    def _see_to_the_scheduler(self) -> None:
        """Start a scheduler again that has ended by itself, as a service manager would, and remember that it had."""
        if self.world.stack.services.pid("scheduler") is None:
            self.died += 1
            self.world.say("    the scheduler has ended by itself")
            self.world.stack.airflow.start_components("scheduler")

    def _may_come(self, case: Case) -> bool:
        """Whether it can be asked for now: what comes after the end of an approval waits for that."""
        if case.door == "redcap" and self.world.sandbox is None:
            return False
        return case.twist != "closing" or self.world.closed or case in early_half(self.cases)

    def _ask(self, index: int, case: Case) -> None:
        self._go_on(index, life(self.world, case))

    def _go_on(self, index: int, steps: Iterator[Condition]) -> None:
        try:
            condition = next(steps)
        except StopIteration:
            self.cases[index].done = True
            self.waiting.pop(index, None)
        else:
            self.waiting[index] = (steps, condition)

    def _resume(self) -> int:
        """Let those go on whose time has come; return how many."""
        snapshot, resumed = self.world.transfers(), 0
        for index, (steps, condition) in list(self.waiting.items()):
            if self.world.sandbox is None and self.cases[index].door == "redcap":
                continue
            if condition(snapshot):
                self._go_on(index, steps)
                resumed += 1
        return resumed

    def _owed(self) -> bool:
        """Whether REDCap waits for a status, the drop folder for a look, or a run for its end."""
        if self.world.query("SELECT 1 FROM statuses WHERE delivered_at IS NULL LIMIT 1"):
            return True
        if any(self.world.settings.drop_folder.iterdir()):
            return True
        parameters = {"state": ["running", "queued"], "limit": 1}
        try:
            runs = self.world.stack.airflow.api("GET", "dags/transfer/dagRuns", params=parameters).json()
        except requests.RequestException:
            return True
        return bool(runs["total_entries"])

    def _tell(self, passed: float, under_way: list[Case]) -> None:
        states = Counter(state for state, _ in self.world.transfers().values())
        told = ", ".join(f"{count} {state}" for state, count in states.most_common())
        self.world.say(f"{monotonic() - self.begun:5.0f} s  {passed:4.0%} over, {len(under_way)} under way: {told}")
