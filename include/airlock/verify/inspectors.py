"""Inspect the outputs of many patients, one patient after the other: what a worker does."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from airlock.typed import Any
from airlock.verify.checks import Check, Expectation
from airlock.verify.crowd import Crowds
from airlock.verify.inspect import Inspector


class Inspectors:
    """Makes what inspects the outputs of each of many patients, one after the other.

    :param expectations: by number of the patient, what :meth:`Expectation.plain` told.
    """

    def __init__(self, expectations: Sequence[tuple[Any, ...]]) -> None:
        self._expectations, self._crowds = expectations, Crowds(expectations)
        # Outputs of a patient come one after the other, and what is known of a patient takes memory.
        self._number = -1
        self._latest: Inspector | None = None

    def __repr__(self) -> str:
        return "<Inspectors>"

    def __call__(self, number: int) -> Inspector:
        """Return what inspects the outputs of a patient."""
        if self._latest is None or self._number != number:
            expectation = Expectation.of(self._expectations[number])
            self._number, self._latest = number, Inspector(expectation, self._crowds.around(number))
        return self._latest


def make_inspector(expectations: Sequence[tuple[Any, ...]]) -> Callable[[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Return the function that workers inspect outputs with: of plain values it makes plain values.

    It takes the number of the patient, and the fields of each :class:`Check`; it returns what :meth:`Inspected.of`
    reads, for each.

    :param expectations: by number of the patient, what :meth:`Expectation.plain` told.
    """
    inspector_of = Inspectors(expectations)

    def inspect(task: tuple[int, list[tuple[Any, ...]]]) -> list[tuple[Any, ...]]:
        number, checks = task
        return [found.plain() for found in inspector_of(number).several([Check(*check) for check in checks])]

    return inspect
