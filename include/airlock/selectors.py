"""How rules name attributes: by keyword, tag, private creator, or the sequences around them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from airlock.dicomio.dictionary import tag_of

_HEX = r"[0-9A-Fa-fx]"
# Compiled when a rule is read: most projects have none.
_TAG = rf"\(?({_HEX}{{4}}),? ?({_HEX}{{4}})\)?"
_PRIVATE = rf'\(({_HEX}{{4}}), ?["\[]([^"\\]+)["\]](?:, ?(?:xx)?({_HEX}{{2}}|\*))?\)'
_GROUP = rf"\(?({_HEX}{{4}})\)?"
_CREATOR = r'"([^"\\]+)"'


@dataclass(frozen=True)
class TagSelector:
    """Public attributes, or private ones by their number alone.

    :param mask: the bits of a tag that count.
    :param bits: their values.
    """

    mask: int
    bits: int

    @property
    def wild(self) -> bool:
        """Whether it has wildcards."""
        return self.mask != 0xFFFFFFFF

    def matches(self, tag: int, creator: str | None = None) -> bool:
        """Whether an attribute is one of them."""
        return tag & self.mask == self.bits


@dataclass(frozen=True)
class PrivateSelector:
    """Private attributes by group, creator and the last two digits of the element; None stands for any."""

    group_mask: int
    group: int
    creator: str | None
    element_mask: int
    element: int

    def matches(self, tag: int, creator: str | None = None) -> bool:
        """Whether an attribute with this private creator is one of them."""
        return (
            creator is not None
            and tag >> 16 & self.group_mask == self.group
            and tag & self.element_mask == self.element
            and self.creator in (None, creator.strip())
        )

    @property
    def whole(self) -> bool:
        """Whether it stands for whole groups, whoever made them."""
        return self.creator is None


@dataclass(frozen=True)
class PathSelector:
    """The last of several selectors, in the items of those before it."""

    steps: tuple[TagSelector | PrivateSelector, ...]


def _bits(digits: str) -> tuple[int, int]:
    mask = int("".join("0" if d == "x" else "F" for d in digits), 16)
    return mask, int(digits.replace("x", "0"), 16)


@lru_cache(maxsize=4096)
def parse_tag(text: str) -> TagSelector:
    """Read a keyword, `(gggg,eeee)` or `ggggeeee`; `x` stands for any digit.

    :raises ValueError: when it is none, or a keyword that PS3.6 does not have.
    """
    match = re.fullmatch(_TAG, text.strip())
    if match:
        mask, bits = _bits(match[1] + match[2])
        return TagSelector(mask, bits)
    tag = tag_of(text.strip())
    if tag is None:
        raise ValueError("not a keyword of PS3.6, nor a tag such as (0010,0020) or (60xx,3000)")
    return TagSelector(0xFFFFFFFF, tag)


@lru_cache(maxsize=4096)
def parse_private(text: str) -> PrivateSelector:
    """Read `(gggg,"CREATOR",ee)`, without `ee` for the whole block, `"CREATOR"`, or `gggg` for a group.

    :raises ValueError: when it is none, or the group is an even one.
    """
    if match := re.fullmatch(_CREATOR, text.strip()):
        return PrivateSelector(0x0001, 0x0001, match[1].strip(), 0, 0)
    match = re.fullmatch(_PRIVATE, text.strip()) or re.fullmatch(_GROUP, text.strip())
    if match is None:
        raise ValueError('not a private attribute such as (0019,"CREATOR",0C), a creator "CREATOR" or a group 0019')
    mask, group = _bits(match[1])
    if mask & 1 and not group & 1:
        raise ValueError("private attributes are in groups of odd number")
    creator, element = (match[2].strip(), match[3]) if match.re.pattern == _PRIVATE else (None, None)
    if element is None or element == "*":
        return PrivateSelector(mask, group, creator, 0, 0)
    element_mask, bits = _bits(element)
    return PrivateSelector(mask, group, creator, element_mask, bits)


@lru_cache(maxsize=1024)
def parse_path(text: str) -> PathSelector:
    """Read `A>B>C`, each a keyword, a tag or a private attribute.

    :raises ValueError: when a part of it is none, or there is only one.
    """
    parts = [part.strip() for part in re.split(r'>(?=(?:[^"]*"[^"]*")*[^"]*$)', text)]
    if len(parts) < 2:
        raise ValueError("a path names the sequences around an attribute: A>B")
    return PathSelector(tuple(parse_private(part) if '"' in part else parse_tag(part) for part in parts))
