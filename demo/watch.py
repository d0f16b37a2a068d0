"""Follows transfers through Airflow's REST API, task by task."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import monotonic, sleep

from demo.airflow import Airflow

ENDED = ("success", "failed")
SHOWN = {
    "success": "done",
    "failed": "FAILED",
    "skipped": "skipped",
    "up_for_retry": "will be tried again",
    "awaiting_input": "waits for a person",
}
OVERTAKING_SECONDS = 1.5
"""Airflow 3.3 loses an answer that comes before its executor has reported that the task waits."""

ASKED_AGAIN_SECONDS = 10.0
"""A task that still waits so long after an answer waits for another one."""


class TookTooLong(Exception):
    """A transfer did not end in time."""


@dataclass
class Watch:
    """Prints each task of some runs as it ends.

    :param names: what to call each run, by run id.
    :param say: prints one line.
    :param answer: told the run and the task that waits for a person.
    """

    airflow: Airflow
    names: dict[str, str]
    say: Callable[[str], None]
    answer: Callable[[str, str], None] | None = None
    begun: float = field(default_factory=monotonic)
    _seen: dict[tuple[str, str, int], str] = field(default_factory=dict)
    _asked: dict[tuple[str, str], float] = field(default_factory=dict)

    def until(self, run_ids: Iterable[str], states: tuple[str, ...] = ENDED, seconds: float = 600.0) -> dict[str, str]:
        """Wait until every run is in one of the states; return the state of each.

        :raises TookTooLong: naming the run and its unfinished tasks.
        """
        waiting, ended = dict.fromkeys(run_ids), {}
        end = monotonic() + seconds
        while waiting:
            for run_id in list(waiting):
                state = self._look(run_id)
                if state in states:
                    ended[run_id] = state
                    del waiting[run_id]
            if monotonic() > end:
                names = ", ".join(self.names.get(run_id, run_id) for run_id in waiting)
                raise TookTooLong(f"Not ended after {seconds:.0f} s: {names}. See {self.airflow.url}/dags/transfer")
            sleep(0.5)
        return ended

    def _look(self, run_id: str) -> str | None:
        run = self.airflow.run_of(run_id)
        if run is None:
            return None
        for task_id, task in self.airflow.tasks_of(run_id).items():
            key, state = (run_id, task_id, task["try_number"]), task["state"]
            if state == "awaiting_input" and self.answer:
                self._ask(run_id, task_id)
            if (
                state in SHOWN
                and self._seen.get(key) != state
                and not (task_id == "report_failure" and state == "skipped")
            ):
                self._seen[key] = state
                name = self.names.get(run_id, run_id)
                self.say(f"[{monotonic() - self.begun:5.1f} s] {name:<14} {task_id:<22} {SHOWN[state]}")
        return str(run["state"])

    def _ask(self, run_id: str, task_id: str) -> None:
        since = self._asked.setdefault((run_id, task_id), monotonic())
        if self.answer and monotonic() - since > OVERTAKING_SECONDS:
            self._asked[run_id, task_id] = monotonic() + ASKED_AGAIN_SECONDS
            self.answer(run_id, task_id)
