"""What de-identification reads of a project's policy, without importing what checked it.

That import takes longer than de-identifying the files of a small study.

:class:`airlock.deidentify_policy.DeidentifyPolicy` says all of it; :class:`Terms` only what a project without rules
and private elements says, which is why it needs no check.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from airlock.rules import Rule

OPTIONS = (
    "retain_safe_private",
    "retain_uids",
    "retain_device_identity",
    "retain_institution_identity",
    "retain_patient_characteristics",
    "retain_longitudinal_full_dates",
    "retain_longitudinal_modified_dates",
    "clean_descriptors",
    "clean_structured_content",
    "clean_graphics",
)
"""The options of PS3.15 section E.3 that concern headers."""


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


@dataclass(frozen=True)
class NoPrivate:
    """No private element stays."""

    keep: tuple[str, ...] = ()
    csa_header: bool = False


@dataclass(frozen=True)
class Terms:
    """The policy of a project without rules, and without private elements. The default is the strictest."""

    edition: str = "2026d"
    options: tuple[str, ...] = ()
    max_shift_days: int = 3650
    shift_by: str = "patient"
    round_age_years: int = 1
    unlisted: str = "remove"
    already_deidentified: str = "accept"

    @property
    def private(self) -> NoPrivate:
        """Of private elements, none stays."""
        return NoPrivate()

    @property
    def private_mode(self) -> str:
        """The mode in force, of which the option may ask for another."""
        return "safe" if "retain_safe_private" in self.options else "remove"

    @property
    def rules(self) -> tuple[Rule, ...]:
        """None."""
        return ()

    def in_force(self, edition: str, options: tuple[str, ...]) -> Terms:
        """Return the same with another edition and other options."""
        return replace(self, edition=edition, options=options)

    def model_dump_json(self) -> str:
        """Return all of it as text, as the whole policy would say it."""
        from airlock.deidentify_policy import DeidentifyPolicy  # noqa: PLC0415 - only who has rules asks for it

        return DeidentifyPolicy.model_validate(vars(self)).model_dump_json()


@dataclass(frozen=True)
class Strictest:
    """A project that no policy describes."""

    name: str
    deidentify: Terms = Terms()
