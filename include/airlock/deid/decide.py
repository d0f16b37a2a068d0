"""What is to be done with an element, decided without its value.

A decision depends on the profile, the SOP class, where the element stands, its tag, its VR and, for a private element,
its creator; on nothing else. So it may be computed once and used for every element of that kind, whoever reads and
writes the values. What also depends on values beside the element is marked: :attr:`Decision.needs_dataset`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pydicom.valuerep import VR as KNOWN_VRS

from airlock.deid.iod import resolve, types_of
from airlock.deid.profile import DATE_VRS, Profile, dictionary_entry

BINARY_VRS = frozenset(("OB", "OW", "OD", "OF", "OL", "OV", "UN"))
FREE_TEXT_VRS = frozenset(("LO", "SH", "ST", "LT", "UT", "UC"))
_VRS = frozenset(str(vr.value) for vr in KNOWN_VRS)
# The parts of a code (PS3.3 table 8.8-1) name a concept; without them its meaning is gone.
_CODE = frozenset(
    (
        "CodeValue",
        "LongCodeValue",
        "URNCodeValue",
        "CodingSchemeDesignator",
        "CodingSchemeVersion",
        "CodeMeaning",
        "ExtendedCodeValue",
        "ExtendedCodeMeaning",
    )
)
# Attributes that hold the value of a content item, whose concept decides (PS3.3 section C.17.3.2.1).
_CONTENT_VALUES = frozenset(("TextValue", "MeasuredValueSequence", "ConceptCodeSequence"))
_DOCUMENT = "It is an encapsulated document, whose content cannot be cleaned."


@dataclass(frozen=True, slots=True)
class Context:
    """Where an element stands. The default is the top level of a dataset.

    :param parent: keyword of the enclosing sequence, empty at the top.
    :param cleaning: inside a sequence whose action is C: all free text is cleaned.
    :param dummying: inside a sequence whose action is D: all free text is replaced.
    :param graphics: inside graphic annotations that are not to be kept.
    """

    parent: str = ""
    cleaning: bool = False
    dummying: bool = False
    graphics: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done with one element.

    :param letter: X (remove), Z (empty), D (dummy), K (keep, without identifiers), C (clean), S (move the date), U (map
        UIDs). Of a sequence: X removes it, Z leaves it without items, all others enter its items.
    :param fallback: X, Z or D, for a value of which nothing may remain.
    :param kind: type of the attribute in this IOD (PS3.3): 1, 1C, 2, 2C or 3.
    :param vr: the VR to read the value in, SQ for a sequence; UN when it is not known.
    :param keyword: of the attribute; empty when PS3.6 has none.
    :param items: where the elements of its items stand; None when it is not a sequence whose items are entered.
    :param needs_dataset: whether values beside the element count: only the engine that has the dataset can tell.
    :param hold: why the instance is held if the element has a value; empty when it is not.
    """

    letter: str
    fallback: str = "X"
    kind: str = "3"
    vr: str = "UN"
    keyword: str = ""
    items: Context | None = None
    needs_dataset: bool = False
    hold: str = ""

    def __post_init__(self) -> None:
        if self.letter in "XZ" and self.items is not None:
            raise ValueError("what is removed or emptied is not entered")


TOP = Context()
REMOVE = Decision("X")


