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

from airlock.deid.content import Content
from airlock.deid.decide import TOP, Context, Decider, Decision
from airlock.deid.descriptors import DescriptorCleaner
from airlock.deid.profile import Profile
from airlock.deid.rewrite import Rewriter
from airlock.deid.values import dummy_code
from airlock.errors import InstanceNotUnderstood
from airlock.identity.identifiers import Identifiers
from airlock.identity.uids import UidMap

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
        self.rewriter = Rewriter(uids, identifiers, DescriptorCleaner(identifiers), days)
        self._deciders: dict[str, Decider] = {}

    def decider(self, sop_class_uid: str) -> Decider:
        """Return what decides for the objects of a SOP class."""
        decider = self._deciders.get(sop_class_uid)
        if decider is None:
            decider = self._deciders[sop_class_uid] = Decider(self._profile, sop_class_uid)
        return decider

    def apply(self, dataset: Dataset, context: Context = TOP, sop_class_uid: str | None = None) -> Outcome:
        """De-identify a dataset in place.

        :param context: where its elements stand; for a dataset that is a part of an object.
        :param sop_class_uid: class of the object; None to read it from the dataset.
        :raises InstanceNotUnderstood: when something in it cannot be cleaned.
        """
        if sop_class_uid is None:
            sop_class_uid = str(dataset.get("SOPClassUID", ""))
        run = _Run(self.decider(sop_class_uid), self.rewriter, Content(self._profile, dataset))
        stack = [(dataset, context)]
        while stack:
            current, level = stack.pop()
            run.content.enter(current, level.parent)
            for tag in list(current.keys()):
                stack.extend(run.element(current, tag, level))
        return run.outcome


class _Run:
    """One dataset on its way through the engine."""

    def __init__(self, decider: Decider, rewriter: Rewriter, content: Content) -> None:
        self._decider, self._rewriter, self.content = decider, rewriter, content
        self.outcome = Outcome()

    def element(self, current: Dataset, tag: BaseTag, context: Context) -> list[tuple[Dataset, Context]]:
        """Treat one element; return the items of it that must be entered."""
        element = current.get_item(tag)
        # Also of what is removed: whatever would have followed is missing from a file that ends there.
        _check_whole(element)
        vr = None if element.VR is None else str(element.VR)
        decision = self._decider.decide(context, int(tag), vr)
        if decision.needs_dataset:
            decision = self._with_dataset(decision, current, context)
        if decision.hold and element.value:
            raise InstanceNotUnderstood(decision.hold)
        self.outcome.actions[decision.letter] += 1
        if decision.vr == "SQ":
            return self._sequence(current, tag, decision)
        self._value(current, tag, decision, element)
        return []

    def _with_dataset(self, decision: Decision, current: Dataset, context: Context) -> Decision:
        """Decide again, with the values beside the element."""
        action = self.content.override(current, decision.keyword)
        own_code = str(current.get("CodingSchemeDesignator", "")) not in _STANDARD_SCHEMES
        if action is None and own_code and decision.letter == "K" and decision.keyword.endswith("Meaning"):
            action = "C"
        return decision if action is None else self._decider.revise(decision, action, context)

    def _value(self, current: Dataset, tag: BaseTag, decision: Decision, element: Any) -> None:
        encodings = current._character_set  # noqa: SLF001 - pydicom has no public name for what it decoded with
        new = self._rewriter.rewrite(
            decision, tag, element.value, encodings if isinstance(encodings, list) else [encodings]
        )
        self.outcome.unreadable_dates += new.unreadable_date
        if new.removed:
            del current[tag]
        elif new.changed:
            current.add_new(tag, decision.vr, new.value)

    def _sequence(self, current: Dataset, tag: BaseTag, decision: Decision) -> list[tuple[Dataset, Context]]:
        if decision.letter == "X":
            del current[tag]
            return []
        if decision.letter == "Z" or decision.items is None:
            current.add_new(tag, "SQ", [])
            return []
        element = current[tag]
        if element.VR != "SQ":
            raise InstanceNotUnderstood("One of its sequences cannot be read.")
        items = list(element.value or [])
        if decision.letter == "D" and any("CodeMeaning" in item or "CodeValue" in item for item in items):
            current.add_new(tag, "SQ", [dummy_code()])
            return []
        return [(item, decision.items) for item in items]


def _check_whole(element: Any) -> None:
    if not isinstance(element, RawDataElement) or element.length == 0xFFFFFFFF:
        return
    if len(element.value or b"") != element.length:
        raise InstanceNotUnderstood("One of its values is cut short.")
