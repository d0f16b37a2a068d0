"""Merge what a reviewer drew into what was found, and make the folders before the rewrite fit it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from airlock.findings import FILE_NAME, Findings, Found, InstanceFindings
from airlock.review.corrections import Correction, Corrections, applied_before
from airlock.workspace import Workspace, link_or_copy

DETECTED = "detected.json"
"""In the folder of findings: what the detection step found, before a person changed it."""


@dataclass
class Change:
    """Numbers of what a reviewer changed.

    :param identifiers: of the removed rectangles, those that seemed to say something known of the patient.
    """

    drawn: int = 0
    removed: int = 0
    identifiers: int = 0
    held: int = 0


def merge(findings: Findings, corrections: Corrections) -> tuple[Findings, Change]:
    """Return findings with a reviewer's corrections; instances without any rectangle left are not in them."""
    instances, change = dict(findings.instances), Change()
    for name, correction in corrections.instances.items():
        change.held += correction.hold
        merged = _merge_instance(instances.pop(name, InstanceFindings()), correction, change)
        if merged.boxes or merged.overlays:
            instances[name] = merged
    return Findings(findings.examined, dict(sorted(instances.items())), findings.not_rewritten), change


def _merge_instance(found: InstanceFindings, correction: Correction, change: Change) -> InstanceFindings:
    frames = dict(found.frames)
    details = list(found.found)
    for number, boxes in correction.frames.items():
        before, wanted = set(frames.get(number, [])), set(boxes)
        removed = [f for f in details if f.frame == number and f.box not in wanted]
        change.drawn += len(wanted - before)
        change.removed += len(before - wanted)
        change.identifiers += sum(f.matches_identifier for f in removed)
        details = [f for f in details if f not in removed]
        details += [Found(number, box, "reviewer", 100.0) for box in sorted(wanted - before)]
        frames[number] = sorted(wanted)
    kept = {number: boxes for number, boxes in sorted(frames.items()) if boxes}
    return InstanceFindings(kept, sorted({*found.reasons, "reviewer"}), found.overlays, details)


def with_earlier_drawings(workspace: Workspace, findings: Findings) -> Findings | None:
    """Return new findings with all that reviewers drew before the detection was done anew; None when it was not.

    What the new detection found stays, even where a reviewer had removed a rectangle: a person may be asked again, but
    nothing that was masked once goes out unmasked.
    """
    earlier = applied_before(workspace)
    if not earlier or (workspace.folder("findings") / DETECTED).exists():
        return None
    for corrections in earlier:
        instances = {}
        for name, correction in corrections.instances.items():
            found = findings.instances.get(name, InstanceFindings()).frames
            frames = {n: sorted({*boxes, *found.get(n, [])}) for n, boxes in correction.frames.items()}
            instances[name] = Correction(frames, correction.hold)
        findings, _ = merge(findings, Corrections(corrections.person, instances))
    return findings


def publish(workspace: Workspace, findings: Findings) -> None:
    """Make `findings` what the next steps work on: the flagged files are linked anew, rewritten ones are removed.

    What the detector found stays beside it.
    """
    folder = workspace.folder("findings")
    if not (folder / DETECTED).exists():
        shutil.copyfile(folder / FILE_NAME, folder / DETECTED)
    findings.write(folder / FILE_NAME)
    workspace.remove("flagged", "rewritten")
    if not findings.instances:
        return
    with workspace.writing("flagged") as flagged:
        for name in findings.instances:
            link_or_copy(workspace.folder("incoming") / f"{name}.dcm", flagged / f"{name}.dcm")
        shutil.copyfile(folder / FILE_NAME, flagged / FILE_NAME)
