"""Seen working: every kind of pixels through the DAG with the real container, and containers that fail.

    python -m tests.seen FOLDER [kinds] [review] [faults]

starts an installation of its own, carries one study of all kinds, compares what the research PACS has with the
originals, and writes contact sheets into the folder, for a person to look at; lets the demonstration's reviewer decide
about a cine; lets the container run out of memory, hang, and end well without a file. It needs Docker, Orthanc and
DCMTK. It is no test of the suite: it takes minutes. Run again with the same folder, it goes on where it was stopped.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import requests
from PIL import Image, ImageDraw
from pydicom import dcmread

from airlock.ledger import InstanceState, TransferState
from airlock.pixels.colours import displayable
from airlock.pixels.decode import StoredImage
from airlock.pixels.overlays import read_planes
from airlock.request import TransferRequest
from demo.phantoms import Patient
from demo.reviewer import Reviewer
from demo.stack import Stack
from demo.watch import Watch
from tests.e2e.conftest import Installation, wait_until
from tests.seen_pictures import PICTURES, TEXT_ROWS

GOOD, OURS = "airlock/pixel-rewriter:latest", "airlock/pixel-rewriter:seen"
FAULTS = {
    "hanging": ["/bin/sleep", "900"],
    "out of memory": ["/opt/rewriter/bin/python", "-c", "bytes(1) * (1 << 33) + bytes(1)"],
    "exit 0, no file": ["/bin/true"],
}
Shown = npt.NDArray[np.uint8]


@dataclass
class Seen:
    """What became of one picture."""

    name: str
    outcome: str
    good: bool


def shown(path: Path, number: int, window: Path) -> Shown:
    """One frame as a person sees it, with its overlays, as RGB; grey values in the window of another file."""
    image, other = StoredImage(path), StoredImage(window)
    values = displayable(next(image.read([number])), image.pixels)
    if values.ndim == 2:
        low, high = np.percentile(displayable(next(other.read([number])), other.pixels), (1, 99.5))
        values = np.clip((values - low) / max(high - low, 1) * 255, 0, 255)
        values = 255 - values if image.dataset.PhotometricInterpretation == "MONOCHROME1" else values
        values = np.repeat(values[..., None], 3, axis=2)
    picture = np.ascontiguousarray(values).astype(np.uint8)
    if (0x6000, 0x3000) in image.dataset:
        picture[read_planes(image.dataset, 0x6000)[0] > 0] = (255, 255, 0)
    return picture


def compare(name: str, before: Path, after: Path, marked: list[int]) -> Seen:
    """Compare all frames: only marked ones may differ, and only where text was drawn."""
    old, new = StoredImage(before), StoredImage(after)
    changed, wrong = [], []
    if old.frames != new.frames:
        return Seen(name, f"{new.frames} of {old.frames} frames", False)
    for number in range(old.frames):
        first, second = (displayable(next(i.read([number])), i.pixels) for i in (old, new))
        differs = first != second if first.ndim == 2 else (first != second).any(axis=2)
        if differs.any():
            changed.append(number)
            wrong += [number] if differs[TEXT_ROWS:].any() else []
    as_meant = changed == marked and not wrong
    return Seen(name, f"frames changed: {changed} of {old.frames}; other pixels equal: {not wrong}", as_meant)


def sheet(name: str, before: Path, after: Path | None, frames: list[int]) -> Image.Image:
    """Frames before (above) and after (below), with a title."""
    rows = [[Image.fromarray(shown(path, number, before)) for number in frames] for path in (before, after) if path]
    width = sum(picture.width + 8 for picture in rows[0])
    heights = [max(picture.height for picture in row) + 8 for row in rows]
    result = Image.new("RGB", (max(width, 200), sum(heights) + 18), (40, 44, 50))
    ImageDraw.Draw(result).text((4, 3), f"{name}: before, after", fill=(240, 240, 240))
    y = 18
    for row, height in zip(rows, heights, strict=True):
        x = 4
        for picture in row:
            result.paste(picture, (x, y))
            x += picture.width + 8
        y += height
    return result


def begin(installation: Installation, request: TransferRequest) -> str:
    """Request a transfer; one that was stopped goes on."""
    run = installation.id(request)
    known = installation.airflow.run_of(run)
    if known is None:
        return installation.drop(request)
    stopped = [t for t, task in installation.airflow.tasks_of(run).items() if task["state"] == "failed"]
    if stopped:
        installation.airflow.clear(run, *stopped)
    return run


def rewritten_in(installation: Installation, transfer_id: str) -> str:
    """Return where the rewriter ran, by the ledger."""
    events = installation.ledger.events(transfer_id)
    started = [detail for _, step, kind, detail in events if (step, kind) == ("rewrite_pixels", "started")]
    return started[-1]["where"] if started else "nowhere"


def stored(installation: Installation, transfer_id: str, folder: Path) -> dict[int, Path]:
    """Fetch the study from the research PACS as it stored it, by series number."""
    base = f"http://127.0.0.1:{installation.stack.state['research_http']}"
    session = requests.Session()
    session.trust_env = False
    query = {"Level": "Instance", "Query": {"StudyInstanceUID": installation.mapped_study(transfer_id)}}
    result = {}
    for name in session.post(f"{base}/tools/find", json=query, timeout=30).json():
        path = folder / f"{name}.dcm"
        path.write_bytes(session.get(f"{base}/instances/{name}/file", timeout=30).content)
        result[int(dcmread(path, stop_before_pixels=True).SeriesNumber)] = path
    return result


def kinds(installation: Installation, folder: Path) -> list[Seen]:
    """Carry one study of all kinds; write the contact sheets."""
    patient = Patient.invent(1001)
    installation.patients.append(patient)
    originals = {picture: picture.make(folder / "in" / str(n), patient) for n, picture in enumerate(PICTURES)}
    study = installation.put_into_raw(list(originals.values()))
    transfer_id = begin(installation, installation.request(study))
    installation.wait(transfer_id)
    summary, after = installation.find(transfer_id), stored(installation, transfer_id, folder)
    where = rewritten_in(installation, transfer_id)
    held = [i.reason for i in installation.ledger.instances(transfer_id) if i.state is InstanceState.HELD]
    print(f"Transfer {summary.state}, {summary.counts}, rewritten in {where}; held: {held}")
    good = summary.state is TransferState.SENT and where == "docker"
    seen = [Seen("the transfer", f"{summary.state}, {where}", good)]
    for picture, before in originals.items():
        target = after.get(int(dcmread(before, stop_before_pixels=True).SeriesNumber))
        if picture.held or target is None:
            seen.append(Seen(picture.name, "held" if target is None else "sent", picture.held and target is None))
            continue
        seen.append(compare(picture.name, before, target, picture.marked))
        if (0x6000, 0x3000) in dcmread(before, stop_before_pixels=True):
            seen[-1].good = (0x6000, 0x3000) not in dcmread(target) or not read_planes(dcmread(target), 0x6000).any()
        frames = sorted({*picture.marked[:1], *picture.also}) or [0]
        sheet(picture.name, before, target, frames).save(folder / f"{picture.name.replace(' ', '-')}.png")
    return seen


def review(installation: Installation, folder: Path) -> list[Seen]:
    """Let the demonstration's reviewer decide about a small cine, at both gates."""
    patient = Patient.invent(1002)
    installation.patients.append(patient)
    cine = PICTURES[6].make(folder / "in" / "review", patient)
    study = installation.put_into_raw([cine])
    run = begin(installation, installation.request(study, "demo-reviewed"))
    reviewer = Reviewer(installation.airflow, print)
    Watch(installation.airflow, {run: "review"}, print, reviewer).until([run], seconds=300)
    for content in reviewer.sheets.values():
        (folder / "review.png").write_bytes(content)
    answers = [d["answer"] for _, _, kind, d in installation.ledger.events(run) if kind == "answered"]
    [after] = stored(installation, run, folder).values()
    drawn = [displayable(f, StoredImage(after).pixels)[122:148, 202:238] for f in StoredImage(after).read()]
    masked = all(part.max() == 0 for part in drawn) and len(drawn) == 3
    return [Seen("review", f"{answers}; drawn, and masked in all frames: {masked}", masked and len(answers) == 2)]


