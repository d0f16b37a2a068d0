"""What a transfer's report says was masked, as pictures before and after, for those who may answer reviews.

The pictures are made of the workspace's files when somebody looks, and are kept nowhere. The ledger notes who looked.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, StrictUndefined

from airlock.errors import InstanceNotUnderstood
from airlock.findings import Box, Findings
from airlock.ledger import TransferState, TransferSummary
from airlock.quiet import guarded
from airlock.review.pictures import picture_of
from airlock.settings import load_settings
from airlock.transfer import open_ledger
from airlock.workspace import Workspace
from airlock_provider.pages.pictures import png_of
from airlock_provider.pages.review import may_answer, workspace_known

AT_ONCE = 12
"""Frames on one page: each is decoded twice."""

router = APIRouter(prefix="/api/transfers/{transfer_id}/pictures", dependencies=[may_answer])


@dataclass(frozen=True)
class MaskedFrame:
    """One frame with areas that were, or will be, masked.

    :param boxes: left, top, width and height of each area, in percent of the frame.
    :param masked: whether there is a masked version yet.
    """

    instance: str
    frame: int
    boxes: list[tuple[float, float, float, float]]
    masked: bool


@router.get("", response_class=HTMLResponse)
def page(transfer_id: str, user: GetUserDep, start: Annotated[int, Query(ge=0)] = 0) -> str:
    """Return the page; its pictures are fetched one by one."""
    workspace, ledger = workspace_known(transfer_id), open_ledger(load_settings())
    summary = ledger.find(transfer_id)
    assert summary is not None
    with guarded():
        frames, overlays = masked_frames(workspace)
    facts: dict[str, Any] = {"transfer": transfer_id, "start": start, "total": len(frames), "at_once": AT_ONCE}
    facts |= {"frames": frames[start : start + AT_ONCE], "overlays": overlays, "instead": ""}
    if not frames:
        facts["instead"] = why_none(summary, workspace)
    elif start == 0:
        ledger.event(transfer_id, "report", "pictures seen", by=user.get_name(), count=len(frames))
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = Path(__file__).with_name("masked.html").read_text("utf-8")
    return environment.from_string(template).render(facts)


@router.get("/{instance_id}/{frame}.png")
def picture(transfer_id: str, instance_id: str, frame: int, which: Literal["before", "after"] = "before") -> Response:
    """Return one frame, small; caches must not keep it."""
    workspace = workspace_known(transfer_id)
    with guarded():
        findings = _findings(workspace)
    if frame not in (findings.instances[instance_id].frames if instance_id in findings.instances else {}):
        raise HTTPException(404, "Nothing was masked in such a frame.")
    original = workspace.folder("incoming") / f"{instance_id}.dcm"
    path = original if which == "before" else workspace.folder("rewritten") / original.name
    try:
        content = png_of(original, path, frame, small=True)
    except (InstanceNotUnderstood, OSError):
        raise HTTPException(404, "There is no such picture, or it cannot be decoded.") from None
    return Response(content, media_type="image/png", headers={"Cache-Control": "no-store"})


def masked_frames(workspace: Workspace) -> tuple[list[MaskedFrame], int]:
    """Return the frames with masked areas, and how many areas lie in overlay planes, which no picture shows."""
    frames, overlays = [], 0
    for name, found in sorted(_findings(workspace).instances.items()):
        known = picture_of(workspace, name)
        overlays += found.boxes - sum(len(boxes) for boxes in found.frames.values())
        if known is None:
            continue
        masked = (workspace.folder("rewritten") / f"{name}.dcm").is_file()
        for number, boxes in sorted(found.frames.items()):
            drawn = [_percent(box, known.columns, known.rows) for box in boxes]
            frames.append(MaskedFrame(name, number, drawn, masked))
    return frames, overlays


def why_none(summary: TransferSummary, workspace: Workspace) -> str:
    """Say why there is nothing to show."""
    if summary.counts.boxes and not workspace.complete("incoming"):
        kept = f"{load_settings().keep_failed_days:g} days (AIRLOCK_KEEP_FAILED_DAYS)"
        reasons = {
            TransferState.SENT: "originals are removed as soon as a transfer is sent",
            TransferState.EMPTY: "originals are removed as soon as a transfer ends with nothing to send",
            TransferState.WITHDRAWN: "a transfer that is withdrawn takes its originals along",
            TransferState.CANCELLED: "a transfer that is cancelled takes its originals along",
        }
        why = reasons.get(summary.state, f"originals of a transfer that was not sent are kept {kept}")
        return f"Areas that were masked: {summary.counts.boxes}. They cannot be shown any more: {why}."
    if summary.counts.boxes:
        return "Areas were masked in overlays only, or in files that cannot be read; there is no picture of them."
    return "Nothing was masked in this transfer."


def _findings(workspace: Workspace) -> Findings:
    return Findings.load(workspace) if workspace.complete("findings") else Findings()


def _percent(box: Box, columns: int, rows: int) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = box
    sides = (x0 / columns, y0 / rows, (x1 - x0) / columns, (y1 - y0) / rows)
    return (round(100 * sides[0], 2), round(100 * sides[1], 2), round(100 * sides[2], 2), round(100 * sides[3], 2))
