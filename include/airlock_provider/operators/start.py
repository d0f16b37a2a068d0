"""StartTransferOperator: a run of the DAG `transfer` is started, or begun again."""

from __future__ import annotations

from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DagRunState
from airflow.sdk.exceptions import AirflowRuntimeError, AirflowSkipException

if TYPE_CHECKING:
    from airflow.sdk import Context

DAG_ID = "transfer"
ENDED = ("success", "failed")
POKE_SECONDS = 1.0


class StartTransferOperator(TriggerDagRunOperator):
    """Start the run of a transfer; one that is there already is left alone, or begun again.

    A transfer's ending is in the ledger a moment before its run ends in Airflow. Whoever clears a run in that moment
    takes task instances from under the scheduler, which then ends with an error; so that moment is waited for.

    :param patience_seconds: how long. A run that still runs then is left alone.
    """

    def __init__(self, *, patience_seconds: float = 60.0, **kwargs: Any) -> None:
        # Transfers have no logical date: Airflow allows only one run per date.
        super().__init__(**{"trigger_dag_id": DAG_ID, "logical_date": None, **kwargs})
        self.patience_seconds = patience_seconds

    def execute(self, context: Context) -> None:
        """Start the run.

        :raises AirflowSkipException: when it is to begin again, and still runs.
        """
        if self.reset_dag_run:
            if not self._has_ended(context):
                raise AirflowSkipException("Its run has not ended. What asks for it again is kept.")
            self._note()
        super().execute(context)

    def _note(self) -> None:
        """Tell the ledger, from which the intake knows that the file that asked for it can go."""
        from airlock.quiet import guarded
        from airlock.request.again import note_begun
        from airlock.settings import load_settings
        from airlock.transfer import open_ledger

        conf = self.conf if isinstance(self.conf, dict) else {}
        with guarded():
            note_begun(str(conf["transfer_id"]), open_ledger(load_settings()))

    def _has_ended(self, context: Context) -> bool:
        deadline = monotonic() + self.patience_seconds
        while (state := self._state(context)) not in (None, *ENDED):
            if monotonic() > deadline:
                return False
            self.log.info("The run is %s; waiting for its end.", state)
            sleep(POKE_SECONDS)
        return True

    def _state(self, context: Context) -> str | None:
        """Return the state of the run; None when there is none."""
        try:
            # A text or a member of Airflow's enumeration, whose text is not its value.
            return DagRunState(context["ti"].get_dagrun_state(DAG_ID, str(self.trigger_run_id))).value
        except AirflowRuntimeError:
            return None
