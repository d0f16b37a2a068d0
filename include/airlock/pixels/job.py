"""RewriteJob: one try of the rewriter program, in the container or on this machine, and the check of its output."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from airlock.dicomio.header import read_header
from airlock.errors import InstanceNotUnderstood, PixelsNotCleaned
from airlock.findings import FILE_NAME, RESIDUE_FILE, RESIDUE_REASON, Findings, InstanceFindings
from airlock.ledger import InstanceState, InstanceUpdate
from airlock.pixels.pool import WorkerPool, worker_environment
from airlock.pixels.residue import find_residue
from airlock.transfer import Transfer
from airlock.workspace import link_or_copy

REPORT_FILE = "report.json"


@dataclass(frozen=True)
class RewriteJob:
    """One try of the rewriter program.

    :param input: folder of the flagged files and their findings; becomes `/input`, read-only.
    :param output: empty folder for its output; becomes `/output`.
    :param arguments: command line inside the container.
    :param local_arguments: the same with the real paths.
    """

    input: Path
    output: Path
    arguments: list[str]
    local_arguments: list[str]
    timeout_seconds: float


def prepare_rewrite(transfer: Transfer, attempt: int) -> RewriteJob | None:
    """Make ready what the rewriter program needs; None when there is nothing (more) to rewrite.

    :param attempt: number of the try. Its output folder is new; those of earlier tries are removed.
    """
    workspace = transfer.workspace
    if workspace.complete("rewritten") or not Findings.load(workspace).instances:
        return None
    for leftover in workspace.root.glob("rewritten.try-*"):
        shutil.rmtree(leftover)
    output = workspace.root / f"rewritten.try-{attempt}"
    output.mkdir(mode=0o700)
    source = workspace.folder("flagged")
    workers = transfer.settings.workers
    return RewriteJob(
        input=source,
        output=output,
        arguments=_command_line(Path("/input"), Path("/output"), workers),
        local_arguments=_command_line(source, output, workers),
        timeout_seconds=60.0 * transfer.settings.rewriter_timeout_minutes,
    )


def _command_line(source: Path, output: Path, workers: int) -> list[str]:
    pairs = [
        ("--input", source),
        ("--output", output),
        ("--findings", source / FILE_NAME),
        ("--report", output / REPORT_FILE),
        ("--numthreads", workers),
    ]
    return [str(part) for pair in pairs for part in pair]


def run_locally(job: RewriteJob) -> None:
    """Run the rewriter program as a process of this machine.

    :raises PixelsNotCleaned: when it fails or takes too long.
    """
    command = [sys.executable, "-m", "airlock.pixels.rewriter", *job.local_arguments]
    try:
        done = subprocess.run(
            command, env=worker_environment(), capture_output=True, timeout=job.timeout_seconds, check=False
        )
    except subprocess.TimeoutExpired:
        raise PixelsNotCleaned(
            f"The pixel rewriter was stopped after {job.timeout_seconds / 60:.0f} minutes. "
            "Raise AIRLOCK_REWRITER_TIMEOUT_MINUTES and clear the task."
        ) from None
    if done.returncode != 0:
        raise PixelsNotCleaned(
            f"The pixel rewriter ended with exit code {done.returncode}. {_failures(job)} "
            "Nothing was passed on. Look at these instances, then clear the task."
        )


def _failures(job: RewriteJob) -> str:
    """Ids and reasons of the program's own report, as far as it wrote one."""
    try:
        files = json.loads((job.output / REPORT_FILE).read_text())["files"]
        failed = {i: f for i, f in files.items() if f["outcome"] != "rewritten"}
        return "; ".join(f"{i}: {f['outcome']} {f['reason']}".strip() for i, f in sorted(failed.items())[:20]) + "."
    except (OSError, ValueError, KeyError):
        return "It wrote no report."


def finish_rewrite(transfer: Transfer, job: RewriteJob) -> int:
    """Check the rewriter's output and publish it. What the program said of itself is not relied on.

    :return: number of boxes masked.
    :raises PixelsNotCleaned: naming the instances whose output is missing or is not what it must be.
    """
    workspace = transfer.workspace
    flagged = Findings.load(workspace).instances
    if not workspace.complete("rewritten"):
        outputs, problems = _match_outputs(workspace.folder("flagged"), job.output, set(flagged))
        if not problems:
            problems = _compare(workspace.folder("flagged"), outputs, flagged, transfer.settings.workers)
        if problems:
            listed = "; ".join(f"{i}: {reason}" for i, reason in sorted(problems.items())[:20])
            raise PixelsNotCleaned(
                f"The pixels of {len(problems)} of {len(flagged)} instances are not shown to be clean. {listed}. "
                "Nothing was passed on. Clear the rewrite task to try again, or look at these instances."
            )
        residue = find_residue(transfer, outputs, flagged)
        with workspace.writing("rewritten") as folder:
            for instance_id, path in outputs.items():
                link_or_copy(path, folder / f"{instance_id}.dcm")
            if residue:
                Findings(len(outputs), residue).write(folder / RESIDUE_FILE)
        boxes = {i: found.boxes for i, found in flagged.items()}
        updates = [InstanceUpdate(i, boxes=count) for i, count in boxes.items()]
        updates += [InstanceUpdate(i, InstanceState.HELD, RESIDUE_REASON) for i in sorted(residue)]
        transfer.ledger.record(transfer.id, updates)
        counts = {"instances": len(boxes), "boxes": sum(boxes.values()), "residue": len(residue)}
        transfer.ledger.event(transfer.id, "rewrite", "rewritten", **counts)
    shutil.rmtree(job.output, ignore_errors=True)
    return sum(found.boxes for found in flagged.values())


def _match_outputs(flagged: Path, output: Path, ids: set[str]) -> tuple[dict[str, Path], dict[str, str]]:
    """Find each instance's output by its SOPInstanceUID; every file must be exactly one instance's."""
    by_uid = {_instance_uid(flagged / f"{i}.dcm"): i for i in ids}
    outputs: dict[str, Path] = {}
    problems: dict[str, str] = {}
    for number, path in enumerate(sorted(output.rglob("*.dcm"))):
        try:
            if path.is_symlink():
                raise InstanceNotUnderstood("the output is a link")
            instance_id = by_uid[_instance_uid(path)]
        except (InstanceNotUnderstood, KeyError):
            problems[f"output file {number}"] = "cannot be read or belongs to no instance"
            continue
        if instance_id in outputs:
            problems[instance_id] = "it has more than one output"
        outputs[instance_id] = path
    return outputs, problems | dict.fromkeys(ids - outputs.keys() - problems.keys(), "it has no output")


def _instance_uid(path: Path) -> str:
    uid = read_header(path)["sop_instance_uid"]
    if not uid:
        raise InstanceNotUnderstood("the file has no SOPInstanceUID")
    return uid


def _compare(
    flagged: Path, outputs: dict[str, Path], findings: dict[str, InstanceFindings], workers: int
) -> dict[str, str]:
    problems = {}
    with WorkerPool(min(workers, len(outputs))) as pool:
        for instance_id, after in outputs.items():
            task = {"do": "check", "name": instance_id, "before": str(flagged / f"{instance_id}.dcm")}
            found = findings[instance_id]
            pool.submit({**task, "after": str(after), "boxes": found.frames, "overlays": found.overlays})
        for task, answer in pool.results():
            if "held" in answer:
                problems[task["name"]] = answer["held"]
    return problems
