"""Which instances a project wants: the `screen` section of its policy.

Rules either skip an instance, because the project doesn't want it, or hold it, because a person must look.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationInfo, field_validator, model_validator

from airlock.classification import Rules, check_rules, read_rules
from airlock.dicomio.dictionary import sop_classes
from airlock.dicomio.dictionary import tag_of as tag_of_keyword

Outcome = Literal["skip", "hold"]
Modality = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_ ]{0,15}$")]

_TAG = re.compile(r"\(?([0-9A-Fa-f]{4}),? ?([0-9A-Fa-f]{4})\)?")
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")
_BY_KEYWORD = sop_classes()


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Exclusion(_Part):
    """Instances whose pixels are not rewritten, by an attribute of each instance itself.

    :param tag: keyword or `(gggg,eeee)`.
    :param pattern: regular expression for the beginning of a value, as FIONA's `rewrite_ex_reg` is.
    """

    tag: str
    pattern: str

    @field_validator("tag")
    @classmethod
    def _check_tag(cls, text: str) -> str:
        tag_of(text)
        return text

    @field_validator("pattern")
    @classmethod
    def _check_pattern(cls, text: str) -> str:
        try:
            re.compile(text)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error.msg}") from None
        return text


def tag_of(text: str) -> int:
    """Return the tag that a keyword or `(gggg,eeee)` names.

    :raises ValueError: when it names none.
    """
    if found := _TAG.fullmatch(text.strip()):
        return int(found[1] + found[2], 16)
    tag = tag_of_keyword(text.strip())
    if tag is None:
        raise ValueError("not a keyword of PS3.6, nor a tag such as (0020,4000)")
    return int(tag)


class ScreenPolicy(_Part):
    """Which instances go on. The first two are FIONA's `project_features___0` and `___2`.

    :param capture_types: classification types that count as secondary captures.
    :param modalities: only these go on; all when empty.
    :param sop_classes: only these go on, by UID or keyword; all storage classes when empty.
    :param others: what becomes of instances that these two lists don't name.
    :param vendor_reports: dose reports, patient protocols, Siemens Phoenix reports.
    :param suspicious: what the header itself says may show who it is: declared text, screen saves, film digitizers.
    :param classify: FIONA's `classifyRules.json`: the list, or the path of the file, relative to the project's file.
    :param classified: what becomes of the instances of a type.
    :param rewrite_exclusions: FIONA's `rewritepixelexclusions`, looked at in every instance.
    """

    remove_presentation_states: bool = False
    remove_secondary_captures: bool = False
    capture_types: tuple[str, ...] = ("CHECKBURNEDINFO",)
    modalities: tuple[Modality, ...] = ()
    sop_classes: tuple[str, ...] = ()
    others: Outcome = "skip"
    vendor_reports: Literal["keep", "skip", "hold"] = "keep"
    suspicious: Literal["keep", "skip", "hold"] = "keep"
    classify: Rules = ()
    classified: dict[str, Outcome] = Field(default_factory=dict)
    rewrite_exclusions: tuple[Exclusion, ...] = ()

    @field_validator("sop_classes")
    @classmethod
    def _as_uids(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        uids = tuple(_BY_KEYWORD.get(name, name) for name in names)
        for uid in uids:
            if not _UID.fullmatch(uid):
                raise ValueError(f"{uid!r} is neither a UID nor the keyword of a SOP class, such as CTImageStorage")
        return uids

    @field_validator("classify", mode="before")
    @classmethod
    def _from_file(cls, value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, str):
            return value
        folder = (info.context or {}).get("folder", Path())
        return read_rules(Path(folder) / value)

    @model_validator(mode="after")
    def _check(self) -> ScreenPolicy:
        check_rules(self.classify, list(self.wanted_types))
        return self

    @property
    def wanted_types(self) -> tuple[str, ...]:
        """The classification types that decide something."""
        types = {rule.type for rule in self.classify}
        captures = [name for name in self.capture_types if name in types] if self.remove_secondary_captures else []
        return tuple(dict.fromkeys((*self.classified, *captures)))