def faults(installation: Installation, folder: Path) -> list[Seen]:
    """Let the container fail in each way; each transfer must stop and say so, and send nothing."""
    runs = {}
    for name, entrypoint in FAULTS.items():
        context = folder / name.replace(" ", "-")
        context.mkdir()
        lines = [f"FROM {GOOD}", f"ENTRYPOINT {json.dumps(entrypoint)}", "CMD []"]
        (context / "Dockerfile").write_text("\n".join(lines))
        subprocess.run(["docker", "build", "-q", "--network", "none", "-t", OURS, str(context)], check=True)
        patient = installation.patient()
        picture = PICTURES[1].make(folder / f"in-{context.name}", patient)
        runs[name] = installation.drop(installation.request(installation.put_into_raw([picture])))
        wait_until(lambda run=runs[name]: _rewriting(installation, run), seconds=120)
        if name != "hanging":
            installation.wait(runs[name])
    return [_stopped(installation, name, run) for name, run in runs.items()]


def _rewriting(installation: Installation, run: str) -> bool:
    if installation.airflow.run_of(run) is None:
        return False
    state = installation.airflow.tasks_of(run)["rewrite_pixels"]["state"]
    running = subprocess.run(
        ["docker", "ps", "-q", "--filter", f"label=airlock.transfer={run}"], capture_output=True, text=True, check=True
    )
    return bool(running.stdout) or state in ("failed", "success", "up_for_retry")


def _stopped(installation: Installation, name: str, run: str) -> Seen:
    state = installation.wait(run)[run]
    summary = installation.find(run)
    left = subprocess.run(
        ["docker", "ps", "-aq", "--filter", f"label=airlock.transfer={run}"], capture_output=True, text=True, check=True
    ).stdout.split()
    good = state == "failed" and summary.counts.sent == 0 and not left
    return Seen(name, f"run {state}, {summary.state}: {summary.message} ({len(left)} containers left)", good)


def main() -> int:
    """Run everything; return 0 when all is as meant."""
    folder = Path(sys.argv[1]).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    parts = [part for part in (kinds, review, faults) if part.__name__ in sys.argv[2:]] or [kinds, review, faults]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # stops the installation below
    subprocess.run(["docker", "tag", GOOD, OURS], check=True)
    settings = {"AIRLOCK_REWRITER": "docker", "AIRLOCK_REWRITER_IMAGE": OURS, "AIRLOCK_REWRITER_TIMEOUT_MINUTES": "1"}
    settings |= {"AIRLOCK_RETRIES": "0", "AIRLOCK_STUDY_IDLE_SECONDS": "1", "AIRLOCK_SETTLE_SECONDS": "1"}
    stack = Stack(folder / "home", settings, airflow_port=0)
    seen: list[Seen] = []
    try:
        stack.start(print)
        installation = Installation(stack, [Patient.invent(900)])
        for part in parts:
            found = part(installation, folder)
            seen += found
            for one in found:
                print(f"{'good ' if one.good else 'WRONG'} {one.name}: {one.outcome}", flush=True)
    finally:
        stack.stop()
    return 0 if all(one.good for one in seen) else 1


if __name__ == "__main__":
    sys.exit(main())
