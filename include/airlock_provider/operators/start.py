"""StartTransfersOperator: runs of the DAG `transfer` are started, or begun again."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, DagRunState
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import ErrorResponse, TriggerDagRun

from airlock_provider.intake import Start

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.types import RuntimeTaskInstanceProtocol

DAG_ID = "transfer"
ENDED = ("success", "failed")
POKE_SECONDS = 1.0


class StartTransfersOperator(BaseOperator):
    """Start the runs of transfers; one that is there already is left alone, or begun again.

    They are started by one task: a task of its own, as the operator for single runs would be, takes longer to start
    than some transfers' de-identification.

    A transfer's ending is in the ledger a moment before its run ends in Airflow. Whoever clears a run in that moment
    takes task instances from under the scheduler, which then ends with an error; so that moment is waited for.

    :param starts: as :func:`airlock_provider.intake.read_requests` returns them.
    :param patience_seconds: how long the ends of all of them are waited for. A run that still runs then is left alone,
        and what asks for it again is kept.
    """

    template_fields: Sequence[str] = ("starts",)
    ui_color = "#ffefeb"

    def __init__(self, *, starts: Any, patience_seconds: float = 60.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.starts = starts
        self.patience_seconds = patience_seconds

    def execute(self, context: Context) -> None:
        """Start the runs, those that may have to wait last.

        :raises RuntimeError: when some could not be started, after all others were.
        """
        deadline = monotonic() + self.patience_seconds
        starts = sorted((Start(**start) for start in self.starts or ()), key=lambda start: start.again)
        failed = 0
        for start in starts:
            try:
                self._start(start, context["ti"], deadline)
            except AirflowRuntimeError as error:
                self.log.error("The run %s could not be started: %s", start.run_id, error.error.error.value)
                failed += 1
        if failed:
            raise RuntimeError(f"{failed} of {len(starts)} runs could not be started; the log names them.")

    def _start(self, start: Start, ti: RuntimeTaskInstanceProtocol, deadline: float) -> None:
        if start.again:
            if not self._has_ended(start.run_id, ti, deadline):
                self.log.info("%s has not ended. What asks for it again is kept.", start.run_id)
                return
            self._note(start.transfer_id)
        conf = {"transfer_id": start.transfer_id}
        answer = self._ask(TriggerDagRun(dag_id=DAG_ID, run_id=start.run_id, conf=conf, reset_dag_run=start.again))
        if isinstance(answer, ErrorResponse) and answer.error is not ErrorType.DAGRUN_ALREADY_EXISTS:
            raise AirflowRuntimeError(answer)
        self.log.info("%s %s", start.run_id, "is there already" if isinstance(answer, ErrorResponse) else "started")

    def _ask(self, message: TriggerDagRun) -> object:
        return task_runner.SUPERVISOR_COMMS.send(message)

    def _note(self, transfer_id: str) -> None:
        """Tell the ledger, from which the intake knows that the file that asked for it can go."""
        from airlock.quiet import guarded
        from airlock.request.again import note_begun
        from airlock.settings import load_settings
        from airlock.transfer import open_ledger

        with guarded():
            note_begun(transfer_id, open_ledger(load_settings()))

    def _has_ended(self, run_id: str, ti: RuntimeTaskInstanceProtocol, deadline: float) -> bool:
        while (state := self._state(run_id, ti)) not in (None, *ENDED):
            if monotonic() > deadline:
                return False
            self.log.info("%s is %s; waiting for its end.", run_id, state)
            sleep(POKE_SECONDS)
        return True

    def _state(self, run_id: str, ti: RuntimeTaskInstanceProtocol) -> str | None:
        """Return the state of the run; None when there is none."""
        try:
            # A text or a member of Airflow's enumeration, whose text is not its value.
            return DagRunState(ti.get_dagrun_state(DAG_ID, run_id)).value
        except AirflowRuntimeError:
            return None
