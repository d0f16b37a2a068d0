"""What a foreign set of rules becomes: rules of a project file, and an account of every rule that was read."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from airlock import rules
from airlock.deid.formats.attributes import Attribute

Action = rules.Action | Literal["unresolved"]
"""The actions of project files. `unresolved` is none of them: a file that holds it is refused when it is loaded."""

STRICTNESS: dict[str, int] = {
    "unresolved": 0,
    "hold": 1,
    "remove": 2,
    "empty": 3,
    "dummy": 4,
    "replace": 4,
    "hash": 5,
    "uid": 5,
    "lookup": 5,
    "shift": 6,
    "round": 6,
    "truncate": 6,
    "clean": 6,
    "keep-matching": 6,
    "require": 7,
    "keep": 7,
}
"""How little of the original an action leaves, the strictest first."""


class Fate(enum.StrEnum):
    """What became of a foreign rule."""

    SAME = "same"  # it means the same here
    STRICTER = "stricter"  # less of the original is left than it asked for
    COVERED = "covered"  # it is done to every instance, without a rule
    LEFT_OUT = "left out"  # its loss can't leak
    UNRESOLVED = "unresolved"  # its loss could leak: somebody must write the rule


@dataclass(frozen=True)
class Verdict:
    """What is to be done with an attribute, in the words of project files.

    :param why: said where the foreign rule is not taken over as it is.
    """

    action: Action
    arguments: dict[str, Any] = field(default_factory=dict)
    fate: Fate = Fate.SAME
    why: str = ""

    def because(self, why: str, fate: Fate = Fate.STRICTER) -> Verdict:
        """Return the same action with another fate and reason."""
        return replace(self, fate=fate, why=why)


@dataclass(frozen=True)
class Rule:
    """One rule of a project file. Of the rules for one attribute, the first whose condition holds is used."""

    attribute: Attribute
    verdict: Verdict
    when: dict[str, Any] | None = None


@dataclass(frozen=True)
class Entry:
    """A line of the account.

    :param place: where the foreign rule stands, for example `line 12`.
    :param source: the foreign rule, shortened.
    :param result: what it became.
    """

    place: str
    target: str
    source: str
    result: str
    fate: Fate
    why: str = ""


@dataclass
class Conversion:
    """A foreign set of rules, read.

    :param format: name of the format.
    :param allow_list: attributes that no rule names are removed, whatever PS3.15 says.
    :param private: mode of private attributes, and those to keep.
    """

    format: str
    allow_list: bool = False
    private: Literal["remove", "keep-list", "safe"] = "remove"
    keep_private: list[str] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)

    @property
    def unresolved(self) -> int:
        """How many rules somebody must write before the project file can be loaded."""
        return sum(entry.fate is Fate.UNRESOLVED for entry in self.entries)


def strictest(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict that leaves least of the original."""
    return min(verdicts, key=lambda verdict: STRICTNESS[verdict.action])