class Decider:
    """Decides for the objects of one SOP class.

    :param profile: the table with the options in force.
    """

    def __init__(self, profile: Profile, sop_class_uid: str) -> None:
        self._profile = profile
        self._types = types_of(sop_class_uid)
        self._known: dict[tuple[Context, int, str | None, str | None], Decision] = {}

    def decide(self, context: Context, tag: int, vr: str | None, creator: str | None = None) -> Decision:
        """Return what is to be done with an element.

        :param vr: as the file encodes it; None in implicit VR.
        :param creator: private creator of its block; None for a public element, or when there is none.
        """
        key = context, tag, vr, creator
        decision = self._known.get(key)
        if decision is None:
            decision = self._known[key] = self._decide(context, tag, vr)
        return decision

    def revise(self, decision: Decision, action: str, context: Context) -> Decision:
        """Return the decision for another action of the table on the same element."""
        letter = resolve(action, decision.kind)
        items = self.inner(context, decision.keyword, letter) if decision.vr == "SQ" else None
        return replace(decision, letter=letter, items=items, needs_dataset=False)

    def _decide(self, context: Context, tag: int, encoded_vr: str | None) -> Decision:
        group = tag >> 16
        if group & 1 or not tag & 0xFFFF or group <= 0x0002:
            return REMOVE
        dictionary_vr, keyword = dictionary_entry(tag)
        vr = actual_vr(encoded_vr, dictionary_vr)
        action, needs_dataset = self._action(context, tag, vr, dictionary_vr, keyword)
        kind = self._types.get(context.parent, {}).get(keyword, "3")
        letter = resolve(action, kind)
        is_document = keyword == "EncapsulatedDocument" and letter == "D" and vr in BINARY_VRS
        return Decision(
            letter=letter,
            fallback=resolve(self._basic(tag), kind),
            kind=kind,
            vr=vr,
            keyword=keyword,
            items=self.inner(context, keyword, letter) if vr == "SQ" else None,
            needs_dataset=needs_dataset or keyword == "ContentSequence" or (vr == "SQ" and letter == "D"),
            hold=_DOCUMENT if is_document else "",
        )

    @staticmethod
    def inner(context: Context, keyword: str, letter: str) -> Context | None:
        """Return where the elements of a sequence's items stand; None when they are not entered."""
        if letter in ("X", "Z"):
            return None
        return Context(
            parent=keyword,
            cleaning=context.cleaning or letter == "C",
            dummying=context.dummying or letter == "D",
            graphics=context.graphics or (letter == "D" and keyword == "GraphicAnnotationSequence"),
        )

    def _basic(self, tag: int) -> str:
        row = self._profile.row(tag)
        return row.basic if row is not None else "X/Z/D"

    def _action(self, context: Context, tag: int, vr: str, dictionary_vr: str, keyword: str) -> tuple[str, bool]:
        """Return the table's action, and whether the dataset may say otherwise."""
        needs_dataset = context.parent == "ContentSequence" and keyword in _CONTENT_VALUES
        action = self._profile.action(tag)
        if action in ("K", "C", "S"):
            action = self._checked(action, tag, vr, dictionary_vr)
        if action == "K" and self._profile.row(tag) is None and vr in FREE_TEXT_VRS:
            return _text_action(context, keyword, needs_dataset=needs_dataset)
        if context.graphics and keyword == "GraphicData":
            action = "D"
        return action, needs_dataset

    def _checked(self, action: str, tag: int, vr: str, dictionary_vr: str) -> str:
        """Don't keep, clean or move what is not of the kind that the attribute is meant to be."""
        expected = dictionary_vr.split(" or ") if dictionary_vr else [vr]
        if vr in expected:
            usable = vr in DATE_VRS if action == "S" else vr != "UN"
            return action if usable else self._basic(tag)
        if "SQ" in (vr, *expected) or vr in BINARY_VRS or "PN" in (vr, *expected):
            return self._basic(tag)
        if vr in DATE_VRS or not DATE_VRS.isdisjoint(expected):
            return "S" if self._profile.modified_dates and vr in DATE_VRS else self._basic(tag)
        return "U" if vr == "UI" else action


def _text_action(context: Context, keyword: str, *, needs_dataset: bool) -> tuple[str, bool]:
    if keyword not in _CODE:
        return "D" if context.dummying else "C" if context.cleaning else "K", needs_dataset
    # A site's own codes may be made up for one person; a device's own concept names are not. Which it is, the coding
    # scheme beside the meaning says.
    looked_at = context.cleaning or (context.dummying and context.parent != "ConceptNameCodeSequence")
    return "K", keyword.endswith("Meaning") and looked_at


def actual_vr(encoded: str | None, dictionary_vr: str) -> str:
    """Return the VR that a value is in; `UN` when that is not known (PS3.5 section 6.2.2)."""
    if encoded is None or encoded == "UN":
        return dictionary_vr.split(" or ", maxsplit=1)[0] or "UN"
    # pydicom names what the file leaves open, such as `US or SS`.
    vr = encoded.split(" or ", 1)[0]
    return vr if vr in _VRS else "UN"
