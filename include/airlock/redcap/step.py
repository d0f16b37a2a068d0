"""The status row: one transfer's outcome in FIONA's `transfers` instrument.

The fields and values are those that `anonymizeAndSend.py` writes. Unlike there, a blank clears what an earlier
attempt left (REDCap's `overwrite`), and the answer is checked.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from airlock.errors import PolicyError
from airlock.ledger import InstanceUpdate, TransferState, TransferSummary
from airlock.project import ProjectPolicy
from airlock.redcap.client import RedcapClient
from airlock.request.model import TransferRequest

RECORD_FIELD = "study_instance_uid"
STATUS_FIELDS = (
    "transfer_date",
    "transfer_mapped_uid",
    "transfer_error___1",
    "transfer_error___2",
    "transfer_error___3",
    "transfer_active_proc_time",
    "transfer_error_message",
    "transfers_complete",
)
# REDCap's form status.
INCOMPLETE, UNVERIFIED, COMPLETE = 0, 1, 2

SEND_STEPS = frozenset({"send_to_research", "confirm_receipt"})
"""Steps whose failure is FIONA's "Send error"; the failure of any other is its "Anonymization error"."""


@dataclass(frozen=True)
class Outcome:
    """How a transfer ended.

    :param state: its state in the ledger.
    :param message: what a person should know, free of patient data.
    :param mapped_uids: new StudyInstanceUIDs.
    :param pixel_rewrite_started: whether the rewriter was run, whatever came of it.
    :param failed_step: name of the step that failed, refused or held, or None.
    :param seconds: how long the transfer was worked on.
    """

    state: TransferState
    message: str = ""
    mapped_uids: tuple[str, ...] = ()
    pixel_rewrite_started: bool = False
    failed_step: str | None = None
    seconds: float = 0.0

    @property
    def error(self) -> bool:
        """Whether something went wrong, in FIONA's sense: the study is not at its destination as requested."""
        return self.state in (TransferState.FAILED, TransferState.REFUSED, TransferState.HELD)


def outcome_of(
    summary: TransferSummary,
    *,
    mapped_uids: Iterable[str] = (),
    pixel_rewrite_started: bool = False,
    failed_step: str | None = None,
    now: datetime | None = None,
) -> Outcome:
    """Derive the outcome from what the ledger knows of a transfer.

    :param summary: with the state and the message that REDCap shall be told.
    :param mapped_uids: see :func:`mapped_uids_of`.
    :param now: aware time; the end of a transfer that has not ended yet.
    """
    seconds = 0.0
    if summary.started_at is not None:
        end = summary.finished_at or now or datetime.now(UTC)
        seconds = max(0.0, (end - summary.started_at).total_seconds())
    uids = tuple(dict.fromkeys(mapped_uids))
    return Outcome(summary.state, summary.message, uids, pixel_rewrite_started, failed_step, seconds)


def mapped_uids_of(instances: Iterable[InstanceUpdate]) -> list[str]:
    """Return the new StudyInstanceUIDs of a transfer's instances, in the order of their instances.

    :param instances: as the ledger has them; the path of a de-identified one begins with its study.
    """
    return list(dict.fromkeys(instance.path.split("/")[0] for instance in instances if instance.path))


def update_redcap(request: TransferRequest, policy: ProjectPolicy, client: RedcapClient, outcome: Outcome) -> None:
    """Write the outcome of a transfer. Writing it again is harmless.

    A dry run leaves no trace in REDCap, and neither does a project without REDCap.

    :raises PeerUnavailable: when REDCap could not be told now.
    :raises StatusRefused: when somebody must correct the connection, the policy or REDCap.
    """
    if policy.redcap is None or request.options.dry_run:
        return
    row = _row_key(request) | status_fields(outcome, datetime.now(UTC).astimezone())
    client.import_records([rename(row, policy.redcap.fields)])


def tell_running(request: TransferRequest, policy: ProjectPolicy, client: RedcapClient) -> None:
    """Show that a transfer is being worked on: incomplete, with `{"state": "running"}` as its message.

    `transfer_date` is left alone: FIONA takes a transfer with a date for done. Raises as :func:`update_redcap`.
    """
    if policy.redcap is None or request.options.dry_run:
        return
    status = {"transfer_error_message": json.dumps({"state": "running"}), "transfers_complete": INCOMPLETE}
    client.import_records([rename(_row_key(request) | status, policy.redcap.fields)])


def status_fields(outcome: Outcome, now: datetime) -> dict[str, Any]:
    """Return FIONA's status fields of an outcome.

    :param now: local time, as FIONA writes it.
    """
    in_send = outcome.failed_step in SEND_STEPS
    delivered = outcome.state in (TransferState.SENT, TransferState.EMPTY)
    return {
        "transfer_date": f"{now:%Y-%m-%d %H:%M}",
        "transfer_mapped_uid": ",".join(outcome.mapped_uids),
        "transfer_error___1": int(outcome.error and not in_send),
        "transfer_error___2": int(outcome.error and in_send),
        "transfer_error___3": int(outcome.pixel_rewrite_started),
        "transfer_active_proc_time": round(outcome.seconds),
        "transfer_error_message": _message(outcome),
        "transfers_complete": COMPLETE if delivered else UNVERIFIED,
    }


def _message(outcome: Outcome) -> str:
    """JSON text; empty when the study was sent, as there is nothing to say."""
    if outcome.state is TransferState.SENT:
        return ""
    message = {"state": outcome.state.value, "step": outcome.failed_step, "error": outcome.message}
    return json.dumps({key: value for key, value in message.items() if value})


def _row_key(request: TransferRequest) -> dict[str, Any]:
    return {
        RECORD_FIELD: request.study_instance_uid,
        "redcap_repeat_instrument": request.redcap_repeat_instrument,
        "redcap_repeat_instance": request.redcap_repeat_instance,
    }


def rename(row: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """Give a row the field names of the project's own REDCap.

    A checkbox is renamed as a whole: `transfer_error` stands for its choices 1, 2 and 3.

    :param names: the policy's `redcap.fields`, from FIONA's names.
    :raises PolicyError: when it renames a field that is never written, or two fields to the same name.
    """
    known = {RECORD_FIELD, *STATUS_FIELDS, *(name.partition("___")[0] for name in STATUS_FIELDS)}
    if unknown := sorted(names.keys() - known):
        raise PolicyError(
            f"redcap.fields renames {', '.join(unknown)}, which is never written. Known: {', '.join(sorted(known))}."
        )

    def new_name(name: str) -> str:
        base, mark, choice = name.partition("___")
        return names.get(name) or names.get(base, base) + mark + choice

    renamed = {new_name(name): value for name, value in row.items()}
    if len(renamed) != len(row):
        raise PolicyError("redcap.fields gives two fields the same name. Each status field needs its own.")
    return renamed
