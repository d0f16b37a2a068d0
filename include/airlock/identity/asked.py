"""Identifiers that note what was asked of them, so that it can be asked again when more is known of the patient."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from airlock.identity.evidence import Evidence
from airlock.identity.identifiers import Identifiers, Span
from airlock.identity.in_bytes import together_in_bytes
from airlock.typed import Any

# Of one patient's values; who keeps more than that is asked anew from the beginning.
_MOST_BYTES = 2 << 20
# No identifier is shorter, in a number or in encoded bytes (:mod:`airlock.identity.identifiers`).
_SHORTEST_NUMBER, _SHORTEST_BYTES = 6, 4


class Questions:
    """What was asked, and answered with no. It holds patient data: never log it.

    :param texts: texts, and whether they are free text.
    :param numbers: numeric strings, alone or several with backslashes between them.
    :param uids: UIDs that are to be kept.
    :param days: dates that are to be kept.
    :param values: encoded bytes.
    :param binary: binary numbers, one after the other.
    :param answered: some question was answered with yes.
    :param too_many: not all of them are kept.
    """

    # Not a dataclass, as :class:`Evidence`.
    def __init__(self, **said: Any) -> None:
        self.texts: set[tuple[str, bool]] = set()
        self.numbers: set[str] = set()
        self.uids: set[str] = set()
        self.days: set[str] = set()
        self.values: set[bytes] = set()
        self.binary: set[bytes] = set()
        self.answered = self.too_many = False
        self.add(said)

    def add(self, said: dict[str, Any]) -> None:
        """Add what was asked somewhere else, or later, as :meth:`said` returned it."""
        own = vars(self)
        for name, asked in said.items():
            own[name] |= asked

    def __reduce__(self) -> tuple[object, tuple[dict[str, Any]]]:
        """Pickle what there is."""
        return _questions, (self.said(),)

    def said(self) -> dict[str, Any]:
        """Return what there is, by the names of its parameters."""
        return {name: asked for name, asked in vars(self).items() if asked}

    def __bool__(self) -> bool:
        return any(vars(self).values())

    def concern(self, identifiers: Identifiers) -> bool:
        """Whether the answer to one of the questions is now yes, or cannot be known."""
        points = identifiers.fewest_points
        return (
            self.too_many
            or any(identifiers.is_instance(uid) for uid in self.uids)
            or any(identifiers.is_any_number(numbers.encode("latin-1")) for numbers in self.numbers)
            or any(map(identifiers.is_birth, self.days))
            or any(map(identifiers.is_binary_number, self.binary))
            or any(identifiers.find(text, free=free) for text, free in self.texts if text.count(".") >= points)
            or any(identifiers.in_bytes(value, dates=True) for value in self.values if value.count(b".") >= points)
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

    def find(self, text: str, *, free: bool = True) -> list[Span]:
        """Note and answer."""
        spans = super().find(text, free=free)
        if spans:
            self._new.answered = True
        elif (text, free) not in self._known.texts and self._room(len(text)):
            self._known.texts.add((text, free))
            self._new.texts.add((text, free))
        return spans

    def is_number(self, text: str) -> bool:
        """Note and answer."""
        found = super().is_number(text)
        if found:
            self._new.answered = True
        elif len(text) >= _SHORTEST_NUMBER and self._room(len(text)):
            self._new.numbers.add(text)
        return found

    def is_birth(self, text: str) -> bool:
        """Note and answer."""
        found = super().is_birth(text)
        if found:
            self._new.answered = True
        else:
            self._new.days.add(text[:8])
        return found

    def is_instance(self, uid: str) -> bool:
        """Note and answer."""
        return self._noted(uid, super().is_instance(uid))

    def in_uid(self, uid: str) -> bool:
        """Note and answer."""
        return self._noted(uid, super().in_uid(uid))

    def in_bytes(self, data: bytes, *, dates: bool) -> bool:
        """Note and answer."""
        found = super().in_bytes(data, dates=dates)
        if found:
            self._new.answered = True
        elif len(data) >= _SHORTEST_BYTES and data not in self._known.values and self._room(len(data)):
            self._known.values.add(data)
            self._new.values.add(data)
        return found

    def is_any_number(self, value: bytes) -> bool:
        """Note and answer."""
        if super().is_any_number(value):
            return True  # noted one by one
        numbers = value.decode("latin-1")
        if len(numbers) >= _SHORTEST_NUMBER and numbers not in self._known.numbers and self._room(len(numbers)):
            self._known.numbers.add(numbers)
            self._new.numbers.add(numbers)
        return False

    def is_binary_number(self, data: bytes) -> bool:
        """Note and answer."""
        found = super().is_binary_number(data)
        if found:
            self._new.answered = True
        elif len(data) >= _SHORTEST_BYTES and data not in self._known.binary and self._room(len(data)):
            self._known.binary.add(data)
            self._new.binary.add(data)
        return found

    def any_in_bytes(self, values: Sequence[bytes]) -> bool:
        """Note and answer."""
        if super().any_in_bytes(values):
            return True  # each of them will be asked for
        for together in together_in_bytes(values):
            if len(together) >= _SHORTEST_BYTES and together not in self._known.values and self._room(len(together)):
                self._known.values.add(together)
                self._new.values.add(together)
        return False

    def _noted(self, uid: str, found: bool) -> bool:
        if found:
            self._new.answered = True
        else:
            self._new.uids.add(uid)
        return found

    def _room(self, size: int) -> bool:
        self._bytes += size
        if self._bytes > _MOST_BYTES:
            self._new.too_many = True
        return self._bytes <= _MOST_BYTES
