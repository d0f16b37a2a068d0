"""Sensors that wait without holding a worker."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airlock.disk import has_room
from airlock.errors import PeerUnavailable, StudyNotFound
from airlock.quiet import guarded
from airlock.request.drop import settled_files
from airlock.settings import load_settings
from airlock_provider.context import open_transfer, source_of
from airlock_provider.operators.step import run_step
from airlock_provider.status import statuses_due

if TYPE_CHECKING:
    from airflow.sdk import Context


class RequestSensor(BaseOperator):
    """Wait until a request file lies in the drop folder and nobody writes to it any more.

    :param poke_interval: seconds between two looks.
    """

    def __init__(self, *, poke_interval: float = 3.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.poke_interval = poke_interval

    def execute(self, context: Context, event: dict[str, Any] | None = None) -> None:
        """Return when there is a request; hand the waiting to the triggerer until then."""
        settings = load_settings()
        if event is None and not (has_room(settings) and settled_files(settings.drop_folder, settings.settle_seconds)):
            from airlock_provider.triggers import RequestTrigger

            trigger = RequestTrigger(str(settings.drop_folder.absolute()), settings.settle_seconds, self.poke_interval)
            self.defer(trigger=trigger, method_name="execute")


class StudySensor(BaseOperator):
    """Wait until the transfer's study is complete at its source.

    :param poke_interval: seconds between two looks.
    """

    def __init__(self, *, poke_interval: float = 5.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.poke_interval = poke_interval

    def execute(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, int]:
        """Return when the study is there; hand the waiting to the triggerer until then.

        :raises StudyNotFound: when it has not come within `AIRLOCK_STUDY_WAIT_MINUTES`.
        """
        with guarded():
            transfer = open_transfer(context)
            peer = source_of(transfer)
        if event is None:
            from airlock.retrieve.step import study_is_ready

            try:
                with guarded():
                    ready = study_is_ready(transfer, peer)
                    why = "The study is not there yet, or still arriving."
            except PeerUnavailable as error:
                # Down is no failure of this transfer: it waits, for as long as that takes.
                ready, why = False, str(error)
            if not ready:
                self.log.info("%s Waiting.", why)
                from airlock_provider.triggers import StudyTrigger

                wait = transfer.settings.study_wait_minutes * 60
                trigger = StudyTrigger(transfer.id, asdict(peer) if peer else None, self.poke_interval, wait)
                self.defer(trigger=trigger, method_name="execute")
        return run_step(self, transfer, context, lambda: self._judge(event or {"found": True}))

    @staticmethod
    def _judge(event: dict[str, Any]) -> None:
        if not event["found"]:
            raise StudyNotFound(
                "The study is not at its source, or never stopped arriving. Send it again, then clear this task."
            )


class StatusSensor(BaseOperator):
    """Wait until REDCap must be told something that it has not confirmed yet.

    :param poke_interval: seconds between two looks into the ledger.
    """

    def __init__(self, *, poke_interval: float = 10.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.poke_interval = poke_interval

    def execute(self, context: Context, event: dict[str, Any] | None = None) -> None:
        """Return when something is owed; hand the waiting to the triggerer until then."""
        if event is None and not statuses_due():
            from airlock_provider.triggers import StatusTrigger

            self.defer(trigger=StatusTrigger(self.poke_interval), method_name="execute")
