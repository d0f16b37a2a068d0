"""Operators at both ends of the chain: a request is accepted, and its outcome is told and archived."""

from __future__ import annotations

from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airlock.deliver.journal import JOURNALS
from airlock.errors import AirlockError, InvalidRequest
from airlock.identity.keys import KeyRing
from airlock.intake.reviewed import check_reviewed
from airlock.ledger import Asked, Ledger, TransferState, TransferSummary
from airlock.project import ProjectPolicy, find_policy
from airlock.quiet import guarded
from airlock.report.audit import versions
from airlock.report.ending import Failure, good_ending, last_failure, outcome_line
from airlock.report.rules import said_rules
from airlock.request.archive import archive_done, archive_failed
from airlock.request.store import RequestStore, StoredRequest
from airlock.settings import Settings, load_settings
from airlock.transfer import Transfer, open_ledger, workspace_of
from airlock_provider.context import configuration, open_transfer, request_from_form, transfer_id_of
from airlock_provider.operators.step import as_counts, check_hooks, run_step
from airlock_provider.status import tell_redcap, tell_running

if TYPE_CHECKING:
    from airflow.sdk import Context

GOOD = (TransferState.SENT, TransferState.EMPTY, TransferState.PREPARED)
FINISHED = (*GOOD, TransferState.CANCELLED)


class AcceptRequestOperator(BaseOperator):
    """Check the request, make this run the only owner of its transfer, and note the policy it runs under."""

    ui_color = "#e8f2ec"

    def execute(self, context: Context) -> dict[str, str]:
        """Accept the request of this run; return the transfer's id and its project's policy digest."""
        settings = load_settings()
        with guarded():
            ledger = open_ledger(settings)
            # The form, REST and Airflow's command line all make a run by hand; Airflow knows whose, if anybody's.
            asked = Asked("form or REST", getattr(context["dag_run"], "triggering_user_name", None) or "")
            transfer_id = self._keep_request(configuration(context), ledger, settings, asked)
            self._claim(ledger, transfer_id, context["dag_run"].run_id, settings)
            ledger.event(transfer_id, self.task_id, "started", attempt=context["ti"].try_number)
            begun = monotonic()
            try:
                policy = self._find_policy(ledger, transfer_id, settings)
                rules = said_rules(settings.projects, policy)
            except AirlockError as error:
                ledger.event(transfer_id, self.task_id, "failed", error=type(error).__name__, message=str(error))
                self.log.error("%s", error)
                raise
            digest, seconds = policy.digest, round(monotonic() - begun, 3)
            profile = " ".join((policy.deidentify.edition, *policy.deidentify.options))
            told = {"policy": digest, "rules": rules, "profile": profile, "versions": versions()}
            ledger.event(transfer_id, self.task_id, "finished", seconds=seconds, **told)
            request = RequestStore(settings.proc_folder).get(transfer_id).request
            tell_running(request, settings, ledger, transfer_id)
        self.log.info("Accepted %s under the policy %s", transfer_id, digest[:12])
        return {"transfer_id": transfer_id, "policy": digest}

    @staticmethod
    def _keep_request(conf: dict[str, Any], ledger: Ledger, settings: Settings, asked: Asked) -> str:
        store = RequestStore(settings.proc_folder)
        if conf.get("transfer_id"):
            transfer_id = str(conf["transfer_id"])
            ledger.register(transfer_id, store.get(transfer_id).arrived_at)
            return transfer_id
        request = request_from_form(conf)
        transfer_id = request.transfer_id(KeyRing.load(settings.key_path))
        arrived = datetime.now(UTC)
        content = request.model_dump_json(indent=2, exclude_none=True)
        store.put(transfer_id, StoredRequest(request.file_name, content, arrived))
        ledger.register(transfer_id, arrived, asked=asked)
        return transfer_id

    def _claim(self, ledger: Ledger, transfer_id: str, run_id: str, settings: Settings) -> None:
        before = ledger.claim(transfer_id, run_id)
        workspace = workspace_of(transfer_id, settings)
        expired = not workspace.root.exists() and ledger.counts(transfer_id).received > 0
        if before in FINISHED or expired:
            self.log.info("This transfer ended before (%s): it is done again from the start.", before)
            workspace.purge()
            ledger.restart(transfer_id)
        else:
            ledger.resume(transfer_id)

    @staticmethod
    def _find_policy(ledger: Ledger, transfer_id: str, settings: Settings) -> ProjectPolicy:
        ledger.check_not_cancelled(transfer_id)
        request = RequestStore(settings.proc_folder).get(transfer_id).request
        policy = find_policy(settings.projects, request.transfer_project_name)
        ledger.describe(transfer_id, project=policy.name, policy_digest=policy.digest)
        policy.check_approved(datetime.now(UTC).astimezone().date())
        policy.check_subject(request.transfer_name)
        if policy.reviews is not None:
            check_reviewed(settings.projects / policy.reviews, request)
        check_locations(settings)
        check_hooks((*policy.hooks.after_deidentify, *policy.hooks.after_confirm), settings)
        return policy


