"""Look again: whether the text detector still finds something in frames that were masked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from airlock.findings import InstanceFindings, found_from_json
from airlock.pixels.harvest import header_words
from airlock.pixels.pool import Task, WorkerPool
from airlock.transfer import Transfer


def find_residue(
    transfer: Transfer, outputs: dict[str, Path], flagged: dict[str, InstanceFindings]
) -> dict[str, InstanceFindings]:
    """Return what is found in changed frames, by instance id; only instances in which something is.

    :raises DetectorUnavailable: when there is no detector; nothing is published without it.
    """
    residue: dict[str, InstanceFindings] = {}
    with WorkerPool(min(transfer.settings.workers, max(len(outputs), 1))) as pool:
        for instance_id, path in sorted(outputs.items()):
            task: Task = {"do": "residue", "name": instance_id, "path": str(path)}
            task["frames"], task["known"] = sorted(flagged[instance_id].frames), sorted(header_words(path))
            task["safe_words"] = sorted(word.upper() for word in transfer.policy.pixels.safe_words)
            pool.submit({**task, "confidence": transfer.policy.pixels.confidence})
        for task, answer in pool.results():
            if "held" in answer:
                residue[task["name"]] = InstanceFindings(reasons=["not examined again"])
                continue
            found = [replace(found_from_json(entry), source="residue") for entry in answer["ok"]["found"]]
            if found:
                frames = {f.frame: [g.box for g in found if g.frame == f.frame] for f in found}
                residue[task["name"]] = InstanceFindings(frames, ["residue"], {}, found)
    return residue
