"""REDCap is told of an ending with the connection of the project, or the deployment's when the project is unknown."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airlock.errors import RefusedError
from airlock.ledger import Ledger, OwedStatus, TransferState, TransferSummary
from airlock.project import ProjectPolicy, RedcapPolicy, find_policy
from airlock.quiet import guarded
from airlock.report.ending import Failure
from airlock.request import TransferRequest
from airlock.request.store import RequestStore
from airlock.settings import Settings, load_settings
from airlock.transfer import open_ledger

if TYPE_CHECKING:
    from airlock.redcap.client import RedcapClient
    from airlock.redcap.outbox import Delivery
    from airlock.redcap.step import Outcome

log = logging.getLogger(__name__)


def policy_for_status(request: TransferRequest, settings: Settings) -> ProjectPolicy:
    """Return the project's policy, or a bare one for a project that has none or a broken one."""
    try:
        return find_policy(settings.projects, request.transfer_project_name)
    except RefusedError:
        fallback = RedcapPolicy(connection=settings.redcap_connection) if settings.redcap_connection else None
        return ProjectPolicy(name="unknown", redcap=fallback)


def tell_running(request: TransferRequest, settings: Settings, ledger: Ledger, transfer_id: str) -> None:
    """Show in REDCap that the transfer is being worked on. REDCap being away doesn't stop the transfer."""
    from airlock.redcap.step import Outcome

    _owe_and_try(request, settings, ledger, transfer_id, Outcome(TransferState.RUNNING), attempts=1)


def tell_redcap(
    request: TransferRequest,
    settings: Settings,
    ledger: Ledger,
    summary: TransferSummary,
    state: TransferState,
    failure: Failure | None = None,
) -> dict[str, int]:
    """Owe REDCap the outcome of a transfer, and try to tell it now; return how many rows were told, and told later.

    :param state: how the transfer ends; the ledger may not say so yet.
    """
    from airlock.redcap.step import mapped_uids_of, outcome_of

    outcome = outcome_of(
        replace(summary, state=state, message=failure.message if failure else ""),
        mapped_uids=mapped_uids_of(ledger.instances(summary.id)),
        pixel_rewrite_started=any(
            step == "rewrite_pixels" and kind == "started" for _, step, kind, _ in ledger.events(summary.id)
        ),
        failed_step=failure.step if failure else None,
    )
    return _owe_and_try(request, settings, ledger, summary.id, outcome)


def statuses_due() -> bool:
    """Whether REDCap must be told something now."""
    with guarded():
        return bool(open_ledger(load_settings()).statuses.owed(due=datetime.now(UTC)))


def deliver_statuses() -> dict[str, int]:
    """Tell REDCap whatever it is owed and may be tried now; return the numbers of rows told, and told later."""
    settings = load_settings()
    with guarded():
        ledger = open_ledger(settings)
        delivery = _deliver(ledger, ledger.statuses.owed(due=datetime.now(UTC)), settings)
    log.info("Told %d, later %d", delivery.told, delivery.later)
    return {"rows": delivery.told, "later": delivery.later}


def _owe_and_try(
    request: TransferRequest,
    settings: Settings,
    ledger: Ledger,
    transfer_id: str,
    outcome: Outcome,
    attempts: int | None = None,
) -> dict[str, int]:
    from airlock.redcap.outbox import owe

    if policy_for_status(request, settings).redcap is None or request.options.dry_run:
        log.info("No REDCap is configured for this project, or this is a dry run: nobody to tell.")
        return {"rows": 0}
    if not request.study_instance_uid:
        log.warning("The study is not found yet, so REDCap has no record that could be told of it.")
        return {"rows": 0}
    owe(ledger, transfer_id, outcome)
    delivery = _deliver(ledger, ledger.statuses.owed(transfer_id), settings, attempts)
    return {"rows": delivery.told, "later": delivery.later}


def _deliver(ledger: Ledger, statuses: list[OwedStatus], settings: Settings, attempts: int | None = None) -> Delivery:
    from airlock.redcap.outbox import deliver
    from airlock_provider.hooks.redcap import RedcapHook

    store = RequestStore(settings.proc_folder)

    def request_of(transfer_id: str) -> tuple[TransferRequest, ProjectPolicy]:
        request = store.get(transfer_id).request
        return request, policy_for_status(request, settings)

    def client_of(policy: ProjectPolicy) -> RedcapClient:
        assert policy.redcap is not None
        client = RedcapHook(policy.redcap.connection).client
        return replace(client, attempts=attempts) if attempts else client

    delivery = deliver(ledger, statuses, request_of, client_of, settings.retry_seconds)
    for problem in delivery.problems:
        log.warning("REDCap will be told later: %s", problem)
    return delivery