def check_locations(settings: Settings) -> None:
    """Refuse to begin with a location library that cannot be used: the study would be pulled for nothing.

    :raises PolicyError: with file, line and reason.
    """
    from airlock.pixels.locations import load_library

    load_library.cache_clear()
    load_library(settings.pixel_locations)


class UpdateRedcapOperator(BaseOperator):
    """Tell REDCap the outcome, or owe it to it: the DAG `statuses` tells it as soon as REDCap can be reached.

    Projects without REDCap, and dry runs, have nobody to tell.
    """

    ui_color = "#e8f2ec"
    not_when = ("dry_run",)
    stoppable = False

    def execute(self, context: Context) -> dict[str, int]:
        """Write the status row of a transfer that went well; return the numbers of rows written, and owed."""
        with guarded():
            transfer = open_transfer(context)
        return run_step(self, transfer, context, lambda: self._tell(transfer))

    @staticmethod
    def _tell(transfer: Transfer) -> dict[str, int]:
        summary = _find(transfer.ledger, transfer.id)
        state = good_ending(summary.counts, transfer.request.options)
        return tell_redcap(transfer.request, transfer.settings, transfer.ledger, summary, state)


class ArchiveRequestOperator(BaseOperator):
    """Archive the request as done, end the transfer in the ledger, and remove its workspace."""

    ui_color = "#e8f2ec"
    stoppable = False

    def execute(self, context: Context) -> dict[str, int]:
        """End a transfer that went well; return its counts."""
        with guarded():
            transfer = open_transfer(context)
            summary = _find(transfer.ledger, transfer.id)
        if summary.state in GOOD:
            # This task was killed, or cleared, after it had ended the transfer, and no step was repeated before it.
            self.log.info("The transfer has ended: %s", outcome_line(summary))
            return as_counts(summary.counts)
        return run_step(self, transfer, context, lambda: self._archive(transfer))

    def _archive(self, transfer: Transfer) -> Any:
        ledger = transfer.ledger
        state = good_ending(ledger.counts(transfer.id), transfer.request.options)
        archive_done(transfer.settings.proc_folder, RequestStore(transfer.settings.proc_folder).get(transfer.id))
        if state is TransferState.PREPARED:
            ledger.hold_open(transfer.id, "prepared, not sent: the request says so")
        else:
            transfer.workspace.purge()
        ledger.move(transfer.id, state)
        self.log.info("%s", outcome_line(_find(ledger, transfer.id)))
        return ledger.counts(transfer.id)


class ReportFailureOperator(BaseOperator):
    """After any failure: end the transfer in the ledger, archive the request as failed, tell REDCap.

    The task succeeds; the run turns red all the same, because `archive_request` could not run.
    """

    ui_color = "#f6e3e0"

    def execute(self, context: Context) -> dict[str, int]:
        """Report a failed transfer; return its counts."""
        settings = load_settings()
        with guarded():
            try:
                transfer_id = transfer_id_of(configuration(context), settings)
                stored = RequestStore(settings.proc_folder).get(transfer_id)
            except InvalidRequest as error:
                self.log.warning("There is no request to archive: %s", error)
                return {}
            ledger = open_ledger(settings)
            summary = _find(ledger, transfer_id)
            if summary.run_id != context["dag_run"].run_id:
                self.log.warning("The transfer belongs to the run %s; its state is left alone.", summary.run_id)
                return {}
            failure = last_failure(ledger, transfer_id)
            summary = self._end(ledger, stored, failure, transfer_id, settings)
            self.log.error("%s at %s: %s", summary.state, failure.step, failure.message)
            if not stored.request.options.dry_run:
                tell_redcap(stored.request, settings, ledger, summary, summary.state, failure)
            return as_counts(summary.counts)

    def _end(
        self, ledger: Ledger, stored: StoredRequest, failure: Failure, transfer_id: str, settings: Settings
    ) -> TransferSummary:
        ledger.hold_open(transfer_id, f"the transfer ended at {failure.step}")
        ledger.move(transfer_id, failure.state, failure.message)
        archived = [d for _, _, kind, d in ledger.events(transfer_id) if kind == "archived"]
        if not any(detail["failure"] == failure.number for detail in archived):
            messages = {"error": failure.message, "step": failure.step, "transfer": transfer_id}
            archive_failed(settings.proc_folder, stored, messages)
            ledger.event(transfer_id, self.task_id, "archived", failure=failure.number)
        if failure.state is TransferState.CANCELLED:
            # Nobody will go on from here: what is left of the study has no reason to stay. The journals know what a
            # PACS may have although it never answered; they hold no patient data.
            workspace_of(transfer_id, settings).purge(JOURNALS)
        return _find(ledger, transfer_id)


def _find(ledger: Ledger, transfer_id: str) -> TransferSummary:
    summary = ledger.find(transfer_id)
    if summary is None:
        raise InvalidRequest(f"The ledger does not know {transfer_id}. Clear the run from accept_request.")
    return summary
