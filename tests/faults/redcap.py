"""What REDCap is told while a scenario runs, by the outbox as the DAG does it, and whether it is true at the end."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from itertools import groupby

from airlock.errors import AirlockError, HeldError, RefusedError
from airlock.ledger import InstanceState, TransferState
from airlock.project import ProjectPolicy, RedcapPolicy
from airlock.redcap import Outcome, RedcapClient
from airlock.redcap.outbox import deliver, owe
from airlock.redcap.sandbox import RedcapSandbox
from airlock.redcap.step import mapped_uids_of, outcome_of
from airlock.report.ending import Failure, good_ending
from airlock.transfer import Transfer

_FORM_STATUS = {"running": "0", "sent": "2", "empty": "2"}  # unverified, 1, is every other
_instances: dict[str, int] = {}


@cache
def _sandbox() -> RedcapSandbox:
    """Return the REDCap of this run; its thread ends with the process."""
    sandbox = RedcapSandbox()
    sandbox.__enter__()
    return sandbox


class Redcap:
    """The REDCap row of one transfer.

    :param step: task that the scenario runs.
    """

    def __init__(self, transfer: Transfer, step: str) -> None:
        self._transfer, self._step = transfer, step
        instance = _instances.setdefault(transfer.id + str(transfer.settings.home), len(_instances) + 1)
        where = {"redcap_repeat_instrument": "transfers", "redcap_repeat_instance": instance}
        self._request = transfer.request.model_copy(update=where)
        self._policy = ProjectPolicy(name="Trial", redcap=RedcapPolicy())
        self._client = RedcapClient(_sandbox().url, _sandbox().token, pause_seconds=0.01)
        if not self._rows():
            key = {"study_instance_uid": self._request.study_instance_uid, **where}
            self._client.import_records([key | {"transfer_project_name": "Trial", "transfer_name": "T-001"}])
        self.running()

    def running(self) -> None:
        """Tell that the step is begun, or begun again."""
        self._transfer.ledger.resume(self._transfer.id)
        self._tell(Outcome(TransferState.RUNNING))

    def failed(self, error: AirlockError) -> None:
        """Tell of an error, when it is one that is not tried again."""
        if not isinstance(error, (RefusedError, HeldError)):
            return
        ledger, name = self._transfer.ledger, type(error).__name__
        failure = Failure(self._step, name, str(error), 1)
        ledger.event(self._transfer.id, self._step, "failed", error=name, message=str(error))
        ledger.hold_open(self._transfer.id, f"the transfer ended at {self._step}")
        self._end(failure.state, failure)

    def cleared(self) -> None:
        """Go on after a person has cleared what failed."""
        if self._state() is not TransferState.RUNNING:
            self.running()

    def sent(self) -> None:
        """Tell how a transfer ended whose steps all went well."""
        self._end(good_ending(self._transfer.ledger.counts(self._transfer.id), self._transfer.request.options))

    def history(self) -> str:
        """Return what it has confirmed, in order."""
        told = [d["state"] for _, _, kind, d in self._transfer.ledger.events(self._transfer.id) if kind == "told"]
        return ", ".join(state for state, _ in groupby(told))

    def agrees(self) -> bool:
        """Whether the row says what the ledger does, nothing is owed, and *sent* is said of nothing but what is."""
        ledger = self._transfer.ledger
        state = self._state()
        unsent = [i for i in ledger.instances(self._transfer.id) if i.state is not InstanceState.SENT]
        true = state is not TransferState.SENT or not unsent
        return true and self._shown() == str(state) and not ledger.statuses.owed(self._transfer.id)

    def _shown(self) -> str:
        """Return the state that the row shows to a person."""
        (row,) = self._rows()
        state = json.loads(row["transfer_error_message"] or "{}").get("state", "sent")
        return state if str(row["transfers_complete"]) == _FORM_STATUS.get(state, "1") else f"{state}?"

    def _state(self) -> TransferState:
        summary = self._transfer.ledger.find(self._transfer.id)
        assert summary is not None
        return summary.state

    def _end(self, state: TransferState, failure: Failure | None = None) -> None:
        ledger = self._transfer.ledger
        ledger.move(self._transfer.id, state, failure.message if failure else "")
        summary = ledger.find(self._transfer.id)
        assert summary is not None
        uids = mapped_uids_of(ledger.instances(self._transfer.id))
        self._tell(
            outcome_of(
                replace(summary, message=failure.message if failure else ""),
                mapped_uids=uids,
                failed_step=failure.step if failure else None,
            )
        )

    def _tell(self, outcome: Outcome) -> None:
        ledger = self._transfer.ledger
        owe(ledger, self._transfer.id, outcome)
        owed = ledger.statuses.owed(self._transfer.id)
        deliver(ledger, owed, lambda _: (self._request, self._policy), lambda _: self._client)

    def _rows(self) -> list[dict]:
        wanted = self._request.study_instance_uid, str(self._request.redcap_repeat_instance)
        return [r for r in _sandbox().records if (r["study_instance_uid"], str(r["redcap_repeat_instance"])) == wanted]
