"""A run is begun again only when it has ended."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DagRunState
from airflow.sdk.exceptions import AirflowRuntimeError, AirflowSkipException, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse

from airlock_provider.operators import start
from airlock_provider.operators.start import StartTransferOperator


@pytest.fixture
def started(monkeypatch):
    """Ids of the runs that were started, in order."""
    ids = []
    monkeypatch.setattr(TriggerDagRunOperator, "execute", lambda self, _context: ids.append(self.trigger_run_id))
    monkeypatch.setattr(start, "POKE_SECONDS", 0.0)
    monkeypatch.setattr(StartTransferOperator, "_note", lambda self: ids.append(f"noted {self.conf['transfer_id']}"))
    return ids


def begin(*states, again=True, **options):
    """Begin a run that is in these states, one after the other; return the states that were not looked at."""
    left = list(states)

    def state_of(dag_id, run_id):
        assert (dag_id, run_id) == ("transfer", "transfer-1")
        state = left.pop(0) if len(left) > 1 else left[0]
        if state is None:
            raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR))
        return state

    operator = StartTransferOperator(
        task_id="start", trigger_run_id="transfer-1", conf={"transfer_id": "t-1"}, reset_dag_run=again, **options
    )
    operator.execute({"ti": SimpleNamespace(get_dagrun_state=state_of)})
    return left


def test_one_that_is_just_ending_is_waited_for(started):
    assert begin("queued", DagRunState.RUNNING, "success", "never looked at") == ["never looked at"]
    assert started == ["noted t-1", "transfer-1"]


@pytest.mark.parametrize("state", ["failed", "success", DagRunState.SUCCESS, DagRunState.FAILED, None])
def test_one_that_has_ended_or_never_was_is_begun_at_once(started, state):
    begin(state)
    assert started == ["noted t-1", "transfer-1"]


def test_one_that_goes_on_running_is_left_alone(started):
    with pytest.raises(AirflowSkipException):
        begin("running", patience_seconds=0.05)
    assert started == []


def test_a_first_run_asks_nothing(started):
    assert begin("running", again=False) == ["running"]
    assert started == ["transfer-1"]
