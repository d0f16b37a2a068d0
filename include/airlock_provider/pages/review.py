"""The review page: pictures that a person must decide about, rectangles drawn into them, and the answer.

Originals show what is burned in, so that whoever may not answer may not see them either. The answer itself is given to
Airflow's own API with the user's session.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import APIRouter, Depends, HTTPException
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from airlock.errors import InstanceNotUnderstood, InvalidRequest, NotPossibleNow
from airlock.ledger import TransferState
from airlock.quiet import guarded
from airlock.review.asked import Asked
from airlock.review.corrections import Correction, Corrections
from airlock.review.pictures import picture_of
from airlock.review.proposal import propose_location
from airlock.review.show import asked_at, shown
from airlock.settings import load_settings
from airlock.transfer import open_ledger, workspace_of
from airlock.workspace import Workspace
from airlock_provider.pages.pictures import png_of

STATIC = Path(__file__).parent / "static"
NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
MOST_BOXES = 500
"""Rectangles in one frame; more are a mistake."""

may_answer = Depends(requires_access_dag("PUT", DagAccessEntity.HITL_DETAIL, param_dag_id="transfer"))
may_propose = Depends(requires_access_dag("POST", DagAccessEntity.HITL_DETAIL, param_dag_id="transfer"))

SETTLED = timedelta(seconds=3)
"""A question is shown when it is this old: an answer that overtakes the executor's report of the task that asked is
lost, and the person would be asked again."""

router = APIRouter()
Side = Annotated[int, Field(ge=0, le=65535)]
DrawnBox = tuple[Side, Side, Side, Side]


class DrawnInstance(BaseModel):
    """What the page sends of one instance: all rectangles of the frames that were changed."""

    model_config = ConfigDict(extra="forbid")

    frames: dict[int, Annotated[list[DrawnBox], Field(max_length=MOST_BOXES)]] = Field(default_factory=dict)
    hold: bool = False


class Drawn(BaseModel):
    """What the page sends."""

    model_config = ConfigDict(extra="forbid")

    instances: dict[str, DrawnInstance]


class Proposal(BaseModel):
    """Rectangles of one instance that shall be masked in every picture like it."""

    model_config = ConfigDict(extra="forbid")

    instance: str
    boxes: Annotated[list[DrawnBox], Field(min_length=1, max_length=MOST_BOXES)]


@router.get("/review/{transfer_id}", response_class=HTMLResponse)
def page(transfer_id: str) -> str:
    """Return the page; it is the same for every transfer."""
    return (STATIC / "review.html").read_text("utf-8")


@router.get("/api/review/{transfer_id}")
def question(transfer_id: str, user: GetUserDep) -> dict[str, Any]:
    """Return what is asked about a transfer: instances, their rectangles, and who may answer. No pictures."""
    from airflow.api_fastapi.app import get_auth_manager

    workspace = workspace_known(transfer_id)
    ledger = open_ledger(load_settings())
    summary = ledger.find(transfer_id)
    assert summary is not None
    asked = asked_at(ledger, transfer_id)
    waiting = summary.state is TransferState.REVIEW and asked is not None and datetime.now(UTC) - asked >= SETTLED
    allowed = get_auth_manager().is_authorized_dag(
        method="PUT", access_entity=DagAccessEntity.HITL_DETAIL, details=DagDetails(id="transfer"), user=user
    )
    facts = {"transfer": transfer_id, "run": summary.run_id, "state": summary.state.value, "waiting": waiting}
    with guarded():
        return {**facts, "may_answer": allowed, "asked_at": asked and asked.isoformat(), **shown(workspace)}


@router.get("/api/review/{transfer_id}/{instance_id}/{frame}.png", dependencies=[may_answer])
def picture(
    transfer_id: str,
    instance_id: str,
    frame: int,
    which: Literal["original", "masked"] = "original",
    small: bool = False,
) -> Response:
    """Return one frame; caches must not keep it."""
    workspace = workspace_known(transfer_id)
    _check_shown(workspace, instance_id)
    original = workspace.folder("incoming") / f"{instance_id}.dcm"
    path = original if which == "original" else workspace.folder("rewritten") / original.name
    try:
        content = png_of(original, path, frame, small=small)
    except (InstanceNotUnderstood, OSError):
        raise HTTPException(404, "There is no such picture, or it cannot be decoded.") from None
    return Response(content, media_type="image/png", headers={"Cache-Control": "no-store"})


@router.put("/api/review/{transfer_id}/rectangles", dependencies=[may_answer])
def save(transfer_id: str, drawn: Drawn, user: GetUserDep) -> dict[str, str]:
    """Keep what was drawn until the answer; return the digest that the answer names."""
    workspace = workspace_known(transfer_id)
    _check_waiting(transfer_id)
    instances = {name: _correction(workspace, name, entry) for name, entry in drawn.instances.items()}
    return {"digest": Corrections(str(user.get_id()), instances).save(workspace)}


@router.post("/api/review/{transfer_id}/proposals", dependencies=[may_propose], status_code=201)
def propose(transfer_id: str, proposal: Proposal, user: GetUserDep) -> dict[str, str]:
    """Write a proposal for the location library; return the name of its file below `AIRLOCK_HOME`."""
    workspace = workspace_known(transfer_id)
    _correction(workspace, proposal.instance, DrawnInstance(frames={0: proposal.boxes}))
    known = picture_of(workspace, proposal.instance)
    assert known is not None
    home = load_settings().home.absolute()
    return {"file": str(propose_location(home, known, list(proposal.boxes), str(user.get_id())).relative_to(home))}


def workspace_known(transfer_id: str) -> Workspace:
    """Return the workspace of a transfer that the ledger knows."""
    settings = load_settings()
    if not NAME.fullmatch(transfer_id) or open_ledger(settings).find(transfer_id) is None:
        raise HTTPException(404, "The ledger knows no such transfer.")
    return workspace_of(transfer_id, settings)


def _check_waiting(transfer_id: str) -> None:
    summary = open_ledger(load_settings()).find(transfer_id)
    if summary is None or summary.state is not TransferState.REVIEW:
        raise NotPossibleNow("This transfer waits for nobody's answer. Load the page again.")


def _check_shown(workspace: Workspace, instance_id: str) -> None:
    asked = Asked.load(workspace)
    if asked is None or instance_id not in asked.instances:
        raise HTTPException(404, "Nobody was asked about such an instance.")


def _correction(workspace: Workspace, instance_id: str, drawn: DrawnInstance) -> Correction:
    """Check what was drawn against the image."""
    _check_shown(workspace, instance_id)
    known = picture_of(workspace, instance_id)
    if known is None:
        raise InvalidRequest("This instance has no picture to draw into.")
    for number, boxes in drawn.frames.items():
        if not 0 <= number < known.frames:
            raise InvalidRequest("The image has no such frame.")
        if not all(x0 < x1 <= known.columns and y0 < y1 <= known.rows for x0, y0, x1, y1 in boxes):
            raise InvalidRequest("A rectangle is empty, or reaches beyond the image.")
    return Correction({number: list(boxes) for number, boxes in drawn.frames.items()}, drawn.hold)
