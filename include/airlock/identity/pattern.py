r"""IdPattern: research subject ids from a project's regular expression, as FIONA's automatic ids are made.

Only what describes a finite set of ids is understood: characters, classes, `\d`, `\w`, groups, alternatives and
bounded repeats. Anything else is refused when the policy is loaded.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from re import _constants as ops  # type: ignore[attr-defined]  # not in typeshed  # typeshed does not describe it
from re import _parser as parser  # type: ignore[attr-defined]  # not in typeshed
from typing import Any

from airlock.identity.limits import SUBJECT_LENGTH

Choose = Callable[[int], int]
"""Returns a number below the one it is given."""

_CLASSES = {
    ops.CATEGORY_DIGIT: string.digits,
    ops.CATEGORY_WORD: string.ascii_letters + string.digits + "_",
}
_ALLOWED = frozenset(string.printable[:95]) - {"\\"}


class IdPattern:
    """Makes ids that match a regular expression.

    :param text: the expression, with or without anchors.
    :raises ValueError: when it is not understood, or an id could be longer than 64 characters (LO) or empty.
    """

    def __init__(self, text: str) -> None:
        try:
            self._compiled = re.compile(text, re.ASCII)
            tree = list(parser.parse(text))
        except (re.error, RecursionError, OverflowError):
            raise ValueError("is not a regular expression") from None
        if tree and tree[0] == (ops.AT, ops.AT_BEGINNING):
            tree = tree[1:]
        if tree and tree[-1] == (ops.AT, ops.AT_END):
            tree = tree[:-1]
        self._tree = tree
        self.size, shortest, longest = _measure(tree)
        if not 1 <= shortest <= longest <= SUBJECT_LENGTH:
            raise ValueError(f"makes ids that do not have 1 to {SUBJECT_LENGTH} characters")

    def make(self, choose: Choose) -> str:
        """Return an id.

        :param choose: makes every choice.
        """
        return _make(self._tree, choose)

    def matches(self, text: str) -> bool:
        """Whether an id matches."""
        return self._compiled.fullmatch(text) is not None


def _measure(nodes: Any) -> tuple[int, int, int]:
    """Return how many texts a tree describes at most, and the shortest and longest length."""
    size, shortest, longest = 1, 0, 0
    for node in nodes:
        many, least, most = _measure_one(*node)
        size, shortest, longest = size * many, shortest + least, longest + most
        if longest > SUBJECT_LENGTH * 2:
            break
    return size, shortest, longest


def _measure_one(kind: Any, value: Any) -> tuple[int, int, int]:
    if kind in (ops.LITERAL, ops.IN):
        return len(_characters(kind, value)), 1, 1
    if kind in (ops.MAX_REPEAT, ops.MIN_REPEAT):
        least, most, body = value
        if most > SUBJECT_LENGTH:
            raise ValueError("repeats without a bound; write {n} or {n,m}")
        size, shortest, longest = _measure(body)
        return sum(size**n for n in range(least, most + 1)), shortest * least, longest * most
    if kind is ops.SUBPATTERN and not value[1] and not value[2]:
        return _measure(value[3])
    if kind is ops.BRANCH:
        sizes, shortest_ones, longest_ones = zip(*map(_measure, value[1]), strict=True)
        return sum(sizes), min(shortest_ones), max(longest_ones)
    raise ValueError("has something that does not describe a finite set of ids")


def _characters(kind: Any, value: Any) -> str:
    found = chr(value) if kind is ops.LITERAL else "".join(_members(*item) for item in value)
    if not found or not set(found) <= _ALLOWED:
        raise ValueError("allows characters other than printable ASCII without the backslash")
    return "".join(dict.fromkeys(found))


def _members(kind: Any, value: Any) -> str:
    if kind is ops.LITERAL:
        return chr(value)
    if kind is ops.RANGE and value[1] < 128:
        return "".join(map(chr, range(value[0], value[1] + 1)))
    if kind is ops.CATEGORY and value in _CLASSES:
        return _CLASSES[value]
    raise ValueError("has a class that does not name its characters")


def _make(nodes: Any, choose: Choose) -> str:
    return "".join(_make_one(kind, value, choose) for kind, value in nodes)


def _make_one(kind: Any, value: Any, choose: Choose) -> str:
    if kind in (ops.LITERAL, ops.IN):
        characters = _characters(kind, value)
        return characters[choose(len(characters))]
    if kind in (ops.MAX_REPEAT, ops.MIN_REPEAT):
        least, most, body = value
        return "".join(_make(body, choose) for _ in range(least + choose(most - least + 1)))
    if kind is ops.SUBPATTERN:
        return _make(value[3], choose)
    return _make(value[1][choose(len(value[1]))], choose)
