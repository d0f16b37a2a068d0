"""How a project is de-identified: the `deidentify` section of its policy, as it is written.

The section is checked as a whole when it is loaded. What it means for an element is decided in :mod:`airlock.deid`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from airlock.rules import Rule
from airlock.selectors import parse_private

Edition = Literal["2026d", "2024b"]

Option = Literal[
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
]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PrivatePolicy(_Part):
    """Private attributes (PS3.15 section E.3.10).

    :param mode: `remove` all; keep what `keep-list` names; or keep what is known to be `safe`, and what `keep` names.
    :param keep: `gggg`, `"CREATOR"`, `(gggg,"CREATOR")` or `(gggg,"CREATOR",ee)`.
    :param csa_header: keep the header that Siemens scanners write, cleaned of names, dates and UIDs.
    """

    mode: Literal["remove", "keep-list", "safe"] = "remove"
    keep: tuple[str, ...] = ()
    csa_header: bool = False

    @field_validator("keep")
    @classmethod
    def _check_keep(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            parse_private(text)
        return texts

    @model_validator(mode="after")
    def _check(self) -> PrivatePolicy:
        if self.keep and self.mode == "remove":
            raise ValueError("`keep` has no effect in the mode remove; say `mode: keep-list`")
        return self


class DeidentifyPolicy(_Part):
    """How headers are de-identified (PS3.15 Annex E).

    `edition` names the shipped profile table, `options` are the options of PS3.15 E.3, `max_shift_days` bounds the
    keyed date offset of `retain_longitudinal_modified_dates`.

    :param shift_by: whose dates move together: all of a patient's, or those of a study.
    :param round_age_years: ages become the nearest multiple; those of 90 years and more become 90 in any case.
    :param unlisted: what happens to attributes that neither PS3.6 nor the table knows.
    :param already_deidentified: what happens to instances that say that they were de-identified before.
    """

    edition: Edition = "2026d"
    options: tuple[Option, ...] = ()
    max_shift_days: int = Field(default=3650, ge=1, le=36500)
    shift_by: Literal["patient", "study"] = "patient"
    round_age_years: int = Field(default=1, ge=1, le=50)
    unlisted: Literal["remove", "keep"] = "remove"
    already_deidentified: Literal["accept", "hold"] = "accept"
    private: PrivatePolicy = PrivatePolicy()
    rules: tuple[Rule, ...] = ()

    @model_validator(mode="after")
    def _check_options(self) -> DeidentifyPolicy:
        if {"retain_longitudinal_full_dates", "retain_longitudinal_modified_dates"} <= set(self.options):
            raise ValueError("the options retain_longitudinal_full_dates and ..._modified_dates contradict each other")
        return self

    def in_force(self, edition: str, options: tuple[str, ...]) -> DeidentifyPolicy:
        """Return the same with another edition and other options."""
        return self.model_copy(update={"edition": edition, "options": options})

    @property
    def private_mode(self) -> str:
        """The mode in force: the option `retain_safe_private` asks for at least `safe`."""
        if "retain_safe_private" in self.options:
            return "safe"
        return self.private.mode
