"""Verdicts that several formats share: what an attribute has room for, and what hides it when nothing better can."""

from __future__ import annotations

from airlock.deid.formats.attributes import Attribute
from airlock.deid.formats.model import Fate, Verdict

DATE_VRS = ("DA", "DT", "TM")
NUMBER_VRS = ("DS", "IS", "FL", "FD", "SL", "SS", "SV", "UL", "US", "UV", "AT")
PSEUDONYM_LENGTH = 16
DAY_SECONDS = 86_400

KEEP = Verdict("keep")
REMOVE = Verdict("remove")
EMPTY = Verdict("empty")


def hidden(attribute: Attribute, why: str) -> Verdict:
    """Return what leaves nothing of the value, where the foreign rule would leave something else of it."""
    action = REMOVE if attribute.vr == "SQ" or attribute.where == "private" else EMPTY
    return action.because(why)


def unresolved(why: str) -> Verdict:
    """Return the verdict on a rule whose loss could leak."""
    return Verdict("unresolved", fate=Fate.UNRESOLVED, why=why)


def pseudonym(attribute: Attribute, length: int = PSEUDONYM_LENGTH, why: str = "") -> Verdict:
    """Return a keyed hash where the VR has room for one, a new UID for a UID, else nothing of the value.

    :param length: in characters; no more than the VR allows (PS3.5 section 6.2).
    :param why: said when it is not quite what the foreign rule does.
    """
    if attribute.vr == "UI":
        return Verdict("uid", fate=Fate.STRICTER if why else Fate.SAME, why=why)
    if attribute.vr == "SQ":
        return REMOVE.because("a sequence has no value to hash")
    if attribute.vr in DATE_VRS or attribute.vr in NUMBER_VRS or attribute.vr == "AS":
        return hidden(attribute, f"a hash is no value of VR {attribute.vr}")
    length = max(1, min(length, attribute.room))
    return Verdict("hash", {"length": length}, Fate.STRICTER if why else Fate.SAME, why)


def shifted(attribute: Attribute, days: int | None = None, why: str = "") -> Verdict:
    """Return a move of dates.

    :param days: the same for everybody; None for the offset that the deployment key gives each subject.
    """
    if attribute.where == "tag" and attribute.tag is not None and attribute.vr not in DATE_VRS:
        return hidden(attribute, f"VR {attribute.vr or 'UN'} is no date")
    if days is not None:
        return Verdict("shift", {"days": days}, why="the same offset for everybody: who learns one date knows all")
    return Verdict("shift", fate=Fate.STRICTER if why else Fate.SAME, why=why)
