"""Evidence: what the inputs of a study say about a person, as it was spelled. It stays in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Evidence:
    """What was found, as it was spelled.

    :param names: values of PN elements, one component group each (PS3.5 section 6.2.1).
    :param patients: `(PatientID, IssuerOfPatientID)` of the patients that the inputs belong to.
    :param studies: StudyInstanceUIDs of the inputs.
    :param encoded: names as the files encode them, when that is not ASCII.
    :param dates: `YYYYMMDD`, in any attribute; what stands in PatientBirthDate is in `birth_dates`.
    :param events: those of study, series, acquisition and content, which say when something was done.
    """

    names: set[str] = field(default_factory=set)
    numbers: set[str] = field(default_factory=set)
    phrases: set[str] = field(default_factory=set)
    phones: set[str] = field(default_factory=set)
    dates: set[str] = field(default_factory=set)
    birth_dates: set[str] = field(default_factory=set)
    events: set[str] = field(default_factory=set)
    uids: set[str] = field(default_factory=set)
    patients: set[tuple[str, str]] = field(default_factory=set)
    studies: set[str] = field(default_factory=set)
    encoded: set[bytes] = field(default_factory=set)

    def __repr__(self) -> str:
        return "<Evidence>"

    def __reduce__(self) -> tuple[object, tuple[dict[str, set[Any]]]]:
        """Pickle what there is: most files say nothing that an earlier one did not."""
        return _evidence, (self.said(),)

    def said(self) -> dict[str, set[Any]]:
        """Return what there is, by the names of the sets that hold it."""
        return {name: found for name, found in vars(self).items() if found}

    def add(self, said: dict[str, set[Any]]) -> None:
        """Add what :meth:`said` of another input returned."""
        own = vars(self)
        for name, found in said.items():
            own[name] |= found

    def update(self, other: Evidence) -> None:
        """Add what another input says."""
        self.add(other.said())

    def beyond(self, other: Evidence) -> Evidence:
        """Return what this says and another does not."""
        known = vars(other)
        return _evidence({name: found - known[name] for name, found in vars(self).items()})


def _evidence(found: dict[str, set[Any]]) -> Evidence:
    return Evidence(**found)
