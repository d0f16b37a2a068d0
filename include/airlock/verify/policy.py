"""What a project's own rules allow beyond table E.1-1: the one place of verification that reads them.

Rules are read by the names of their fields, so that a policy without any is one too. A rule that computes a value
(replace, hash, round, ...) allows any value in which no identifier is found; one with a condition allows what it asks
for besides what the table does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache

from airlock.patterns import compiled_later
from airlock.tuples import NamedTuple
from airlock.typed import Any, Protocol
from airlock.verify.allowed import Private
from airlock.verify.shipped import read_table
from airlock.verify.table import CLEAN, DUMMY, EMPTY, KEEP, MAP, SHIFT, Allowance, Override
from airlock.verify.text import entry


class Terms(Protocol):
    """What verification asks of :class:`airlock.deidentify_policy.DeidentifyPolicy`; rules are asked for by name."""

    @property
    def edition(self) -> str:
        """Of PS3.15."""

    @property
    def options(self) -> Collection[str]:
        """Of PS3.15 section E.3."""

    @property
    def max_shift_days(self) -> int:
        """By how many days dates move at most."""

    @property
    def shift_by(self) -> str:
        """`patient` or `study`."""


_ANY: Allowance = frozenset((KEEP,))
_BY_ACTION: dict[str, Allowance] = {
    "remove": frozenset(),
    "empty": frozenset((EMPTY,)),
    "dummy": frozenset((DUMMY,)),
    "clean": frozenset((CLEAN, DUMMY)),
    "uid": frozenset((MAP,)),
    "shift": frozenset((SHIFT, DUMMY)),
    **dict.fromkeys(("keep", "replace", "hash", "round", "truncate", "lookup", "keep-matching"), _ANY),
}
_PRIVATE = compiled_later(
    r"""\(?(?P<group>[0-9A-Fa-fx]{4})?,?[ ]?  # a group
        (?:["\[](?P<creator>[^"\]]+)["\]])?   # a creator
        (?:,[ ]?(?:xx)?(?P<element>[0-9A-Fa-fx]{2}|\*))?\)?""",
    re.VERBOSE,
)
_CSA_CREATOR, _CSA_GROUP = "SIEMENS CSA HEADER", 0x0029


class RuleReader:
    """A project's rules for public attributes.

    :param keep_unlisted: whether attributes that PS3.6 does not know stay.
    """

    def __init__(self, rules: Sequence[Any], *, keep_unlisted: bool) -> None:
        self._rules = [rule for rule in rules if rule.action in _BY_ACTION or rule.action == "require"]
        self._keep_unlisted = keep_unlisted

    def __call__(self, path: tuple[int, ...], tag: int, table: Callable[[], Allowance]) -> Allowance:
        """Return what is allowed for an attribute at a path of sequences.

        :param table: says what is allowed where no rule decides.
        """
        allowed: Allowance | None = None
        for rule in sorted(self._rules, key=_rank):
            if not _is_for(rule.selector, path, tag):
                continue
            computed = rule.action == "require" or (rule.action == "shift" and rule.days)
            wanted = _ANY if computed else _BY_ACTION[rule.action]
            if rule.when is not None or rule.action in ("keep-matching", "require"):
                allowed = (allowed or frozenset()) | wanted
                continue
            return wanted | (allowed or frozenset())
        found = table()
        if not found and self._keep_unlisted and not entry(tag)[1] and 0x0007 < tag >> 16 < 0xFFFA:
            found = _ANY
        return found | (allowed or frozenset())


def _rank(rule: Any) -> int:
    """Order rules as they win: a path beats a tag, a tag one with wildcards, all beat a VR."""
    selector = rule.selector
    if hasattr(selector, "steps"):
        return 0
    return 3 if isinstance(selector, str) else 2 if getattr(selector, "wild", False) else 1


def _is_for(selector: Any, path: tuple[int, ...], tag: int) -> bool:
    if isinstance(selector, str):
        return entry(tag)[0] == selector.encode()
    steps = getattr(selector, "steps", None)
    if steps is None:
        return bool(selector.matches(tag, None))
    here = (*path, tag)[-len(steps) :]
    return len(here) == len(steps) and all(step.matches(each, None) for step, each in zip(steps, here, strict=True))


def override_of(policy: Terms) -> Override | None:
    """Return what the project's rules allow for single attributes; None when it has none of its own."""
    rules, keep = getattr(policy, "rules", ()), getattr(policy, "unlisted", "remove") == "keep"
    return RuleReader(rules, keep_unlisted=keep) if rules or keep else None


class PrivateName(NamedTuple):
    """Private elements as a policy names them: `(gggg,"CREATOR",ee)`, a creator, or a group; `x` is any digit.

    :param group: four digits; `element` two, of the number in the block.
    :param creator: None for any.
    """

    group: str = "xxxx"
    creator: str | None = None
    element: str = "xx"

    @classmethod
    def parse(cls, text: str) -> PrivateName:
        """Read a name. One that is not understood names nothing."""
        match = _PRIVATE.fullmatch(text.strip())
        if match is None or not (match["group"] or match["creator"]):
            return cls(group="none")
        element = match["element"] or "xx"
        return cls(match["group"] or "xxxx", match["creator"], "xx" if element == "*" else element)

    def matches(self, tag: int, creator: str, *, whole: bool = False) -> bool:
        """Whether an element with this creator is one of them; `whole` leaves the number in the block out."""
        return (
            _same_digits(self.group, f"{tag >> 16:04X}")
            and self.creator in (None, creator)
            and (whole or _same_digits(self.element, f"{tag & 0xFF:02X}"))
        )


def _same_digits(wanted: str, digits: str) -> bool:
    pairs = zip(wanted.upper(), digits, strict=False)
    return len(wanted) == len(digits) and all(one in ("X", other) for one, other in pairs)


class PrivateReader:
    """Which private elements a project keeps (PS3.15 section E.3.10)."""

    def __init__(self, keep: Sequence[str], *, safe: bool, csa: bool) -> None:
        self._keep, self._csa = [PrivateName.parse(text) for text in keep], csa
        self._safe = _safe_elements() if safe else frozenset()

    def __call__(self, _path: tuple[int, ...], tag: int, creator: str) -> bool:
        """Whether an element may stay; a creator may when it names a block of which something may."""
        group, number = tag >> 16, tag & 0xFFFF
        if self._csa and creator == _CSA_CREATOR and group == _CSA_GROUP:
            return True
        if number < 0x1000:
            safe = any(known[:2] == (creator, group) for known in self._safe)
            return safe or any(name.matches(tag, creator, whole=True) for name in self._keep)
        return (creator, group, number & 0xFF) in self._safe or any(n.matches(tag, creator) for n in self._keep)


@lru_cache(maxsize=1)
def _safe_elements() -> frozenset[tuple[str, int, int]]:
    import json  # noqa: PLC0415 - few projects keep private elements

    document = json.loads(read_table("safe_private"))
    return frozenset(
        (creator, int(group, 16), int(text[:2], 16))
        for creator, groups in document["elements"].items()
        for group, elements in groups.items()
        for text in elements.split()
    )


def private_of(policy: Terms) -> Private | None:
    """Return which private elements the project keeps; None when it keeps none."""
    private, mode = getattr(policy, "private", None), getattr(policy, "private_mode", "remove")
    rules = [rule.private for rule in getattr(policy, "rules", ()) if rule.private and rule.action != "remove"]
    csa = private is not None and private.csa_header
    if mode == "remove" and not csa and not rules:
        return None
    keep = private.keep if private is not None else ()
    return PrivateReader([*keep, *rules], safe=mode == "safe", csa=csa)
