"""Statuses on their way to REDCap: owed to it in the ledger, tried until it confirms them.

A transfer never waits for REDCap, and never fails because of it. What it has to be told is in the ledger from the
moment it is known; REDCap may be away for a day, refuse the token, lock the record: the status is tried again, later
each time, and arrives in the end. Telling twice is harmless.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from airlock.errors import AirlockError, RefusedError
from airlock.ledger import Ledger, OwedStatus, TransferState
from airlock.project import ProjectPolicy
from airlock.redcap.client import RedcapClient
from airlock.redcap.step import Outcome, tell_running, update_redcap
from airlock.request.model import TransferRequest

log = logging.getLogger(__name__)

# Multiples of AIRLOCK_RETRY_SECONDS: by default 15 seconds and 15 minutes.
FIRST_PAUSE, LONGEST_PAUSE = 1, 60

RequestOf = Callable[[str], tuple[TransferRequest, ProjectPolicy]]
ClientOf = Callable[[ProjectPolicy], RedcapClient]


@dataclass(frozen=True)
class Delivery:
    """What came of a round of telling.

    :param told: statuses that REDCap has confirmed.
    :param later: statuses that are tried again.
    :param problems: why, each once; free of patient data.
    """

    told: int = 0
    later: int = 0
    problems: tuple[str, ...] = ()


def owe(ledger: Ledger, transfer_id: str, outcome: Outcome) -> None:
    """Note that REDCap must be told an outcome; one in state `RUNNING` says that the transfer is being worked on."""
    ledger.statuses.owe(transfer_id, asdict(outcome) | {"state": outcome.state.value})


def deliver(
    ledger: Ledger,
    statuses: Iterable[OwedStatus],
    request_of: RequestOf,
    client_of: ClientOf,
    retry_seconds: float = 15.0,
) -> Delivery:
    """Tell REDCap what it is owed. It raises nothing: what cannot be told now stays owed.

    :param request_of: finds request and policy of a transfer.
    :param client_of: finds the REDCap of a project.
    :param retry_seconds: before the second try, `AIRLOCK_RETRY_SECONDS`; doubled each time, 60 times that at most.
    """
    told = later = 0
    problems: dict[str, None] = {}
    for status in statuses:
        try:
            request, policy = request_of(status.transfer_id)
            _tell(request, policy, client_of, _outcome(status.outcome))
        except AirlockError as error:
            later += 1
            problems[str(error)] = None
            pause = _pause(status.attempts, error, retry_seconds)
            ledger.statuses.postpone(status, str(error), datetime.now(UTC) + pause)
            if status.attempts == 0:
                ledger.event(status.transfer_id, "redcap", "postponed", error=type(error).__name__)
        else:
            told += 1
            ledger.statuses.confirmed(status)
            ledger.event(
                status.transfer_id, "redcap", "told", state=status.outcome["state"], attempts=status.attempts + 1
            )
    return Delivery(told, later, tuple(problems))


def _tell(request: TransferRequest, policy: ProjectPolicy, client_of: ClientOf, outcome: Outcome) -> None:
    if policy.redcap is None or request.options.dry_run:
        return
    client = client_of(policy)
    if outcome.state is TransferState.RUNNING:
        tell_running(request, policy, client)
    else:
        update_redcap(request, policy, client, outcome)


def _pause(attempts: int, error: AirlockError, retry_seconds: float) -> timedelta:
    # What REDCap refuses somebody must mend first: asking more often would only fill its log.
    if isinstance(error, RefusedError):
        return timedelta(seconds=LONGEST_PAUSE * retry_seconds)
    # Bounded before it is used: 2 to the power of a day's attempts is no number of seconds.
    return timedelta(seconds=retry_seconds * min(LONGEST_PAUSE, FIRST_PAUSE * float(1 << min(attempts, 10))))


def _outcome(content: dict[str, Any]) -> Outcome:
    return Outcome(
        **{**content, "state": TransferState(content["state"]), "mapped_uids": tuple(content["mapped_uids"])}
    )
