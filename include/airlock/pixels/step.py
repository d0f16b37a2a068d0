"""The steps of the chain that deal with burned-in text: detection, and the two halves around the rewriter container.

Detection is here, the rewriter's halves are in `airlock.pixels.job`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from airlock.dicomio.progress import Progress
from airlock.findings import DISAGREEMENT_REASON, FILE_NAME, Findings, InstanceFindings
from airlock.ledger import InstanceState, InstanceUpdate
from airlock.pixels.harvest import header_words
from airlock.pixels.job import RewriteJob, finish_rewrite, prepare_rewrite, run_locally
from airlock.pixels.rules import DECLARED
from airlock.pixels.survey import Examined, Search, examined_from_json, survey
from airlock.screened import read_not_rewritten
from airlock.transfer import Transfer
from airlock.workspace import link_or_copy

__all__ = ["RewriteJob", "detect_burned_in_text", "finish_rewrite", "prepare_rewrite", "run_locally"]

PROGRESS_FILE = "examined.jsonl"

HARVESTED = 32
"""Headers, spread over the study, whose identifiers are looked for in every picture besides those of its own header."""


def detect_burned_in_text(transfer: Transfer, progress: Progress | None = None) -> int:
    """Examine every received instance; write the findings and link the flagged files.

    A try that was killed is continued: what it had examined is not examined again.

    :param progress: told after each instance.
    :return: number of instances to rewrite.
    :raises DetectorUnavailable: when there is no detector; nothing goes on without it.
    """
    workspace = transfer.workspace
    if not workspace.complete("findings"):
        with workspace.writing("findings") as folder:
            _examine_all(transfer, folder, progress).write(folder / FILE_NAME)
            (folder / PROGRESS_FILE).unlink(missing_ok=True)
    findings = Findings.load(workspace)
    if findings.instances and not workspace.complete("flagged"):
        with workspace.writing("flagged") as folder:
            for instance_id in findings.instances:
                link_or_copy(workspace.folder("incoming") / f"{instance_id}.dcm", folder / f"{instance_id}.dcm")
            shutil.copyfile(workspace.folder("findings") / FILE_NAME, folder / FILE_NAME)
    return len(findings.instances)


def _examine_all(transfer: Transfer, folder: Path, progress: Progress | None) -> Findings:
    incoming = transfer.workspace.folder("incoming")
    ids = [i.id for i in transfer.ledger.instances(transfer.id, InstanceState.RECEIVED)]
    log = folder / PROGRESS_FILE
    search = _search(transfer, incoming, ids)
    settings_line = json.dumps({"version": 2, "confidence": search.confidence, "safe": sorted(search.safe_words)})
    known = _read_progress(log, settings_line)
    results = {i: known[i] for i in ids if i in known}
    files = {i: incoming / f"{i}.dcm" for i in ids if i not in results}
    if not known:
        log.write_text(settings_line + "\n")
    with log.open("a") as stream:
        for instance_id, examined in survey(files, search, transfer.settings.workers):
            stream.write(json.dumps({"id": instance_id, **asdict(examined)}) + "\n")
            stream.flush()
            results[instance_id] = examined
            if progress:
                progress(len(results), len(ids))
    return _conclude(transfer, results)


def _search(transfer: Transfer, incoming: Path, ids: list[str]) -> Search:
    """Return how to search; known places and what headers of the whole study know are part of it."""
    locations = transfer.settings.pixel_locations
    step = max(len(ids) // HARVESTED, 1)
    known: set[str] = set()
    for instance_id in ids[::step]:
        known |= header_words(incoming / f"{instance_id}.dcm")
    policy = transfer.policy.pixels
    safe_words = frozenset(word.upper() for word in policy.safe_words)
    return Search(policy.confidence, frozenset(known), locations, safe_words)


def _read_progress(log: Path, settings_line: str) -> dict[str, Examined]:
    """Read what an earlier try examined; nothing when it worked with other settings. A torn last line is left out."""
    with suppress(FileNotFoundError):
        first, *lines = log.read_text().splitlines() or [""]
        if first == settings_line:
            return dict(_parse_progress(lines))
    return {}


def _parse_progress(lines: list[str]) -> Iterator[tuple[str, Examined]]:
    for line in lines:
        with suppress(json.JSONDecodeError):
            entry = json.loads(line)
            yield entry["id"], examined_from_json(entry)


def _conclude(transfer: Transfer, results: dict[str, Examined]) -> Findings:
    """Decide what becomes of each examined instance, and tell the ledger."""
    excluded = read_not_rewritten(transfer.workspace)
    flagged: dict[str, InstanceFindings] = {}
    left, updates = [], []
    for instance_id, examined in sorted(results.items()):
        rewrite = transfer.policy.pixels.rewrite and instance_id not in excluded
        reason = _hold_reason(examined, rewrite)
        if reason:
            updates.append(InstanceUpdate(instance_id, InstanceState.HELD, reason))
        elif not rewrite and (examined.flagged or DECLARED in examined.reasons):
            left.append(instance_id)
        elif examined.flagged:
            sources = sorted({found.source for found in examined.found} | ({"overlay"} if examined.overlays else set()))
            reasons = [*examined.reasons, *sources]
            flagged[instance_id] = InstanceFindings(examined.frames, reasons, examined.overlays, examined.found)
            updates.append(InstanceUpdate(instance_id, boxes=flagged[instance_id].boxes))
    examined_count = sum(1 for e in results.values() if e.total and not e.problem)
    transfer.ledger.record(transfer.id, updates)
    transfer.ledger.event(
        transfer.id,
        "detect",
        "examined",
        instances=examined_count,
        flagged=len(flagged),
        boxes=sum(f.boxes for f in flagged.values()),
        held=sum(1 for u in updates if u.state is InstanceState.HELD),
        not_rewritten=len(left),
    )
    return Findings(examined_count, flagged, left)


def _hold_reason(examined: Examined, rewrite: bool) -> str | None:
    if examined.problem:
        return f"Its pixels could not be examined: {examined.problem}. Look at the original."
    if rewrite and DECLARED in examined.reasons and not examined.flagged:
        return DISAGREEMENT_REASON
    return None
