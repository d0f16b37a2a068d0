"""REDCap is told of an ending with the connection of the project, or the deployment's when the project is unknown."""

from __future__ import annotations

import logging
from dataclasses import replace

from airlock.errors import AirlockError, RefusedError
from airlock.ledger import Ledger, TransferState, TransferSummary
from airlock.project import ProjectPolicy, RedcapPolicy, find_policy
from airlock.report.ending import Failure
from airlock.request import TransferRequest
from airlock.settings import Settings

log = logging.getLogger(__name__)


def policy_for_status(request: TransferRequest, settings: Settings) -> ProjectPolicy:
    """Return the project's policy, or a bare one for a project that has none or a broken one."""
    try:
        return find_policy(settings.projects, request.transfer_project_name)
    except RefusedError:
        fallback = RedcapPolicy(connection=settings.redcap_connection) if settings.redcap_connection else None
        return ProjectPolicy(name="unknown", redcap=fallback)


def tell_running(request: TransferRequest, settings: Settings) -> None:
    """Show in REDCap that the transfer is being worked on. REDCap being away doesn't stop the transfer for that."""
    from airlock.redcap.step import tell_running as write_running
    from airlock_provider.hooks.redcap import RedcapHook

    policy = policy_for_status(request, settings)
    if policy.redcap is None or request.options.dry_run or not request.study_instance_uid:
        return
    try:
        write_running(request, policy, RedcapHook(policy.redcap.connection).client)
    except AirlockError as error:
        log.warning("REDCap does not show yet that the transfer is being worked on: %s", error)


def tell_redcap(
    request: TransferRequest,
    settings: Settings,
    ledger: Ledger,
    summary: TransferSummary,
    state: TransferState,
    failure: Failure | None = None,
) -> int:
    """Write the status row of a transfer; return the number of rows written.

    :param state: how the transfer ends; the ledger may not say so yet.
    """
    from airlock.redcap.step import mapped_uids_of, outcome_of, update_redcap
    from airlock_provider.hooks.redcap import RedcapHook

    policy = policy_for_status(request, settings)
    if policy.redcap is None:
        log.info("No REDCap is configured for this project: nobody to tell.")
        return 0
    if not request.study_instance_uid:
        log.warning("The study was not found, so REDCap has no record that could be told of it.")
        return 0
    outcome = outcome_of(
        replace(summary, state=state, message=failure.message if failure else ""),
        mapped_uids=mapped_uids_of(ledger.instances(summary.id)),
        pixel_rewrite_started=any(
            step == "rewrite_pixels" and kind == "started" for _, step, kind, _ in ledger.events(summary.id)
        ),
        failed_step=failure.step if failure else None,
    )
    update_redcap(request, policy, RedcapHook(policy.redcap.connection).client, outcome)
    return 1
