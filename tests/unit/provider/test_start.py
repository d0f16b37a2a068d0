"""All runs are started by one task; one is begun again only when it has ended."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from airflow.sdk import DagRunState
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse, OKResponse

from airlock_provider.operators import start
from airlock_provider.operators.start import StartTransfersOperator

THERE = ErrorResponse(error=ErrorType.DAGRUN_ALREADY_EXISTS)
BROKEN = ErrorResponse(error=ErrorType.API_SERVER_ERROR)
FIRST, AGAIN = ({"run_id": f"transfer-{n}", "transfer_id": f"t-{n}", "again": again} for n, again in ((1, 0), (2, 1)))


class Airflow:
    """What answers a task that asks for runs.

    :param states: of the run that is asked for, one after the other; None when there is none.
    :param answers: to those who ask that a run be started.
    """

    def __init__(self, *states, **answers):
        self.states, self.answers = list(states), answers
        self.done = []

    def get_dagrun_state(self, dag_id, run_id):
        assert (dag_id, run_id) == ("transfer", "transfer-2")
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if state is None:
            raise AirflowRuntimeError(BROKEN)
        return state

    def send(self, message):
        assert message.dag_id == "transfer"
        assert message.conf == {"transfer_id": message.run_id.replace("transfer", "t")}
        self.done.append((message.run_id, message.reset_dag_run))
        answer = self.answers.get(message.run_id.replace("-", "_"), OKResponse(ok=True))
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def begin(monkeypatch):
    """Start runs, and return what was done."""

    def run(airflow, *starts, **options):
        monkeypatch.setattr(start, "POKE_SECONDS", 0.0)
        monkeypatch.setattr(start.task_runner, "SUPERVISOR_COMMS", airflow, raising=False)
        monkeypatch.setattr(StartTransfersOperator, "_note", lambda _self, name: airflow.done.append(f"noted {name}"))
        operator = StartTransfersOperator(task_id="start", starts=list(starts), **options)
        operator.execute({"ti": SimpleNamespace(get_dagrun_state=airflow.get_dagrun_state)})
        return airflow.done

    return run


def test_one_that_is_just_ending_is_waited_for(begin):
    airflow = Airflow("queued", DagRunState.RUNNING, "success", "never looked at")
    assert begin(airflow, AGAIN) == ["noted t-2", ("transfer-2", True)]
    assert airflow.states == ["never looked at"]


@pytest.mark.parametrize("state", ["failed", "success", DagRunState.SUCCESS, DagRunState.FAILED, None])
def test_one_that_has_ended_or_never_was_is_begun_at_once(begin, state):
    assert begin(Airflow(state), AGAIN) == ["noted t-2", ("transfer-2", True)]


def test_one_that_goes_on_running_is_left_alone_and_keeps_no_other_waiting(begin):
    assert begin(Airflow("running"), AGAIN, FIRST, patience_seconds=0.05) == [("transfer-1", False)]


def test_one_that_is_there_is_left_alone(begin):
    assert begin(Airflow("success", transfer_1=THERE), FIRST, AGAIN)[-1] == ("transfer-2", True)


@pytest.mark.parametrize("refusal", [BROKEN, AirflowRuntimeError(BROKEN)])
def test_one_that_cannot_be_started_fails_the_task_after_all_others(begin, refusal):
    airflow = Airflow("success", transfer_1=refusal)
    with pytest.raises(RuntimeError, match="1 of 2 runs"):
        begin(airflow, FIRST, AGAIN)
    assert airflow.done == [("transfer-1", False), "noted t-2", ("transfer-2", True)]


def test_nothing_to_start_is_no_error(begin):
    assert begin(Airflow()) == []
