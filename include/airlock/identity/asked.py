"""Identifiers that note what was asked of them, so that it can be asked again when more is known of the patient."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from airlock.identity.evidence import Evidence
from airlock.identity.identifiers import Identifiers

# Of one patient's values; who keeps more than that is asked anew from the beginning.
_MOST_BYTES = 2 << 20
# No identifier is shorter, in a number or in encoded bytes (:mod:`airlock.identity.identifiers`).
_SHORTEST_NUMBER, _SHORTEST_BYTES = 6, 4


@dataclass
class Questions:
    """What was asked. It holds patient data: never log it.

    :param texts: texts, and whether they are free text.
    :param numbers: numeric strings.
    :param uids: UIDs of attributes that name classes.
    :param values: encoded bytes.
    :param too_many: not all of them are kept.
    """

    texts: set[tuple[str, bool]] = field(default_factory=set)
    numbers: set[str] = field(default_factory=set)
    uids: set[str] = field(default_factory=set)
    values: set[bytes] = field(default_factory=set)
    too_many: bool = False

    def add(self, other: Questions) -> None:
        """Add what was asked somewhere else, or later."""
        self.texts |= other.texts
        self.numbers |= other.numbers
        self.uids |= other.uids
        self.values |= other.values
        self.too_many |= other.too_many

    def __reduce__(self) -> tuple[object, tuple[dict[str, Any]]]:
        """Pickle what there is."""
        return _questions, ({name: asked for name, asked in vars(self).items() if asked},)

    def __bool__(self) -> bool:
        return bool(self.texts or self.numbers or self.uids or self.values or self.too_many)

    def concern(self, identifiers: Identifiers) -> bool:
        """Whether one of the answers would be another one if these identifiers had been known too."""
        return (
            self.too_many
            or not self.uids.isdisjoint(identifiers.uids)
            or not self.numbers.isdisjoint(identifiers.numbers)
            or any(identifiers.find(text, free=free) for text, free in self.texts)
            or any(identifiers.in_bytes(value, dates=False) for value in self.values)
        )


def _questions(asked: dict[str, Any]) -> Questions:
    return Questions(**asked)


class AskedIdentifiers(Identifiers):
    """The same as :class:`Identifiers`; the parameters are its."""

    def __init__(self, evidence: Evidence, public: Iterable[str] = (), *, keep_dates: bool = False) -> None:
        super().__init__(evidence, public, keep_dates=keep_dates)
        self._known, self._new, self._bytes = Questions(), Questions(), 0

    def take(self) -> Questions | None:
        """Return what was asked since the last time; None when nothing was."""
        new = self._new
        if not new:
            return None
        self._new = Questions()
        return new

    def cut(self, text: str, *, free: bool = True) -> str:
        """Note and answer."""
        asked = text, free
        if asked not in self._known.texts and self._room(len(text)):
            self._known.texts.add(asked)
            self._new.texts.add(asked)
        return super().cut(text, free=free)

    def is_number(self, text: str) -> bool:
        """Note and answer."""
        number = text.strip(" \0")
        if len(number) >= _SHORTEST_NUMBER and self._room(len(number)):
            self._new.numbers.add(number)
        return number in self.numbers

    def is_uid(self, text: str) -> bool:
        """Note and answer."""
        self._new.uids.add(text)
        return super().is_uid(text)

    def in_bytes(self, data: bytes, *, dates: bool) -> bool:
        """Note and answer."""
        if len(data) >= _SHORTEST_BYTES and data not in self._known.values and self._room(len(data)):
            self._known.values.add(data)
            self._new.values.add(data)
        return super().in_bytes(data, dates=dates)

    def _room(self, size: int) -> bool:
        self._bytes += size
        if self._bytes > _MOST_BYTES:
            self._new.too_many = True
        return self._bytes <= _MOST_BYTES
