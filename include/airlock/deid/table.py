"""A profile as a table for people: one line per attribute, with the words for its action."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import ClassVar

from airlock.deid.profile import Profile, Row, dictionary_entry

MEANINGS = {
    "X": "removed",
    "Z": "emptied",
    "D": "replaced by a dummy value",
    "U": "UID replaced by the keyed map",
    "K": "kept, identifiers cut from it",
    "C": "cleaned",
    "S": "date moved by the patient's offset",
    "X/Z": "removed, or emptied where the object must have it",
    "X/D": "removed, or replaced by a dummy value where the object must have it",
    "Z/D": "emptied, or replaced by a dummy value where the object must have one",
    "X/Z/D": "removed, emptied or replaced by a dummy value: the first that leaves the object valid",
    "X/Z/U*": "references kept with mapped UIDs",
}


@dataclass(frozen=True)
class Line:
    """What a profile does with one attribute.

    :param tag: eight digits; `x` in those of a repeating group.
    :param action: letters of PS3.15 table E.1-1, and S for a date that is moved.
    :param basic: what the table says without options.
    """

    tag: str
    keyword: str
    name: str
    vr: str
    action: str
    basic: str

    NONE: ClassVar[Line]

    @property
    def meaning(self) -> str:
        """The action in words."""
        return MEANINGS.get(self.action, self.action)

    def holds(self, text: str) -> bool:
        """Whether tag, keyword or name holds a text."""
        wanted = text.lower().replace("(", "").replace(")", "").replace(",", "")
        return any(wanted in part.lower() for part in (self.tag, self.keyword, self.name))

    def cells(self) -> list[str]:
        """Tag, name, VR and action as they are printed."""
        tag = f"({self.tag[:4]},{self.tag[4:]})" if len(self.tag) == 8 else "(odd,xxxx)"
        return [tag, self.keyword or self.name, self.vr, self.action]

    def as_dict(self) -> dict[str, str]:
        """Return the line as a JSON object."""
        return {**asdict(self), "meaning": self.meaning}


Line.NONE = Line("", "", "", "", "", "")


def lines(profile: Profile) -> Iterator[Line]:
    """Yield what a profile does with every attribute of its table, in the order of their tags."""
    for row in profile.rows():
        plain = len(row.tag) == 8 and "x" not in row.tag
        action = profile.action(int(row.tag, 16)) if plain else group_action(profile, row)
        vr = row.vr or (dictionary_entry(int(row.tag, 16))[0] if plain else "")
        yield Line(row.tag, row.keyword, row.name, vr, action, row.basic)


def group_action(profile: Profile, row: Row) -> str:
    """Return the action on a repeating group, or on private attributes."""
    chosen = {action for option, action in row.options.items() if option in profile.options}
    return "C" if chosen else row.basic
