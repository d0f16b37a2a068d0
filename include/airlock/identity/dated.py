"""The dates of one patient, of which few are ever spelled: most texts hold nothing that every way to write one has."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cached_property

from airlock.identity.readings import Reading
from airlock.identity.spell_dates import date_keys, date_keys_in_one_run, spell_strong_date
from airlock.identity.spelled import Keys, Spelled, spelled
from airlock.identity.spellings import Spelling

_Keys = Callable[..., Iterable[tuple[str, str]]]
_Held = tuple[str, str, str]
"""What every spelling of a day has, what it has besides, and the day."""


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
    def _by_start(self) -> dict[str, list[_Held]]:
        """Days by the first two characters of what every text that mentions them has; empty where it is shorter."""
        return self._by(date_keys)

    @cached_property
    def _by_start_in_one_run(self) -> dict[str, list[_Held]]:
        """The same for texts whose digits all stand side by side."""
        return self._by(lambda day, **birth: ((key, "") for key in date_keys_in_one_run(day, **birth)))

    def _by(self, keys: _Keys) -> dict[str, list[_Held]]:
        found: dict[str, list[_Held]] = {}
        for day in self._days:
            for key, also in keys(day, birth=day in self._births):
                found.setdefault(key[:2] if len(key) > 1 else "", []).append((key, also, day))
        return found

    def spelled(self, day: str) -> Spelled:
        """Return the spellings of one of the days."""
        found = self._spelled.get(day)
        if found is None:
            kind = "birth_dates" if day in self._births else "dates"
            (found,) = self._secret([spelled(kind, day)])
            self._spelled[day] = found
        return found

    def strong(self) -> list[Spelled]:
        """Return those spellings of all days that are searched in binary data, with no more than these."""
        return self._secret(Spelled.of(spell_strong_date(day)) for day in self._days)

    def held_by(self, reading: Reading) -> Iterator[Spelling]:
        """Yield the spellings whose keys a text holds; none is written with its digits one by one."""
        if not self._days:
            return
        folded = reading.folded
        by_start = self._by_start if reading.digits_apart else self._by_start_in_one_run
        starts = ("", *(by_start.keys() & reading.pairs))
        days = {
            day for start in starts for key, also, day in by_start.get(start, ()) if key in folded and also in folded
        }
        if days:
            # In their own order, so that every run does the same.
            yield from Keys(self.spelled(day).solid for day in sorted(days)).held_by(folded, reading.pairs)
