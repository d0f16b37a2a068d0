"""Evidence: what the inputs of a study say about a person, as it was spelled. It stays in memory."""

from __future__ import annotations

from airlock.typed import Any


class Evidence:
    """What was found, as it was spelled.

    :param names: values of PN elements, one component group each (PS3.5 section 6.2.1).
    :param patients: `(PatientID, IssuerOfPatientID)` of the patients that the inputs belong to.
    :param studies: StudyInstanceUIDs of the inputs.
    :param encoded: names as the files encode them, when that is not ASCII.
    :param dates: `YYYYMMDD`, in any attribute; what stands in PatientBirthDate is in `birth_dates`.
    :param events: those of study, series, acquisition and content, which say when something was done.
    """

    # Not a dataclass: making one takes longer than harvesting a file.
    def __init__(  # noqa: PLR0913, PLR0917 - one per kind
        self,
        names: set[str] | None = None,
        numbers: set[str] | None = None,
        phrases: set[str] | None = None,
        phones: set[str] | None = None,
        dates: set[str] | None = None,
        birth_dates: set[str] | None = None,
        events: set[str] | None = None,
        uids: set[str] | None = None,
        patients: set[tuple[str, str]] | None = None,
        studies: set[str] | None = None,
        encoded: set[bytes] | None = None,
    ) -> None:
        self.names = set() if names is None else names
        self.numbers = set() if numbers is None else numbers
        self.phrases = set() if phrases is None else phrases
        self.phones = set() if phones is None else phones
        self.dates = set() if dates is None else dates
        self.birth_dates = set() if birth_dates is None else birth_dates
        self.events = set() if events is None else events
        self.uids = set() if uids is None else uids
        self.patients = set() if patients is None else patients
        self.studies = set() if studies is None else studies
        self.encoded = set() if encoded is None else encoded

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Evidence) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]  # it grows; dataclasses do the same

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

    def without_uids(self) -> Evidence:
        """Return the same for outputs that keep UIDs."""
        return _evidence({**vars(self), "uids": set()})


def _evidence(found: dict[str, set[Any]]) -> Evidence:
    return Evidence(**found)
