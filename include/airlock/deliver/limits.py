"""Limits of a destination: how fast, and when. How many at a time is in :mod:`airlock.dicomio.turns`."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from airlock.errors import OutsideHours

_CREDIT_SECONDS = 0.25


class Throttle:
    """Lets bytes through at a rate, piece by piece: the next one waits until the ones before had their time.

    :param bytes_per_second: 0 for no limit.
    """

    def __init__(self, bytes_per_second: float) -> None:
        self._rate = bytes_per_second
        self._free_at: float | None = None
        self._lock = threading.Lock()

    def wait(self, size: int) -> None:
        """Wait until so many bytes may go."""
        if self._rate <= 0:
            return
        with self._lock:
            now = time.monotonic()
            # What a busy machine slept too long is made up for, so that the rate is kept in the mean.
            start = now if self._free_at is None else max(now - _CREDIT_SECONDS, self._free_at)
            self._free_at = start + size / self._rate
        time.sleep(max(0.0, start - now))


def check_hours(name: str, hours: Sequence[str], now: datetime) -> None:
    """Return when something may be sent now.

    :param name: of the destination, for the error.
    :param hours: as `20:00-06:00`; one that ends before it begins goes past midnight. None: always.
    :param now: local time.
    :raises OutsideHours: when nothing may be sent before later; it knows how long that is.
    """
    if not hours:
        return
    starts = []
    for window in hours:
        begin, end = (_at(now, text) for text in window.split("-"))
        if (begin <= now < end) if begin < end else (now >= begin or now < end):
            return
        starts.append(begin if begin > now else begin + timedelta(days=1))
    opens = min(starts)
    raise OutsideHours(
        f"{name} takes studies at {', '.join(hours)} only (destination.hours of the project). This is tried again at "
        f"{opens:%H:%M}.",
        (opens - now).total_seconds(),
    )


def _at(day: datetime, text: str) -> datetime:
    hour, minute = map(int, text.split(":"))
    return day.replace(hour=hour, minute=minute, second=0, microsecond=0)
