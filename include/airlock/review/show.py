"""What the review page shows: instances in order, their rectangles and why they are there. No original UID is in it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from airlock.findings import RESIDUE_FILE, Findings, InstanceFindings
from airlock.ledger import Ledger
from airlock.review.asked import OPTIONS, REASONS, Asked
from airlock.review.corrections import Correction, Corrections, held_before
from airlock.review.pictures import Picture, picture_of
from airlock.workspace import Workspace


def shown(workspace: Workspace) -> dict[str, Any]:
    """Return the latest question of a transfer, as plain values.

    Rectangles are `[x0, y0, x1, y1, source, confidence, matches_identifier]`, by frame number from 0.
    """
    asked = Asked.load(workspace)
    if asked is None or not workspace.complete("findings"):
        return {"gate": "", "options": [], "reasons": [], "counts": {}, "instances": [], "digest": ""}
    findings = Findings.load(workspace).instances
    residue_path = workspace.folder("rewritten") / RESIDUE_FILE
    residue = Findings.read(residue_path).instances if residue_path.exists() else {}
    saved, held = Corrections.load(workspace), held_before(workspace)
    pictures = {name: picture for name in asked.instances if (picture := picture_of(workspace, name))}
    series = {uid: number for number, uid in enumerate(sorted({p.series for p in pictures.values()}), start=1)}
    order = sorted(pictures, key=lambda name: (series[pictures[name].series], pictures[name].order, name))
    instances = [
        {
            **_picture(name, pictures[name], series[pictures[name].series]),
            "doubts": asked.doubts.get(name, []),
            "masked": (workspace.folder("rewritten") / f"{name}.dcm").is_file(),
            "boxes": _boxes(findings.get(name)),
            "residue": _boxes(residue.get(name)),
            "held": name in held,
            "saved": _saved(saved.instances.get(name)),
        }
        for name in order
    ]
    return {
        "gate": asked.gate,
        "options": OPTIONS[asked.gate],
        "reasons": list(REASONS),
        "counts": asked.counts,
        "instances": instances,
        "digest": saved.digest,
    }


def asked_at(ledger: Ledger, transfer_id: str) -> datetime | None:
    """Return when the latest question was asked; None when none was."""
    times = [at for at, step, kind, _ in ledger.events(transfer_id) if (step, kind) == ("review", "asked")]
    return times[-1] if times else None


def _picture(name: str, picture: Picture, series: int) -> dict[str, Any]:
    size = {"rows": picture.rows, "columns": picture.columns, "frames": picture.frames}
    return {"id": name, "series": series, "modality": picture.modality, **size}


def _boxes(found: InstanceFindings | None) -> dict[int, list[list[Any]]]:
    if found is None:
        return {}
    detail = {(f.frame, f.box): [f.source, round(f.confidence), f.matches_identifier] for f in found.found}
    return {
        number: [[*box, *detail.get((number, box), ["ocr", 100, False])] for box in boxes]
        for number, boxes in found.frames.items()
    }


def _saved(correction: Correction | None) -> dict[str, Any] | None:
    return None if correction is None else asdict(correction)
