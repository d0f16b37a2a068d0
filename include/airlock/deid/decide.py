"""What is to be done with an element, decided without its value.

A decision depends on the profile, the SOP class, where the element stands, its tag, its VR and, for a private element,
its creator; on nothing else. So it may be computed once and used for every element of that kind, whoever reads and
writes the values. What also depends on values beside the element is marked: :attr:`Decision.needs_dataset`.
"""

from __future__ import annotations

from airlock.deid.concepts import ANIMALS, CODE_KEYWORDS, CONTENT_SEQUENCES, CONTENT_VALUES, FOLLOWERS
from airlock.deid.decision import REMOVE, TOP, Context, Decision, Facts, facts_of
from airlock.deid.iod import resolve, types_of
from airlock.deid.overrides import Overrides
from airlock.deid.private import CSA_CREATOR, CSA_HEADERS, PrivateElements, by_vr
from airlock.deid.profile import DATE_VRS, Profile, dictionary_entry
from airlock.dicomio.head import LONG_VRS, SHORT_VRS
from airlock.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airlock.rules import Rule

__all__ = ["REMOVE", "TOP", "Context", "Decider", "Decision", "Facts", "facts_of"]

BINARY_VRS = frozenset(("OB", "OW", "OD", "OF", "OL", "OV", "UN"))
NUMERIC_VRS = frozenset(("US", "UL", "SS", "SL", "UV", "SV", "FL", "FD"))
FREE_TEXT_VRS = frozenset(("LO", "SH", "ST", "LT", "UT", "UC"))
_VRS = frozenset(vr.decode() for vr in LONG_VRS | SHORT_VRS)
_CONTENT_KEYWORDS = frozenset(CONTENT_VALUES.values())
# What a rule's action comes to in the letters of the table; those that are missing have a treatment of their own.
_LETTERS = {"keep": "K", "remove": "X", "empty": "Z", "dummy": "D", "clean": "C", "uid": "U", "shift": "S"}
_DOCUMENT = "It is an encapsulated document, whose content cannot be cleaned."
DECLARATION = 0x00080300
_IDENTITY_REMOVED = 0x00120062
_SOP_INSTANCE_UID = 0x00080018
_PIXEL_GROUP = 0x7FE0


