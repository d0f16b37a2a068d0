"""The dates of one patient, of which few are ever spelled: most texts hold nothing that every way to write one has."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cached_property

from airlock.identity.readings import Reading
from airlock.identity.spell_dates import date_keys, date_keys_in_one_run
from airlock.identity.spelled import Keys, Spelled, spelled
from airlock.identity.spellings import Spelling

_Keys = Callable[..., Iterable[tuple[str, str]]]
_Days = dict[str, list[tuple[str, str]]]
"""By a text that every spelling has: what it has besides, and the day."""


class Dated:
    """Finds the spellings of dates that a text may hold.

    :param days: `YYYYMMDD`.
    :param births: those that are dates of birth.
    :param secret: returns spellings without those that do not count.
    """

    def __init__(
        self, days: Collection[str], births: Collection[str], secret: Callable[[Iterable[Spelled]], list[Spelled]]
    ) -> None:
        self._days, self._births, self._secret = sorted(days), births, secret
        self._spelled: dict[str, Spelled] = {}

    def __repr__(self) -> str:
        return "<Dated>"

    @cached_property
    def _by_key(self) -> _Days:
        """Days by what every text that mentions them has."""
        return self._by(date_keys)

    @cached_property
    def _by_key_in_one_run(self) -> _Days:
        """The same for texts whose digits all stand side by side."""
        return self._by(lambda day, **birth: ((key, "") for key in date_keys_in_one_run(day, **birth)))

    def _by(self, keys: _Keys) -> _Days:
        found: _Days = {}
        for day in self._days:
            for key, also in keys(day, birth=day in self._births):
                found.setdefault(key, []).append((also, day))
        return found

    def spelled(self, day: str) -> Spelled:
        """Return the spellings of one of the days."""
        found = self._spelled.get(day)
        if found is None:
            kind = "birth_dates" if day in self._births else "dates"
            (found,) = self._secret([spelled(kind, day)])
            self._spelled[day] = found
        return found

    def all(self) -> list[Spelled]:
        """Return the spellings of all days."""
        return list(map(self.spelled, self._days))

    def held_by(self, reading: Reading) -> Iterator[Spelling]:
        """Yield the spellings whose keys a text holds; none is written with its digits one by one."""
        if not self._days:
            return
        folded = reading.folded
        by_key = self._by_key if reading.digits_apart else self._by_key_in_one_run
        days = {day: None for key, found in by_key.items() if key in folded for also, day in found if also in folded}
        if days:
            yield from Keys(self.spelled(day).solid for day in days).held_by(folded, reading.pairs)
