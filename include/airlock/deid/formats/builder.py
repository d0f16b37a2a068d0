"""Collects the rules of a foreign file, and writes down what became of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airlock.deid.formats.attributes import Attribute, public
from airlock.deid.formats.model import STRICTNESS, Conversion, Entry, Fate, Rule, Verdict
from airlock.deid.profile import load_table

EDITION = "2026d"
ALL = "(xxxx,xxxx)"
_COVERED = {
    frozenset((0x00100010, 0x00100020)): "the research subject of the request is written",
    frozenset((0x00120062, 0x00120063, 0x00120064, 0x00280303)): "the marks say what was really done",
    range(0x00020000, 0x00030000): "the file meta information is written anew",
}
_UIDS = {0x00080018, 0x0020000D, 0x0020000E, 0x00020003}
_SOP_CLASS = 0x00080016
_SHOWN = 60
Branch = tuple[dict[str, Any] | None, Verdict]
"""A condition, and what is to be done under it; of several, the first whose condition holds is used."""


class Builder:
    """Builds a :class:`Conversion`.

    :param format_name: name of the foreign format.
    """

    def __init__(self, format_name: str) -> None:
        self.conversion = Conversion(format_name)
        self._rules: dict[tuple[str, str], list[Rule]] = {}
        self._listed = {tag for tag, row in load_table(EDITION)[0].items() if row.basic != "K"}

    def note(self, place: str, target: str, source: str, result: str, fate: Fate, why: str = "") -> None:
        """Account for something that is not a rule for an attribute."""
        shown = source if len(source) <= _SHOWN else f"{source[: _SHOWN - 1]}…"
        self.conversion.entries.append(Entry(place, target, shown, result, fate, why))

    def take(self, place: str, source: str, attribute: Attribute, verdict: Verdict) -> None:
        """Take over a rule without a condition."""
        self.branches(place, source, attribute, [(None, verdict)])

    def branches(self, place: str, source: str, attribute: Attribute, branches: Sequence[Branch]) -> None:
        """Take over a rule; an earlier one for the same attribute stays when it is stricter."""
        if covered := _covered(attribute, branches):
            self.note(place, attribute.name, source, "", *covered)
            return
        if attribute.private:
            self._private(place, source, attribute, branches)
            return
        self._add(place, source, attribute, branches)

    def _add(self, place: str, source: str, attribute: Attribute, branches: Sequence[Branch]) -> None:
        key = attribute.where, attribute.name
        rules = [Rule(attribute, verdict, when) for when, verdict in branches]
        earlier = self._rules.get(key)
        if earlier and _loosest(earlier) <= _loosest(rules):
            why = "an earlier rule for the same attribute is as strict"
            self.note(place, attribute.name, source, _told(earlier), Fate.LEFT_OUT, why)
            return
        self._rules[key] = rules
        worst = min((rule.verdict for rule in rules), key=lambda verdict: list(Fate)[::-1].index(verdict.fate))
        why = worst.why or self._looser(attribute, rules)
        self.note(place, attribute.name, source, _told(rules), worst.fate, why)

    def _private(self, place: str, source: str, attribute: Attribute, branches: Sequence[Branch]) -> None:
        """Take over a rule for a private attribute. Whatever is not kept on purpose is removed anyway."""
        actions = {verdict.action for _, verdict in branches}
        if "unresolved" in actions or "hold" in actions:
            self._add(place, source, attribute, branches)
        elif actions != {"keep"}:
            fate = Fate.COVERED if actions == {"remove"} else Fate.STRICTER
            self.note(place, attribute.name, source, "remove", fate, "private attributes are removed")
        elif attribute.where == "private":
            self.conversion.keep_private.append(attribute.name)
            self.note(place, attribute.name, source, "keep", Fate.SAME, _KEPT)
        else:
            why = "its private creator is not named, so what it holds is not known"
            self.note(place, attribute.name, source, "remove", Fate.STRICTER, why)

    def _looser(self, attribute: Attribute, rules: Sequence[Rule]) -> str:
        kept = any(STRICTNESS[rule.verdict.action] == STRICTNESS["keep"] for rule in rules)
        listed = attribute.tag is not None and f"{attribute.tag:08X}" in {tag.upper() for tag in self._listed}
        return _KEPT if kept and listed else ""

    def finish(self) -> Conversion:
        """Return what was collected. Rules for more than one attribute stand last."""
        rules = [rule for rules in self._rules.values() for rule in rules]
        self.conversion.rules = sorted(rules, key=lambda rule: rule.attribute.tag is None)
        if self.conversion.allow_list:
            self.conversion.rules[:0] = _NEEDED
            self.conversion.rules.append(Rule(Attribute("tag", ALL), Verdict("remove", why="all others")))
        if self.conversion.keep_private and self.conversion.private == "remove":
            self.conversion.private = "keep-list"
        return self.conversion


_KEPT = "looser than PS3.15: the project's approval must allow it"


_NEEDED = [
    Rule(public(tag), Verdict("keep" if tag == _SOP_CLASS else "uid", why="no object without it"))
    for tag in (_SOP_CLASS, 0x00080018, 0x0020000D, 0x0020000E)
]
"""What the rule for all others must leave."""


def _covered(attribute: Attribute, branches: Sequence[Branch]) -> tuple[Fate, str] | None:
    """Return fate and reason when the attribute is dealt with in every instance, whatever rules say."""
    actions = {verdict.action for _, verdict in branches}
    if attribute.tag is None or not actions.isdisjoint(("hold", "unresolved")):
        return None
    if attribute.tag in _UIDS:
        kept = "keep" in actions
        return (Fate.STRICTER, "new UIDs; the option retain_uids keeps them") if kept else (Fate.COVERED, "new UIDs")
    if attribute.tag == _SOP_CLASS:
        return Fate.COVERED if actions == {"keep"} else Fate.LEFT_OUT, "kept: it says what kind of object this is"
    for tags, why in _COVERED.items():
        if attribute.tag in tags:
            return Fate.COVERED, why
    return None


def _loosest(rules: Sequence[Rule]) -> int:
    return max(STRICTNESS[rule.verdict.action] for rule in rules)


def _told(rules: Sequence[Rule]) -> str:
    return "; ".join(_one(rule) for rule in rules)


def _one(rule: Rule) -> str:
    words = [f"{name} {value}" for name, value in rule.verdict.arguments.items()]
    told = " ".join((rule.verdict.action, *words))
    return f"{told} when {rule.when['tag']}" if rule.when else told
