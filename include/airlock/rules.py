"""How a project is de-identified: the `deidentify` section of its policy, as it is written.

The section is checked as a whole when it is loaded. What it means for an element is decided in :mod:`airlock.deid`.
"""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydicom.valuerep import VR

from airlock.selectors import PathSelector, PrivateSelector, TagSelector, parse_path, parse_private, parse_tag

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

Action = Literal[
    "keep",
    "remove",
    "empty",
    "dummy",
    "replace",
    "clean",
    "uid",
    "shift",
    "hash",
    "round",
    "truncate",
    "lookup",
    "keep-matching",
    "require",
    "hold",
]
_NEEDS = {
    "replace": ("value",),
    "round": ("to",),
    "truncate": ("length",),
    "lookup": ("table",),
    "keep-matching": ("pattern",),
}
_TAKES = {
    **_NEEDS,
    "shift": ("days",),
    "hash": ("length",),
    "hold": ("pattern",),
    "lookup": ("table", "type"),
    "require": ("value",),
}
_ARGUMENTS = ("value", "days", "length", "to", "table", "type", "pattern")
_VRS = frozenset(str(vr.value) for vr in VR if len(vr.value) == 2)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _pattern(text: str | None) -> str | None:
    if text is not None:
        try:
            re.compile(text)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error.msg}") from None
    return text


class Condition(_Part):
    """What must be true of an instance's top level, before anything in it is changed, for a rule to apply.

    :param tag: keyword or `(gggg,eeee)`.
    :param equals: one of its values is this text.
    :param matches: one of its values matches this expression, as a whole.
    :param exists: whether it must be there, or must not.
    :param negated: `not: true` turns the condition round; `not: text` means that no value is this text.
    """

    tag: str
    equals: str | None = None
    matches: str | None = None
    exists: bool | None = None
    negated: bool | str = Field(default=False, alias="not")

    @field_validator("tag")
    @classmethod
    def _check_tag(cls, text: str) -> str:
        if parse_tag(text).wild:
            raise ValueError("a condition names one attribute, without wildcards")
        return text

    @field_validator("matches")
    @classmethod
    def _check_pattern(cls, text: str | None) -> str | None:
        return _pattern(text)

    @model_validator(mode="after")
    def _check_one(self) -> Condition:
        said = [self.equals is not None, self.matches is not None, self.exists is not None]
        if sum([*said, isinstance(self.negated, str)]) != 1:
            raise ValueError("a condition says one of: equals, matches, exists, not")
        return self


class Rule(_Part):
    """What is done with an attribute instead of what the profile's table says.

    Which one: `tag` (keyword or `(gggg,eeee)`, `x` for any digit), `vr`, `private` (`(gggg,"CREATOR",ee)`, without
    `ee` for the whole block) or `path` (`A>B`: B in the items of A, at any level).

    :param value: for `replace`; for `require`, what an attribute gets that is not there.
    :param days: for `shift`; the patient's own offset when left out.
    :param length: characters, for `hash` and `truncate`.
    :param to: multiple of which the number becomes the nearest, for `round`.
    :param table: file, for `lookup`; relative to the project's file.
    :param type: of the table's keys, for a table that says so (`type/key=value`).
    :param pattern: regular expression for the whole value, for `keep-matching` and `hold`.
    """

    tag: str | None = None
    vr: str | None = None
    private: str | None = None
    path: str | None = None
    action: Action
    value: str | None = None
    days: int | None = Field(default=None, ge=-36500, le=36500)
    length: int | None = Field(default=None, ge=1, le=64)
    to: int | None = Field(default=None, ge=1, le=1000000)
    table: str | None = None
    type: str | None = None
    pattern: str | None = None
    when: Condition | None = None

    @field_validator("value", mode="before")
    @classmethod
    def _value_as_text(cls, value: object) -> object:
        return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value

    @field_validator("pattern")
    @classmethod
    def _check_pattern(cls, text: str | None) -> str | None:
        return _pattern(text)

    @field_validator("vr")
    @classmethod
    def _check_vr(cls, text: str | None) -> str | None:
        if text is not None and text not in _VRS:
            raise ValueError("not a value representation of PS3.5")
        return text

    @model_validator(mode="after")
    def _check(self) -> Rule:
        if sum(part is not None for part in (self.tag, self.vr, self.private, self.path)) != 1:
            raise ValueError("a rule names one of: tag, vr, private, path")
        given = {name for name in _ARGUMENTS if getattr(self, name) is not None}
        for name in _NEEDS.get(self.action, ()):
            if name not in given:
                raise ValueError(f"the action {self.action} needs `{name}`")
        if unused := given - set(_TAKES.get(self.action, ())):
            raise ValueError(f"the action {self.action} takes no `{sorted(unused)[0]}`")
        self.selector  # noqa: B018 - reading it checks the spelling
        if self.action == "require" and (self.tag is None or parse_tag(self.tag).wild):
            raise ValueError("the action require names one attribute by `tag`, without wildcards")
        return self

    @property
    def selector(self) -> TagSelector | PrivateSelector | PathSelector | str:
        """What the rule is for; a VR as text."""
        if self.tag is not None:
            return parse_tag(self.tag)
        if self.private is not None:
            return parse_private(self.private)
        return parse_path(self.path) if self.path is not None else str(self.vr)


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

    @property
    def private_mode(self) -> str:
        """The mode in force: the option `retain_safe_private` asks for at least `safe`."""
        if "retain_safe_private" in self.options:
            return "safe"
        return self.private.mode
