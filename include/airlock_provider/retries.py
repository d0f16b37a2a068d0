"""How a failed task is retried: by the class of its exception, with a back-off that grows per class."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy

from airlock.errors import (
    AssociationAborted,
    DiskFull,
    HeldError,
    OutsideHours,
    PeerUnavailable,
    RefusedError,
    TransferIncomplete,
)
from airlock.settings import load_settings

if TYPE_CHECKING:
    from airflow.sdk import Context

# Multiples of AIRLOCK_RETRY_SECONDS for the first retry. A peer that is down stays down for a while; an association
# that broke in the middle can be resumed at once.
FIRST_DELAY: dict[type[Exception], float] = {
    AssociationAborted: 1.0,
    TransferIncomplete: 2.0,
    PeerUnavailable: 4.0,
    DiskFull: 8.0,
}
LONGEST_DELAY = timedelta(minutes=30)


class AirlockRetryPolicy(RetryPolicy):
    """Refused and held work is never retried; everything else is, later each time."""

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Decide from the exception alone."""
        if isinstance(exception, RefusedError):
            return RetryDecision.fail("Trying again cannot help; the message says what to change.")
        if isinstance(exception, HeldError):
            return RetryDecision.fail("Held: a person must look before anything is sent.")
        if isinstance(exception, OutsideHours):
            return RetryDecision.retry(timedelta(seconds=exception.seconds or 0.0), reason=type(exception).__name__)
        factor = next((f for kind, f in FIRST_DELAY.items() if isinstance(exception, kind)), 1.0)
        delay = timedelta(seconds=load_settings().retry_seconds * factor * 2 ** (try_number - 1))
        return RetryDecision.retry(min(delay, LONGEST_DELAY), reason=type(exception).__name__)

    def serialize(self) -> dict[str, Any]:
        """Name the policy; it has no parameters."""
        return {"__type": f"{__name__}.AirlockRetryPolicy"}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> AirlockRetryPolicy:
        """Return the policy."""
        return cls()
