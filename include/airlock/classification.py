"""Classification rules as FIONA writes them (`classifyRules.json`): which types the instances of a series have.

A file is a list of rules. Each gives a `type` to instances for which all its clauses hold; with `check: SeriesLevel`
every instance of the series must match. A clause compares an attribute, or refers to another rule by its `id`.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from airlock.dicomio.dictionary import tag_of

Operator = Literal["regexp", "contains", "==", "!=", "<", ">", "approx", "exist", "notexist"]

CLASSIFY_TYPE, NUM_FILES = "ClassifyType", "NumFiles"
"""What a clause may compare besides attributes: the types of the series so far, and how many instances it has."""

_OLD_NAMES = {"SoftwareVersion": "SoftwareVersions", "SliceSpacing": "SpacingBetweenSlices"}
_PRIVATE_NAMES = {"AcquisitionLength": 0x0051100A, "SequenceType": 0x20011020, "PulseSequenceName": 0x0019109C}
_MAX_BYTES = 4 << 20
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|[0-9]+")


class Clause(BaseModel):
    """One condition: of an attribute, or that another rule holds (`rule`) or doesn't (`notrule`).

    :param tag: a keyword or derived field; or group and element; or these and the number of a value, from 0.
    :param value: to compare with; a list of texts that names an attribute stands for its value.
    :param approx_level: how far two numbers may lie apart for the operator `approx`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: str | None = None
    notrule: str | None = None
    tag: tuple[str, ...] = ()
    value: Any = None
    operator: Operator = "regexp"
    negate: bool = False
    approx_level: float = Field(default=1e-4, ge=0, alias="approxLevel")

    @model_validator(mode="after")
    def _check(self) -> Clause:
        if [self.rule is not None, self.notrule is not None, bool(self.tag)].count(True) != 1:
            raise ValueError("a clause has one of: rule, notrule, tag")
        if self.tag and self.operator not in ("exist", "notexist") and self.value is None:
            raise ValueError(f"the operator {self.operator} needs a value")
        if len(self.tag) > 3 or (len(self.tag) > 1 and address(self.tag) is None):
            raise ValueError("a tag has a name, or group and element as numbers, or these and the number of a value")
        if self.tag and self.operator == "regexp" and isinstance(self.value, str):
            try:
                re.compile(self.value)
            except re.error as error:
                raise ValueError(f"not a regular expression: {error.msg}") from None
        return self

    @property
    def negated(self) -> bool:
        """Whether it holds when what it says does not."""
        return self.negate != (self.notrule is not None)

    @property
    def reference(self) -> tuple[str, ...] | None:
        """The attribute that `value` names; None when it is a value."""
        value = self.value
        if isinstance(value, (list, tuple)) and all(isinstance(part, str) for part in value) and value:
            named = tuple(value)
            return named if address(named) is not None and (len(named) == 1 or named[0].startswith("0")) else None
        return None


class ClassRule(BaseModel):
    """One rule."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: str = Field(min_length=1)
    id: str | None = None
    description: str = ""
    check: Literal["SeriesLevel"] | None = None
    rules: tuple[Clause, ...] = Field(min_length=1)

    @property
    def whole_series(self) -> bool:
        """Whether every instance of the series must match."""
        return self.check is not None


Rules = tuple[ClassRule, ...]


def address(named: Sequence[str]) -> int | str | None:
    """Return the tag that a clause names, or the name of a derived field; None when it is neither."""
    if len(named) == 1:
        name = _OLD_NAMES.get(named[0], named[0])
        if name in (CLASSIFY_TYPE, NUM_FILES):
            return name
        if name in _PRIVATE_NAMES:
            return _PRIVATE_NAMES[name]
        tag = tag_of(name) if name else None
        return None if tag is None else int(tag)
    if len(named) not in (2, 3) or not all(_NUMBER.fullmatch(part) for part in named):
        return None
    return (int(named[0], 0) << 16) | int(named[1], 0) if int(named[0], 0) <= 0xFFFF >= int(named[1], 0) else None


def read_rules(path: Path) -> Any:
    """Read a file of rules, unchecked.

    :raises ValueError: when it can't be read or is not JSON.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError(f"{path.name} is larger than {_MAX_BYTES >> 20} MB")
        return json.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise ValueError(f"{path.name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path.name} is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{path.name}, line {error.lineno}: not JSON: {error.msg}") from None


def by_id(rules: Rules) -> dict[str, ClassRule]:
    """Return the rules that others may refer to: those whose id no other has."""
    counts = Counter(rule.id for rule in rules)
    return {rule.id: rule for rule in rules if rule.id is not None and counts[rule.id] == 1}


def check_rules(rules: Rules, wanted: Sequence[str]) -> None:
    """Check that rules refer to rules that exist, never in a circle, and that the types in use can be told.

    :param wanted: types that the project uses. Rules that compare what is not known here never match; of these types,
        each must have another one.
    :raises ValueError: when not.
    """
    known = by_id(rules)
    for rule in rules:
        _follow(rule, known, ())
    types = {rule.type for rule in rules}
    if missing := sorted(set(wanted) - types):
        raise ValueError(f"no classification rule has the type {missing[0]!r}")
    usable = {rule.type for rule in needed(rules, wanted)}
    for rule in rules:
        if rule.type in wanted and rule.type not in usable:
            named = next(name for name in _unknown(rule, known))
            raise ValueError(f"the type {rule.type!r} depends on {named!r}, which is not known here")


def _follow(rule: ClassRule, known: Mapping[str, ClassRule], path: tuple[str, ...]) -> None:
    for clause in rule.rules:
        name = clause.rule if clause.rule is not None else clause.notrule
        if name is None:
            continue
        if name not in known:
            raise ValueError(f"the type {rule.type!r} refers to the rule {name!r}, which does not exist once")
        if name in path:
            raise ValueError(f"the rule {name!r} refers to itself")
        _follow(known[name], known, (*path, name))


def _unknown(rule: ClassRule, known: Mapping[str, ClassRule]) -> Iterator[str]:
    return (clause.tag[0] for clause in _clauses(rule, known) if clause.tag and address(clause.tag) is None)


def _clauses(rule: ClassRule, known: Mapping[str, ClassRule]) -> Iterator[Clause]:
    for clause in rule.rules:
        name = clause.rule if clause.rule is not None else clause.notrule
        if name is None:
            yield clause
        else:
            yield from _clauses(known[name], known)


def needed(rules: Rules, wanted: Sequence[str]) -> Rules:
    """Return the rules that decide about some types, also through the types that they compare, in order.

    Those that compare what is not known here are left out.
    """
    known = by_id(rules)
    types = set(wanted)
    while True:
        chosen = tuple(rule for rule in rules if rule.type in types and not any(_unknown(rule, known)))
        asked = [clause for rule in chosen for clause in _clauses(rule, known) if clause.tag == (CLASSIFY_TYPE,)]
        more = {rule.type for rule in rules if any(_asks_for(clause, rule.type) for clause in asked)}
        if more <= types:
            return chosen
        types |= more


def _asks_for(clause: Clause, name: str) -> bool:
    value = str(clause.value)
    return bool(re.search(value, name)) if clause.operator == "regexp" else name == value


def tags(rules: Rules, known: Mapping[str, ClassRule]) -> frozenset[int]:
    """Return the tags that rules compare."""
    clauses = [clause for rule in rules for clause in _clauses(rule, known)]
    named = [address(n) for c in clauses for n in (c.tag, c.reference) if n]
    return frozenset(tag for tag in named if isinstance(tag, int))
