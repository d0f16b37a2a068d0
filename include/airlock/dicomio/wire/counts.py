"""What a receiver has done since it started, as numbers."""

from __future__ import annotations

import threading

from airlock.dicomio.wire.sink import DUPLICATE, OUT_OF_RESOURCES, SUCCESS


class Counts:
    """Numbers by name; counted from any thread."""

    NAMES = (
        "connections",
        "associations",
        "rejected",
        "aborted",
        "stored",
        "bytes",
        "duplicates",
        "conflicts",
        "refused",
        "out_of_resources",
        "not_indexed",
        "moved",
        "unasked",
        "reports",
    )

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = dict.fromkeys(self.NAMES, 0)

    def add(self, name: str, number: int = 1) -> None:
        """Count something."""
        with self._lock:
            self._numbers[name] += number

    def answered(self, status: int) -> None:
        """Count an instance that was not taken, by the status of its answer."""
        if status == OUT_OF_RESOURCES:
            self.add("out_of_resources")
        elif status not in (SUCCESS, DUPLICATE):
            self.add("refused")

    def __getitem__(self, name: str) -> int:
        return self._numbers[name]

    def all(self) -> dict[str, int]:
        """Return all numbers as they are at one moment."""
        with self._lock:
            return dict(self._numbers)
