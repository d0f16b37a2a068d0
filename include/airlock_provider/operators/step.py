"""TransferStepOperator: one step of the chain, done by a function of the `airlock` package."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import asdict, is_dataclass
from datetime import timedelta
from importlib import import_module
from time import monotonic
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException, DownstreamTasksSkipped
from airflow.sdk.observability.stats import incr, timing

from airlock.disk import check_room
from airlock.errors import AirlockError, NotPossibleNow
from airlock.hooks import ContainerHook, HookCall, Point, check_containers, find_hooks
from airlock.ledger import TransferState
from airlock.quiet import guarded
from airlock.settings import Settings
from airlock.transfer import Transfer
from airlock_provider.context import open_transfer

if TYPE_CHECKING:
    from airflow.sdk import Context


class TransferStepOperator(BaseOperator):
    """Run one step for the transfer that the DAG run is about.

    The step reads the workspace and the ledger, and tells the ledger and its log what came of it, in counts.

    :param step: the step's function as `package.module:function`; it takes the transfer, and returns counts.
        Imported when the task runs, to keep DAG parsing fast.
    :param room: wait as long as there is no room for as much again as the study has, as far as its size is known.
    :param hooks: the point of the project's hooks that are called when the step is done.
    :param ahead: function as `package.module:function` that takes the transfer, and returns the tasks after this one
        that have nothing to do; they are skipped without being started.
    :param not_when: request options that skip this step (`dry_run`, `stop_before_send`).
    """

    ui_color = "#e8f2ec"

    def __init__(
        self,
        *,
        step: str,
        room: bool = False,
        hooks: Point | None = None,
        ahead: str | None = None,
        not_when: tuple[str, ...] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.room = room
        self.hooks = hooks
        self.ahead = ahead
        self.step = step
        self.not_when = not_when

    def execute(self, context: Context) -> dict[str, int]:
        """Run the step; tell the ledger when it starts, ends or fails."""
        with guarded():
            transfer = open_transfer(context)
        counts = run_step(self, transfer, context, lambda: self.call(transfer))
        if self.ahead is not None and (idle := _function(self.ahead)(transfer)):
            raise DownstreamTasksSkipped(tasks=idle)
        return counts

    def call(self, transfer: Transfer) -> Any:
        """Call the step's function, then the project's hooks."""
        function = _function(self.step)
        if self.room:
            sizes = (instance.size or 0 for instance in transfer.ledger.instances(transfer.id))
            check_room(transfer.settings, sum(sizes))
        result = function(transfer, *self.peers(transfer))
        if self.hooks is not None:
            call_hooks(transfer, self.hooks)
        return result

    def peers(self, transfer: Transfer) -> tuple[Any, ...]:
        """Return what the step's function gets besides the transfer."""
        return ()


def _function(name: str) -> Callable[..., Any]:
    """Return the function that is called `package.module:function`."""
    module, _, attribute = name.partition(":")
    function: Callable[..., Any] = getattr(import_module(module), attribute)
    return function


def call_hooks(transfer: Transfer, point: Point) -> None:
    """Call the project's hooks of a point, and note each in the ledger.

    :raises PolicyError: when one is neither registered nor allowed.
    """
    hooks = getattr(transfer.policy.hooks, point)
    check_hooks(hooks, transfer.settings)
    counts = transfer.ledger.counts(transfer.id)
    call = HookCall(
        point,
        transfer.policy.name,
        transfer.id,
        transfer.workspace.folder("deidentified"),
        {name: int(getattr(counts, name)) for name in ("received", "sent", "skipped", "held", "boxes")},
        transfer.request.options.dry_run,
    )
    for hook in hooks:
        told = {}
        if isinstance(hook, ContainerHook):
            from airlock_provider.containers import run_hook

            told = {"image": run_hook(transfer, hook, call)}
        else:
            find_hooks([hook], transfer.settings.hooks)[0](call)
        transfer.ledger.event(transfer.id, "hook", "called", name=str(hook), point=point, **told)


def check_hooks(hooks: Iterable[str | ContainerHook], settings: Settings) -> None:
    """Refuse to go on with hooks that this deployment does not allow.

    :raises PolicyError: when one is neither registered nor allowed, or cannot be imported.
    """
    hooks = list(hooks)
    find_hooks([hook for hook in hooks if isinstance(hook, str)], settings.hooks)
    containers = [hook for hook in hooks if isinstance(hook, ContainerHook)]
    check_containers(containers, settings.hook_images, settings.hook_networks)


def run_step(
    operator: BaseOperator,
    transfer: Transfer,
    context: Context,
    work: Callable[[], Any],
    waits: Callable[[AirlockError], bool] = lambda _: False,
    **detail: Any,
) -> dict[str, int]:
    """Do a step's work with the ledger told of its start, its end or its failure.

    :param work: does it, and returns counts: a dataclass, a mapping, or one number.
    :param waits: whether an error means that the task goes on later, and nothing has failed.
    :raises AirflowSkipException: when the request's options leave this step out.
    :raises Cancelled: when a person stopped the transfer, before the work or between two batches of it.
    """
    chosen = [name for name in getattr(operator, "not_when", ()) if getattr(transfer.request.options, name)]
    if chosen:
        raise AirflowSkipException(f"The request says {chosen[0]}: this step is left out.")
    ledger, step = transfer.ledger, operator.task_id
    summary = ledger.find(transfer.id)
    if summary is not None and summary.state is TransferState.CANCELLED:
        raise NotPossibleNow("This transfer was cancelled and its files are gone. Clear its whole run to begin again.")
    ledger.resume(transfer.id)
    ledger.event(transfer.id, step, "started", attempt=context["ti"].try_number, **detail)
    begun = monotonic()
    try:
        # What is at its destination already is told and archived, whoever asks to stop.
        stopping = ledger.stopping(transfer.id) if getattr(operator, "stoppable", True) else nullcontext()
        with guarded(), stopping:
            counts = as_counts(work())
    except AirlockError as error:
        waiting = waits(error)
        kind = "waiting" if waiting else "failed"
        ledger.event(transfer.id, step, kind, error=type(error).__name__, message=str(error))
        incr(f"airlock.step.{step}.{kind}")
        operator.log.log(logging.WARNING if waiting else logging.ERROR, "%s", error)
        raise
    seconds = round(monotonic() - begun, 3)
    ledger.event(transfer.id, step, "finished", seconds=seconds, **counts)
    # To StatsD or OpenTelemetry, where Airflow is told to use one ([metrics] in its configuration).
    timing(f"airlock.step.{step}.duration", timedelta(seconds=seconds))
    operator.log.info("%s: %s in %.1f s", step, ", ".join(f"{k} {v}" for k, v in counts.items()) or "done", seconds)
    return counts


def as_counts(result: Any) -> dict[str, int]:
    """Return a step's result as named numbers."""
    if result is None:
        return {}
    if isinstance(result, int):
        return {"count": result}
    if is_dataclass(result) and not isinstance(result, type):
        return asdict(result)
    return dict(result)
