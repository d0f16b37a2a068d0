"""Which of a project's rules is for an element. A path beats a tag, a tag beats a VR, all beat the profile's table."""

from __future__ import annotations

import re
from collections.abc import Sequence

from airlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from airlock.rules import Condition, Rule
    from airlock.selectors import PathSelector, PrivateSelector, TagSelector

    Selector = TagSelector | PrivateSelector | PathSelector | str

Paths = frozenset[tuple[int, int]]
"""How far rules with paths have matched on the way to where one stands: (index of the rule, steps)."""

NOWHERE: Paths = frozenset()


class Overrides:
    """The rules of a project that apply to an instance.

    :param rules: in the order of the policy; of several for the same element, the first is used.
    :param active: indexes of those whose condition holds.
    """

    def __init__(self, rules: Sequence[Rule], active: frozenset[int]) -> None:
        self._paths: dict[int, tuple[Rule, Sequence[TagSelector | PrivateSelector]]] = {}
        self._tags: list[tuple[TagSelector | PrivateSelector, Rule]] = []
        self._vrs: list[tuple[str, Rule]] = []
        self.required: list[tuple[int, Rule]] = []
        self.private = False
        chosen = [(index, rule, rule.selector) for index, rule in enumerate(rules) if index in active]
        if chosen:
            self._sort(chosen)

    def _sort(self, chosen: list[tuple[int, Rule, Selector]]) -> None:
        from airlock.selectors import (  # noqa: PLC0415 - projects without rules do without
            PathSelector,
            PrivateSelector,
            TagSelector,
            parse_tag,
        )

        self._paths = {i: (rule, s.steps) for i, rule, s in chosen if isinstance(s, PathSelector)}
        self._tags = [(s, rule) for _, rule, s in chosen if isinstance(s, (TagSelector, PrivateSelector))]
        self._tags.sort(key=lambda pair: isinstance(pair[0], TagSelector) and pair[0].wild)
        self._vrs = [(s, rule) for _, rule, s in chosen if isinstance(s, str)]
        self.required = [(parse_tag(rule.tag or "").bits, rule) for _, rule, _s in chosen if rule.action == "require"]
        self.private = any(_may_be_private(selector) for _, _rule, selector in chosen)

    def find(self, paths: Paths, tag: int, vr: str, creator: str | None) -> Rule | None:
        """Return the rule for an element; None when the table decides."""
        for index, done in sorted(paths):
            rule, steps = self._paths[index]
            if done == len(steps) - 1 and steps[done].matches(tag, creator):
                return rule
        for selector, rule in self._tags:
            if selector.matches(tag, creator):
                return rule
        # What a VR asks for is not asked of private elements: that they stay at all is decided by their creator.
        public = not tag >> 16 & 1
        return next((rule for wanted, rule in self._vrs if public and wanted == vr), None)

    def inside(self, paths: Paths, tag: int, creator: str | None) -> Paths:
        """Return how far the paths have matched inside the items of a sequence."""
        if not self._paths:
            return NOWHERE
        begun = {(i, 1) for i, (_, steps) in self._paths.items() if steps[0].matches(tag, creator)}
        gone_on = {
            (i, done + 1)
            for i, done in paths
            if done + 1 < len(self._paths[i][1]) and self._paths[i][1][done].matches(tag, creator)
        }
        return frozenset(begun | gone_on)


def _may_be_private(selector: Selector) -> bool:
    from airlock.selectors import PathSelector, PrivateSelector, TagSelector  # noqa: PLC0415 - as above

    if isinstance(selector, PathSelector):
        return any(_may_be_private(step) for step in selector.steps)
    if isinstance(selector, TagSelector):
        # A wildcard for whole groups means the public ones; private elements are named by their creator.
        return bool(selector.mask >> 16 & 1 and selector.bits >> 16 & 1)
    return isinstance(selector, PrivateSelector)


def active_rules(rules: Sequence[Rule], dataset: Dataset | None) -> frozenset[int]:
    """Return the indexes of the rules whose condition holds for an object.

    :param dataset: top level of the object, nothing in it changed; None where only unconditional rules count.
    """
    return frozenset(
        index
        for index, rule in enumerate(rules)
        if rule.when is None or (dataset is not None and _holds(rule.when, dataset))
    )


def _holds(condition: Condition, dataset: Dataset) -> bool:
    from airlock.selectors import parse_tag  # noqa: PLC0415 - as above

    tag = parse_tag(condition.tag).bits
    values = _values(dataset, tag)
    if isinstance(condition.negated, str):
        return condition.negated not in values
    if condition.equals is not None:
        found = condition.equals in values
    elif condition.matches is not None:
        found = any(re.fullmatch(condition.matches, value, re.DOTALL) for value in values)
    else:
        found = (tag in dataset) is condition.exists
    return found is not condition.negated


def _values(dataset: Dataset, tag: int) -> list[str]:
    if tag not in dataset:
        return []
    value = dataset[tag].value
    if value is None:
        return [""]
    many = isinstance(value, (list, tuple)) or type(value).__name__ == "MultiValue"
    return [str(part).strip(" \0") for part in (value if many else [value])]
