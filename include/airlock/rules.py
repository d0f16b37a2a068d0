"""The rules of a project: what is done with an attribute instead of what the profile's table says, as it is written."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from airlock.dicomio.dictionary import vr_of
from airlock.dicomio.head import LONG_VRS, SHORT_VRS
from airlock.selectors import PathSelector, PrivateSelector, TagSelector, parse_path, parse_private, parse_tag

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
_VRS = frozenset(vr.decode() for vr in LONG_VRS | SHORT_VRS)


_FOR_SEQUENCES = frozenset(("keep", "remove", "empty", "dummy", "clean", "require", "hold"))


def _legal(vr: str, value: str) -> bool:
    if vr in ("US", "UL", "SS", "SL", "UV", "SV", "FL", "FD"):
        return re.fullmatch(r"[+-]?[0-9]{1,10}(\.[0-9]+)?", value) is not None
    from pydicom.config import RAISE  # noqa: PLC0415 - importing it takes longer than reading a policy
    from pydicom.valuerep import validate_value  # noqa: PLC0415 - as above

    try:
        validate_value(vr, value, RAISE)
    except (ValueError, NotImplementedError):
        return False
    return vr not in ("OB", "OW", "OD", "OF", "OL", "OV", "UN", "SQ", "AT")


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
        self._check_arguments()
        if self.action == "require" and (self.tag is None or parse_tag(self.tag).wild):
            raise ValueError("the action require names one attribute by `tag`, without wildcards")
        return self

    def _check_arguments(self) -> None:
        if self.table is not None and not Path(self.table).is_file():
            raise ValueError("there is no such lookup table")
        if self.days == 0:
            raise ValueError("dates that move by 0 days do not move")
        vr = self._vr()
        if vr == "SQ" and self.action not in _FOR_SEQUENCES:
            raise ValueError(f"the action {self.action} is not for sequences")
        if self.action == "shift" and vr not in ("", "DA", "DT", "TM"):
            raise ValueError("the action shift is for dates and times")
        if self.value and vr:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if not _legal(vr, self.value):
                    raise ValueError(f"`value` is not a legal value of the representation {vr}")

    def _vr(self) -> str:
        """Return the VR of what the rule is for; empty where there may be several."""
        selector = self.selector
        if isinstance(selector, PathSelector):
            selector = selector.steps[-1]
        if isinstance(selector, TagSelector) and not selector.wild:
            try:
                vr = vr_of(selector.bits)
            except KeyError:
                return ""
            return vr if len(vr) == 2 else ""
        return selector if isinstance(selector, str) else ""

    @property
    def selector(self) -> TagSelector | PrivateSelector | PathSelector | str:
        """What the rule is for; a VR as text."""
        if self.tag is not None:
            return parse_tag(self.tag)
        if self.private is not None:
            return parse_private(self.private)
        return parse_path(self.path) if self.path is not None else str(self.vr)
