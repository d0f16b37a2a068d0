"""`python -m demo run|up|down`: what `make demo`, `make up` and `make down` do.

`python -m demo airflow ...` runs Airflow's own command line on this installation.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from time import monotonic

from rich.console import Console

from airlock.ledger import Ledger, TransferSummary
from airlock.settings import Settings
from airlock.transfer import open_ledger
from demo import result, scene
from demo.airflow import USER, AirflowNotReady
from demo.reviewer import Reviewer
from demo.scene import Case
from demo.stack import ROOT, Stack
from demo.watch import TookTooLong, Watch

console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 110)


def main() -> int:
    """Run one command; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("command", choices=["run", "up", "down", "airflow"])
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="of airflow")
    given = parser.parse_args()
    command = given.command
    home = Path(os.environ.get("AIRLOCK_HOME") or ROOT / "var").absolute()
    stack = Stack(home)
    if command == "airflow":
        line = [sys.executable, "-m", "airflow", *given.arguments]
        return subprocess.run(line, env=stack.airflow.environment, cwd=ROOT, check=False).returncode
    if command == "down":
        stopped = stack.stop()
        console.print(f"Stopped: {', '.join(stopped)}." if stopped else "Nothing was running.")
        return 0
    try:
        stack.prepare_rewriter(console.print)
        stack.start(console.print)
        if command == "up":
            _say_where(stack)
            return 0
        return run(stack)
    except (AirflowNotReady, TookTooLong) as error:
        console.print(f"[red]{error}[/]", markup=True)
        console.print("Stop everything with: make down")
        return 1


def run(stack: Stack) -> int:
    """Carry the four transfers; return 0 only if each ended as intended."""
    begun = monotonic()
    settings = Settings(home=stack.home)
    ledger = open_ledger(settings)
    stack.empty_pacs("research", console.print)
    cases = scene.prepare(stack, _next_number(stack), console.print)
    stack.start_gate()
    ids = {case.id(stack): case for case in cases}
    reviewer = Reviewer(stack.airflow, console.print)
    names = {i: case.request.transfer_name for i, case in ids.items()}
    watch = Watch(stack.airflow, names, console.print, reviewer)
    for case in cases:
        scene.drop(stack, case)
    console.print(f"Four request files dropped into {settings.drop_folder}\n")
    watch.until(ids)
    for transfer_id, case in ids.items():
        if case.restart:
            console.print(f"\n{case.request.transfer_name}: clearing {case.restart}, as *Clear* in the UI does\n")
            stack.airflow.clear(transfer_id, case.restart)
            watch.until([transfer_id], states=("running", "queued"), seconds=30)
            watch.until([transfer_id])
    return _show(stack, ledger, ids, reviewer.sheets, monotonic() - begun)


def _show(stack: Stack, ledger: Ledger, ids: dict[str, Case], sheets: dict[str, bytes], seconds: float) -> int:
    rows = [(case, summary) for i, case in ids.items() if (summary := ledger.find(i)) is not None]
    console.print()
    result.table(console, rows)
    studies = {i: path.split("/")[0] for i in ids for path in [_first_path(ledger, i)] if path}
    folder = result.fetch(stack, list(ids.values()), studies)
    for transfer_id, sheet in sheets.items():
        (folder / f"{ids[transfer_id].request.transfer_name}-review.png").write_bytes(sheet)
    wrong = [case for case, summary in rows if not _as_intended(case, summary)]
    wrong += [case for i, case in ids.items() if case.reviewed and i not in sheets]
    console.print(f"\nAll this took {seconds:.0f} s.")
    console.print(f"De-identified files, fetched back from the research PACS: {folder}")
    for picture in sorted(folder.glob("*-after.png")):
        console.print(f"A masked frame, before and after: {picture}")
    for picture in sorted(folder.glob("*-review.png")):
        console.print(f"What the reviewer saw, and what was masked: {picture}")
    _say_where(stack)
    for case in wrong:
        console.print(f"[red]Not as intended:[/] {case.title} (should be {case.state})")
    return 1 if wrong or len(rows) != len(ids) else 0


def _as_intended(case: Case, summary: TransferSummary) -> bool:
    c = summary.counts
    whole = c.received == c.sent + c.skipped + c.held
    return summary.state is case.state and whole and (c.boxes > 0) == case.boxes


def _first_path(ledger: Ledger, transfer_id: str) -> str | None:
    return next((i.path for i in ledger.instances(transfer_id) if i.path), None)


def _next_number(stack: Stack) -> int:
    """Return the number of this demonstration; its requests are told from earlier ones by it."""
    path = stack.home / "demo.json"
    number = json.loads(path.read_text())["runs"] + 1 if path.exists() else 1
    path.write_text(json.dumps({"runs": number}))
    return int(number)


def _say_where(stack: Stack) -> None:
    console.print(
        f"Airflow: {stack.airflow.url}  user [bold]{USER}[/]  password [bold]{stack.airflow.state['password']}[/]"
    )
    console.print(f"Drop request files into {Settings(home=stack.home).drop_folder}")
    console.print("Stop everything with: make down")


if __name__ == "__main__":
    sys.exit(main())
