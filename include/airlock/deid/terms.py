"""What de-identification reads of a project's policy, without importing what checked it.

That import takes longer than de-identifying the files of a small study.

:class:`airlock.deidentify_policy.DeidentifyPolicy` says all of it; :class:`Terms` only what a project without rules
and private elements says, which is why it needs no check.
"""

from __future__ import annotations

from airlock.tuples import NamedTuple
from airlock.typed import TYPE_CHECKING

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


class NoPrivate(NamedTuple):
    """No private element stays."""

    keep: tuple[str, ...] = ()
    csa_header: bool = False


class Terms(NamedTuple):
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
        return self._replace(edition=edition, options=options)

    def model_dump_json(self) -> str:
        """Return all of it as text, as the whole policy would say it."""
        from airlock.deidentify_policy import DeidentifyPolicy  # noqa: PLC0415 - only who has rules asks for it

        return DeidentifyPolicy.model_validate(self._asdict()).model_dump_json()


class Strictest(NamedTuple):
    """A project that no policy describes."""

    name: str
    deidentify: Terms = Terms()
