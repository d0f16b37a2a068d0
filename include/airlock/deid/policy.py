"""What de-identification reads of a project's policy, whoever read and checked it. Imported by type checkers only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from airlock.rules import Rule


class PrivateTerms(Protocol):
    """What is said of private elements."""

    @property
    def keep(self) -> tuple[str, ...]:
        """Which stay, whatever the lists say."""

    @property
    def csa_header(self) -> bool:
        """Whether the header of Siemens scanners stays, cleaned."""


class Policy(Protocol):
    """What a project says; the words are those of :class:`airlock.deidentify_policy.DeidentifyPolicy`."""

    @property
    def edition(self) -> str:
        """Of PS3.15."""

    @property
    def options(self) -> tuple[str, ...]:
        """Of PS3.15 section E.3."""

    @property
    def max_shift_days(self) -> int:
        """Bound of the keyed date offset."""

    @property
    def shift_by(self) -> str:
        """`patient` or `study`."""

    @property
    def round_age_years(self) -> int:
        """Multiple that ages become."""

    @property
    def unlisted(self) -> str:
        """`remove` or `keep`."""

    @property
    def already_deidentified(self) -> str:
        """`accept` or `hold`."""

    @property
    def private(self) -> PrivateTerms:
        """What is said of private elements."""

    @property
    def private_mode(self) -> str:
        """Of private elements, the mode in force."""

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The project's own."""

    def __hash__(self) -> int:
        """Return the same for equal policies, so that what is made of one is made once."""

    def in_force(self, edition: str, options: tuple[str, ...]) -> Policy:
        """Return the same with another edition and other options."""

    def model_dump_json(self) -> str:
        """Return all of it as text."""


class ProjectTerms(Protocol):
    """A project: of :class:`airlock.project.ProjectPolicy`, what de-identifying a folder needs."""

    @property
    def name(self) -> str:
        """Of the project."""

    @property
    def deidentify(self) -> Policy:
        """How it is de-identified."""