class Decider:
    """Decides for the objects of one SOP class.

    :param profile: the table with the options in force, and the project's rules.
    :param facts: what the object's values say; by default what is true of every object.

    `any_private` says whether private elements may stay at all.
    """

    def __init__(self, profile: Profile, sop_class_uid: str, facts: Facts | None = None) -> None:
        self._profile = profile
        facts = facts or facts_of(profile)
        self._types = types_of(sop_class_uid)
        self.overrides = Overrides(profile.policy.rules, facts.active)
        self._private = PrivateElements(profile.policy, facts.declared)
        self.any_private = self._private.any or bool(facts.declared) or self.overrides.private
        # For who walks over bytes: what it made of these decisions, by the kind of place.
        self.plans: dict[object, Any] = {}
        self._known: dict[Context, dict[tuple[int, str | None, str | None], Decision]] = {}

    @property
    def whole(self) -> bool:
        """Whether the policy has rules that no decision on one element can carry out.

        They ask for other values of the object, or for elements that are not there: such objects are for the engine
        that has the dataset. So that nobody forgets to ask, the decision on the
        SOPInstanceUID, which every object has, then needs the dataset.
        """
        rules = self._profile.policy.rules
        return any(rule.when is not None or rule.action == "require" for rule in rules)

    def decide(self, context: Context, tag: int, vr: str | None, creator: str | None = None) -> Decision:
        """Return what is to be done with an element.

        :param vr: as the file encodes it; None in implicit VR.
        :param creator: private creator of its block, of a private creator itself its value; empty when there is none
            that counts; None for a public element, or when it is not known. Then the dataset is needed if any private
            block may stay.
        """
        known = self._known.setdefault(context, {})
        key = tag, vr, creator
        decision = known.get(key)
        if decision is None:
            decision = known[key] = self._decide(context, tag, vr, creator)
        return decision

    def optional(self, decision: Decision, tag: int) -> Decision:
        """Return the decision for an attribute that this object need not have."""
        return decision._replace(letter=resolve(self._profile.action(tag), "3"), kind="3", needs_dataset=False)

    def revise(self, decision: Decision, action: str, context: Context, tag: int) -> Decision:
        """Return the decision for another action of the table on the same element."""
        letter = resolve(action, decision.kind)
        items = self._inner(context, tag, None, decision.keyword, letter) if decision.vr == "SQ" else None
        return decision._replace(letter=letter, items=items, needs_dataset=False)

    def _decide(self, context: Context, tag: int, encoded_vr: str | None, creator: str | None) -> Decision:
        group = tag >> 16
        if not tag & 0xFFFF or group <= 0x0002:
            return REMOVE
        if group & 1:
            return self._decide_private(context, tag, encoded_vr, creator) if self.any_private else REMOVE
        dictionary_vr, keyword = dictionary_entry(tag)
        vr = actual_vr(encoded_vr, dictionary_vr)
        action, needs_dataset = self._action(context, tag, vr, dictionary_vr, keyword)
        kind = self._types.get(context.parent, {}).get(keyword, "3")
        if keyword in ANIMALS and context == TOP and kind == "3":
            # A patient is the same one in objects of classes that don't ask for it, or that nobody knows.
            kind = "2C"
        rule = self.overrides.find(context.paths, tag, vr, None)
        if rule is not None and rule.action in _LETTERS:
            action, needs_dataset = self._checked(_LETTERS[rule.action], tag, vr, dictionary_vr), False
        letter = resolve(action, kind)
        if rule is None and tag in FOLLOWERS and self.decide(context, FOLLOWERS[tag], None).letter in ("X", "Z"):
            letter = "X"
        is_document = keyword == "EncapsulatedDocument" and letter not in ("X", "Z") and vr in BINARY_VRS
        decision = Decision(
            letter=letter,
            fallback=resolve(self._basic(tag), kind),
            kind=kind,
            vr=vr,
            keyword=keyword,
            items=self._inner(context, tag, None, keyword, letter) if vr == "SQ" else None,
            needs_dataset=needs_dataset or self._asks_dataset(context, tag, vr, keyword, letter),
            hold=_DOCUMENT if is_document else "",
            rule=rule,
        )
        if tag == DECLARATION and context == TOP and letter != "X":
            # It counts for the whole object. Who has only this sequence cannot treat it, and so is not told that it is
            # one; the engine that has the dataset is told by `declaration`.
            return decision._replace(vr="UN", needs_dataset=True)
        return decision if rule is None or rule.action in _LETTERS else _ruled(decision, rule, tag)

    @staticmethod
    def declaration(decision: Decision) -> Decision:
        """Return the decision on the sequence that describes private blocks, for who has the whole object."""
        return decision._replace(vr="SQ", needs_dataset=False)

    def _asks_dataset(self, context: Context, tag: int, vr: str, keyword: str, letter: str) -> bool:
        if vr == "SQ":
            # Content items that are removed, and codes that become dummies.
            return letter == "D" or keyword in CONTENT_SEQUENCES
        if keyword in ANIMALS and letter == "Z":
            return True
        if context == TOP and tag == _IDENTITY_REMOVED:
            return self._profile.policy.already_deidentified == "hold"
        return (tag >> 24 == 0x60 and letter != "X") or (context == TOP and tag == _SOP_INSTANCE_UID and self.whole)

    def _decide_private(self, context: Context, tag: int, encoded_vr: str | None, creator: str | None) -> Decision:
        if creator is None and 0x10 <= tag & 0xFFFF <= 0xFF:
            return Decision("P", vr="LO", needs_dataset=True)
        creator = creator.strip(" \0") if creator else ""
        if not creator or 0x00FF < tag & 0xFFFF < 0x1000 or tag & 0xFFFF < 0x10:
            return REMOVE
        group = tag >> 16
        if group > _PIXEL_GROUP and context == TOP:
            # Verification lets nothing pass behind the pixel data.
            return REMOVE
        if tag & 0xFFFF < 0x1000:
            kept = self.overrides.private or self._private.may_keep(group, creator)
            return Decision("P", vr="LO", needs_dataset=True) if kept else REMOVE
        vr = actual_vr(encoded_vr, self._private.known_vr(tag, creator))
        rule = self.overrides.find(context.paths, tag, vr, creator)
        action = by_vr(self._profile, self._private.action(tag, creator), vr)
        if rule is not None and rule.action in _LETTERS:
            action = _LETTERS[rule.action]
            if action == "S" and vr not in DATE_VRS:
                action = "X"
        is_csa = action == "K" and creator == CSA_CREATOR and tag & 0xFF in CSA_HEADERS
        decision = Decision(
            letter="R" if is_csa else action,
            vr=vr,
            items=self._inner(context, tag, creator, "private", action) if vr == "SQ" else None,
            # Whether a sequence can be read as one, only the reader of the file knows.
            needs_dataset=vr == "SQ",
            treatment="csa" if is_csa else "",
            rule=rule,
        )
        return decision if rule is None or rule.action in _LETTERS else _ruled(decision, rule, tag)

    def _inner(self, context: Context, tag: int, creator: str | None, keyword: str, letter: str) -> Context | None:
        """Return where the elements of a sequence's items stand; None when they are not entered."""
        if letter in ("X", "Z"):
            return None
        graphics = keyword == "GraphicAnnotationSequence"
        return Context(
            parent=keyword or "unknown",
            cleaning=context.cleaning or letter == "C",
            dummying=context.dummying or letter == "D",
            graphics=context.graphics or (letter == "D" and graphics),
            drawn=context.drawn or (letter == "C" and graphics),
            paths=self.overrides.inside(context.paths, tag, creator),
        )

    def _basic(self, tag: int) -> str:
        row = self._profile.row(tag)
        return row.basic if row is not None else "X/Z/D"

    def _action(self, context: Context, tag: int, vr: str, dictionary_vr: str, keyword: str) -> tuple[str, bool]:
        """Return the table's action, and whether the dataset may say otherwise."""
        needs_dataset = context.parent in CONTENT_SEQUENCES and keyword in _CONTENT_KEYWORDS
        action = self._profile.action(tag)
        if action in ("K", "C", "S"):
            action = self._checked(action, tag, vr, dictionary_vr)
        if action == "U" and (vr in BINARY_VRS or vr in NUMERIC_VRS):
            action = "X/Z/D"  # bytes could be anything
        if not dictionary_vr and self._profile.row(tag) is None:
            action = self._profile.unknown(tag, vr)
        if self._profile.row(tag) is None and vr in FREE_TEXT_VRS:
            drawn = tag >> 24 in (0x50, 0x60)
            if action == "K" or (action == "C" and context.dummying and not drawn):
                return _text_action(context, keyword, needs_dataset=needs_dataset)
        if context.graphics and keyword == "GraphicData":
            action = "D"
        if context.drawn and keyword == "UnformattedTextValue":
            action = "C"
        return action, needs_dataset

    def _checked(self, action: str, tag: int, vr: str, dictionary_vr: str) -> str:
        """Don't keep, clean or move what is not of the kind that the attribute is meant to be."""
        expected = dictionary_vr.split(" or ") if dictionary_vr else [vr]
        if action not in ("K", "C", "S"):
            return action
        if vr in expected:
            usable = vr in DATE_VRS if action == "S" else vr != "UN"
            return action if usable else self._basic(tag)
        if "SQ" in (vr, *expected) or vr in BINARY_VRS or "PN" in (vr, *expected):
            return self._basic(tag)
        if vr in DATE_VRS or not DATE_VRS.isdisjoint(expected):
            return "S" if self._profile.modified_dates and vr in DATE_VRS else self._basic(tag)
        return "U" if vr == "UI" else action


def _ruled(table: Decision, rule: Rule, tag: int) -> Decision:
    """Return the decision of a rule whose action is none of the table's."""
    if rule.action == "hold":
        name = table.keyword or f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
        reason = f"A rule of the project holds instances with this attribute: {name}."
        return table._replace(hold=reason, needs_dataset=True)
    if rule.action == "require":
        letter = "Z" if table.letter == "X" else table.letter
        return table._replace(letter=letter, fallback="Z" if table.fallback == "X" else table.fallback)
    if table.vr == "SQ" or table.vr in BINARY_VRS:
        # There is no text to work on, so less than nothing of it is known to be safe.
        return table._replace(letter="X", items=None)
    numeric = table.vr in NUMERIC_VRS
    # A value that the action does not fit is not what the rule is for: it is never left as it is instead.
    otherwise = table._replace(letter=table.fallback) if table.letter in ("K", "C") else table
    return table._replace(
        letter="R", treatment=rule.action, otherwise=otherwise, needs_dataset=numeric or table.needs_dataset
    )


def _text_action(context: Context, keyword: str, *, needs_dataset: bool) -> tuple[str, bool]:
    if keyword not in CODE_KEYWORDS:
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
