"""The transfers page: what is under way, what became of it, and the form for a new request.

Airflow doesn't authenticate the apps of plugins: every route here asks its auth manager. What the page changes in
Airflow itself (starting a run again) it does through Airflow's own API with the user's session.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import Body, Depends, FastAPI, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles

from airlock.errors import AirlockError, InvalidRequest, NotPossibleNow, PolicyError
from airlock.ledger import Asked, TransferState, TransferSummary
from airlock.project import load_policies
from airlock.report.audit import as_html, audit
from airlock.report.ending import outcome_line
from airlock.report.listing import listing
from airlock.report.withdrawal import take_back
from airlock.request.drop import ask
from airlock.settings import load_settings
from airlock.transfer import open_ledger
from airlock_provider.context import request_from_form
from airlock_provider.pages.masked import router as masked
from airlock_provider.pages.review import router as review

STATIC = Path(__file__).parent / "static"
# The audit page carries its own style and nothing else.
POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; frame-ancestors 'self'; form-action 'self'"

may_read = Depends(requires_access_dag("GET", param_dag_id="transfer"))
may_start = Depends(requires_access_dag("POST", DagAccessEntity.RUN, param_dag_id="transfer"))

app = FastAPI(title="Airlock", docs_url=None, redoc_url=None, openapi_url=None, dependencies=[may_read])
app.include_router(review)
app.include_router(masked)
app.mount("/static", StaticFiles(directory=STATIC), name="static")


@app.middleware("http")
async def protect(request: Request, call_next: Any) -> Response:
    """Keep answers out of caches and foreign frames, and other sites' forms out of here."""
    if request.method not in ("GET", "HEAD") and request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return JSONResponse({"detail": "Calls from other sites are refused."}, 403)
    response: Response = await call_next(request)
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    if not request.url.path.startswith(f"{request.scope.get('root_path', '')}/static"):
        response.headers["Cache-Control"] = "no-store"
    return response


@app.exception_handler(AirlockError)
def refuse(_request: Request, error: AirlockError) -> JSONResponse:
    """Tell the user what Airlock says; its messages hold no patient data."""
    return JSONResponse({"detail": str(error)}, 400 if isinstance(error, InvalidRequest) else 409)


@app.get("/", response_class=HTMLResponse)
def page() -> str:
    """Return the page."""
    return (STATIC / "transfers.html").read_text("utf-8")


@app.get("/api/transfers")
def transfers(
    project: str = "",
    state: TransferState | None = None,
    days: Annotated[float, Query(gt=0, le=36500)] = 7,
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> dict[str, Any]:
    """Return the transfers of the last days, the latest first, and how many there are in each state."""
    since = datetime.now(UTC) - timedelta(days=days)
    part = slice(offset, offset + limit)
    return listing(open_ledger(load_settings()), since, project, state, part, _overdue_now())


@app.get("/api/transfers/{transfer_id}")
def transfer(transfer_id: str) -> dict[str, Any]:
    """Return one transfer's audit, without its instances."""
    facts = _audit(transfer_id)
    facts["instances"] = len(facts["instances"])
    return facts


@app.get("/api/transfers/{transfer_id}/report", response_class=HTMLResponse)
def report(transfer_id: str) -> str:
    """Return one transfer's audit as a page, with a link to the pictures of what was masked."""
    return as_html(_audit(transfer_id), pictures="pictures")


@app.get("/api/me")
def me(user: GetUserDep) -> dict[str, Any]:
    """Return what the user may do here, and the projects there are."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails

    allowed = get_auth_manager().is_authorized_dag(
        method="POST", access_entity=DagAccessEntity.RUN, details=DagDetails(id="transfer"), user=user
    )
    try:
        projects = sorted(load_policies(load_settings().projects))
    except PolicyError:
        projects = []
    return {"may_start": allowed, "projects": projects}


@app.post("/api/requests", dependencies=[may_start], status_code=201)
def new_request(fields: dict[str, Any], user: GetUserDep) -> dict[str, str]:
    """Write a request file into the drop folder, as any other program would; return its transfer's id."""
    settings = load_settings()
    request = request_from_form(fields)
    if request.transfer_project_name not in load_policies(settings.projects):
        raise HTTPException(400, "There is no policy for this project. Choose one of the list.")
    return {"transfer": ask(request, settings, Asked("page", user.get_name()))}


@app.post("/api/transfers/{transfer_id}/cancel", dependencies=[may_start])
def cancel(transfer_id: str, user: GetUserDep) -> dict[str, str]:
    """Stop a transfer that waits or runs; the ledger keeps who asked."""
    open_ledger(load_settings()).ask_cancel(transfer_id, user.get_name())
    return {"transfer": transfer_id}


@app.post("/api/transfers/{transfer_id}/again", dependencies=[may_start])
def again(transfer_id: str, from_start: Annotated[bool, Body(embed=True)], user: GetUserDep) -> dict[str, str]:
    """Note who has an ended transfer done again, or go on; the page then clears its run with the user's rights."""
    ledger = open_ledger(load_settings())
    summary = ledger.find(transfer_id)
    if summary is None:
        raise HTTPException(404, "The ledger knows no such transfer.")
    if not summary.state.ended:
        raise NotPossibleNow(f"The transfer is {summary.state}. Let it end, or cancel it first.")
    ledger.event(transfer_id, "request", "again" if from_start else "go on", by=user.get_name())
    return {"transfer": transfer_id}


@app.post("/api/transfers/{transfer_id}/withdraw", dependencies=[may_start])
def withdraw(transfer_id: str, user: GetUserDep) -> dict[str, Any]:
    """Take back a transfer that has ended; return how many instances the research PACS must delete."""
    settings = load_settings()
    count, target = take_back(open_ledger(settings), settings, transfer_id, by=user.get_name())
    return {"transfer": transfer_id, "to_delete": count, "list": target.name}


def _overdue_now() -> Callable[[TransferSummary], bool]:
    """Return whether a transfer takes longer than its project allows."""
    try:
        policies = load_policies(load_settings().projects)
    except PolicyError:
        return lambda _: False
    now = datetime.now(UTC)
    return lambda summary: bool(
        (policy := policies.get(summary.project or "")) and policy.notify.is_overdue(summary, now)
    )


def _audit(transfer_id: str) -> dict[str, Any]:
    ledger = open_ledger(load_settings())
    summary = ledger.find(transfer_id)
    if summary is None:
        raise HTTPException(404, "The ledger knows no such transfer.")
    return audit(ledger, transfer_id) | {"outcome": outcome_line(summary)}
