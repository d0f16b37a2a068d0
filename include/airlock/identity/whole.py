"""Whole values: whether a number, a date or a UID, as an attribute holds it, identifies the patient."""

from __future__ import annotations

import re
from functools import cached_property

from airlock.identity.encoded import binary_forms
from airlock.patterns import compiled_later

_FEWEST_DIGITS = 6
_FEW_NUMBERS = 64
"""Bytes."""
# Of longer ones, equal bytes are chance.
_MOST_BINARY_DIGITS = 15
_WHOLE_NUMBER = compiled_later(r"[+-]?0*([0-9]+)(?:\.0*)?")


class WholeValues:
    """Numbers, dates and UIDs of one patient.

    :param numbers: ids of six characters or more.
    :param dates: `YYYYMMDD`.
    :param births: dates of birth on which no event of the study was.
    """

    def __init__(
        self, uids: frozenset[str], numbers: frozenset[str], dates: frozenset[str], births: frozenset[str]
    ) -> None:
        self.uids, self.numbers, self.dates, self._never_events = uids, numbers, dates, births

    @cached_property
    def _digits(self) -> frozenset[str]:
        """What may stand as a number where no number of a patient belongs: ids of six digits or more, and dates."""
        runs = {run.lstrip("0") for number in self.numbers for run in re.findall(r"\d+", number)}
        whole = {re.sub(r"\D", "", number).lstrip("0") for number in self.numbers}
        return frozenset(digits for digits in runs | whole if len(digits) >= _FEWEST_DIGITS) | self.dates

    def is_number(self, text: str) -> bool:
        """Whether a numeric string is, as a whole, an identifying number of six digits or more, or a date."""
        bare = text.strip(" \0")
        if bare in self.numbers:
            return True
        match = _WHOLE_NUMBER.fullmatch(bare)
        return match is not None and match[1] in self._digits

    def is_birth(self, text: str) -> bool:
        """Whether a DA or DT value is the date of birth, and no event of the study was on that day."""
        return text[:8] in self._never_events

    @cached_property
    def _as_binary(self) -> frozenset[bytes]:
        """Identifying numbers and the date of birth as US, UL, FD and the like hold them, in either byte order."""
        numbers = [int(digits) for digits in self._digits | self._never_events if len(digits) <= _MOST_BINARY_DIGITS]
        return frozenset(made for number in numbers for made in binary_forms(number))

    def in_uid(self, uid: str) -> bool:
        """Whether a component of a UID is an identifying number of six digits or more, or a date."""
        return not self._digits.isdisjoint(uid.split("."))

    def is_instance(self, uid: str) -> bool:
        """Whether a UID is one of the study's, or holds an identifier."""
        return uid in self.uids or self.in_uid(uid)

    def is_any_number(self, value: bytes) -> bool:
        """Whether one of the numeric strings in an encoded value is an identifying number.

        :param value: numbers with backslashes between them.
        """
        # Whatever is_number finds stands in the value as it is: a number of the patient, or digits.
        for key in self._number_keys:
            if key in value:
                return any(map(self.is_number, value.decode("latin-1").split("\\")))
        return False

    @cached_property
    def _number_keys(self) -> tuple[bytes, ...]:
        return tuple(number.encode("latin-1", "replace") for number in self._digits | self.numbers)

    def is_binary_number(self, data: bytes) -> bool:
        """Whether one of several binary numbers, of 4 or 8 bytes each, is an identifying one."""
        known = self._as_binary
        # There are about as many forms: of a few numbers, each is looked up in less time.
        if len(data) > _FEW_NUMBERS and not any(form in data for form in known):
            return False
        return not known.isdisjoint([data[at : at + size] for size in (4, 8) for at in range(0, len(data), 4)])
