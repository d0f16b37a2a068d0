"""How fast it was: transfers per minute, and where the time of a transfer went."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from contextlib import closing
from statistics import median
from typing import TYPE_CHECKING

from tests.fortnight.world import World

if TYPE_CHECKING:
    from tests.fortnight.driver import Driver

STATEMENT = """SELECT dag_id, task_id, julianday(start_date) * 86400, julianday(end_date) * 86400,
julianday(queued_dttm) * 86400, julianday(scheduled_dttm) * 86400 FROM task_instance
WHERE start_date IS NOT NULL AND end_date IS NOT NULL AND state IN ('success', 'failed', 'skipped')"""


def speed(world: World, driver: Driver) -> str:
    """Return a table of tasks: how many, their median seconds of waiting and of work."""
    attempts = sum(attempt for _, attempt in world.transfers().values())
    seconds = max(0.0, driver.ended - driver.begun)
    lines = [f"{attempts} transfers in {seconds:.0f} s: {seconds / max(1, attempts):.1f} s each"]
    tasks: dict[tuple[str, str], list[tuple[float, float, float]]] = defaultdict(list)
    for dag, task, start, end, queued, scheduled in _tasks(world):
        at = queued or start
        tasks[dag, task].append((at - (scheduled or at), start - at, end - start))
    lines.append(f"{sum(map(len, tasks.values()))} tasks; median seconds scheduled, queued, running; sum of running:")
    for (dag, task), rows in sorted(tasks.items(), key=lambda item: -sum(row[2] for row in item[1])):
        waited, queued_, ran = (median(row[index] for row in rows) for index in range(3))
        total = sum(row[2] for row in rows)
        lines.append(f"  {dag:<12} {task:<24} {len(rows):5} {waited:6.2f} {queued_:6.2f} {ran:6.2f} {total:8.1f}")
    return "\n".join(lines)


def _tasks(world: World) -> list[tuple[str, str, float, float, float | None, float | None]]:
    path = world.home / "airflow" / "airflow.db"
    if not path.exists():
        return []
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as database:
        return database.execute(STATEMENT).fetchall()
