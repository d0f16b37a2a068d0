"""The engine that applies a profile to a dataset, at every level, without recursion.

It works on pydicom datasets and leaves untouched values as the file encodes them. What it needs to know of the study
(identifiers, UID map, offset of dates) it is given; it reads and writes no files.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag
from pydicom.valuerep import VR as KNOWN_VRS

from airlock.deid.content import Content
from airlock.deid.descriptors import DescriptorCleaner
from airlock.deid.iod import Types, resolve, types_of
from airlock.deid.profile import DATE_VRS, Profile, dictionary_entry
from airlock.deid.rewrite import Rewriter
from airlock.deid.values import dummy_code
from airlock.errors import InstanceNotUnderstood
from airlock.identity.identifiers import Identifiers
from airlock.identity.uids import UidMap

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

# Coding schemes that others than a site fill (PS3.16 section 8, table 8-1).
_STANDARD_SCHEMES = frozenset(
    (
        "ACR",
        "BARI",
        "C4",
        "CPT4",
        "DCM",
        "FMA",
        "HPC",
        "I10",
        "I10P",
        "I9",
        "I9C",
        "ICD10",
        "ICD11",
        "ICDO3",
        "LN",
        "MDC",
        "NCIt",
        "NDC",
        "RADLEX",
        "RXNORM",
        "SCT",
        "SNM3",
        "SRT",
        "UCUM",
        "UMLS",
    )
)


@dataclass(frozen=True)
class Level:
    """Where the engine stands.

    :param parent: keyword of the enclosing sequence, empty at the top.
    :param cleaning: inside a sequence whose action is C: all free text is cleaned.
    :param dummying: inside a sequence whose action is D: all free text is replaced.
    :param graphics: inside graphic annotations that are not to be kept.
    """

    parent: str = ""
    cleaning: bool = False
    dummying: bool = False
    graphics: bool = False


@dataclass
class Outcome:
    """What the engine did, in numbers.

    :param actions: elements by action letter.
    :param unreadable_dates: dates that could not be moved and were emptied.
    """

    actions: Counter[str] = field(default_factory=Counter)
    unreadable_dates: int = 0


class Engine:
    """Applies one profile to the datasets of one patient.

    :param days: offset of all dates; used when the profile has the modified dates option.
    """

    def __init__(self, profile: Profile, uids: UidMap, identifiers: Identifiers, days: int) -> None:
        self._profile = profile
        self._identifiers = identifiers
        self._rewriter = Rewriter(uids, identifiers, DescriptorCleaner(identifiers), days)

    def apply(self, dataset: Dataset) -> Outcome:
        """De-identify a dataset in place.

        :raises InstanceNotUnderstood: when something in it cannot be cleaned.
        """
        outcome = Outcome()
        types = types_of(str(dataset.get("SOPClassUID", "")))
        content = Content(self._profile, dataset)
        stack = [(dataset, Level())]
        while stack:
            current, level = stack.pop()
            content.enter(current, level.parent)
            for tag in list(current.keys()):
                for item, inner in self._element(current, tag, level, types, outcome, content):
                    stack.append((item, inner))
        return outcome

    def _element(
        self, current: Dataset, tag: BaseTag, level: Level, types: Types, outcome: Outcome, content: Content
    ) -> list[tuple[Dataset, Level]]:
        """Treat one element; return the items of it that must be entered."""
        element = current.get_item(tag)
        # Also of what is removed: whatever would have followed is missing from a file that ends there.
        _check_whole(element)
        if tag.is_private or tag.element == 0 or tag.group in (0x0000, 0x0002):
            del current[tag]
            return []
        dictionary_vr, keyword = dictionary_entry(tag)
        vr = _actual_vr(element, dictionary_vr)
        action = content.override(current, keyword) or self._action(current, tag, vr, dictionary_vr, level)
        kind = types.get(level.parent, {}).get(keyword, "3")
        letter = resolve(action, kind)
        if vr in BINARY_VRS and letter == "D" and keyword == "EncapsulatedDocument" and element.value:
            raise InstanceNotUnderstood("It is an encapsulated document, whose content cannot be cleaned.")
        outcome.actions[letter] += 1
        if vr == "SQ":
            return self._sequence(current, tag, letter, keyword, level)
        fallback = resolve(self._basic(tag), kind) if letter in ("C", "S") else letter
        outcome.unreadable_dates += self._rewriter.rewrite(current, tag, vr, keyword, letter, fallback, kind)
        return []

    def _basic(self, tag: BaseTag) -> str:
        row = self._profile.row(tag)
        return row.basic if row is not None else "X/Z/D"

    def _action(self, current: Dataset, tag: BaseTag, vr: str, dictionary_vr: str, level: Level) -> str:
        keyword = dictionary_entry(tag)[1]
        action = self._profile.action(tag)
        if action in ("K", "C", "S"):
            action = self._checked(action, tag, vr, dictionary_vr)
        if action == "K" and self._profile.row(tag) is None and vr in FREE_TEXT_VRS:
            return self._text_action(current, keyword, level)
        if level.graphics and keyword == "GraphicData":
            return "D"
        return action

    @staticmethod
    def _text_action(current: Dataset, keyword: str, level: Level) -> str:
        if keyword not in _CODE:
            return "D" if level.dummying else "C" if level.cleaning else "K"
        # A site's own codes may be made up for one person; a device's own concept names are not.
        own_code = str(current.get("CodingSchemeDesignator", "")) not in _STANDARD_SCHEMES
        looked_at = level.cleaning or (level.dummying and level.parent != "ConceptNameCodeSequence")
        return "C" if keyword.endswith("Meaning") and own_code and looked_at else "K"

    def _checked(self, action: str, tag: BaseTag, vr: str, dictionary_vr: str) -> str:
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

    def _sequence(
        self, current: Dataset, tag: BaseTag, letter: str, keyword: str, level: Level
    ) -> list[tuple[Dataset, Level]]:
        if letter == "X":
            del current[tag]
            return []
        if letter == "Z":
            current.add_new(tag, "SQ", [])
            return []
        element = current[tag]
        if element.VR != "SQ":
            raise InstanceNotUnderstood("One of its sequences cannot be read.")
        items = list(element.value or [])
        if letter == "D" and any("CodeMeaning" in item or "CodeValue" in item for item in items):
            current.add_new(tag, "SQ", [dummy_code()])
            return []
        inner = Level(
            parent=keyword,
            cleaning=level.cleaning or letter == "C",
            dummying=level.dummying or letter == "D",
            graphics=level.graphics or (letter == "D" and keyword == "GraphicAnnotationSequence"),
        )
        return [(item, inner) for item in items]


def _check_whole(element: Any) -> None:
    if not isinstance(element, RawDataElement) or element.length == 0xFFFFFFFF:
        return
    if len(element.value or b"") != element.length:
        raise InstanceNotUnderstood("One of its values is cut short.")


def _actual_vr(element: Any, dictionary_vr: str) -> str:
    """Return the VR that the value is in; `UN` when that is not known (PS3.5 section 6.2.2)."""
    vr = element.VR
    if vr is None or vr == "UN":
        return dictionary_vr.split(" or ", maxsplit=1)[0] or "UN"
    # pydicom names what the file leaves open, such as `US or SS`.
    vr = str(vr).split(" or ", 1)[0]
    return vr if vr in _VRS else "UN"
