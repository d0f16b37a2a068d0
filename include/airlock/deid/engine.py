"""The engine that applies a profile to a dataset, at every level, without recursion.

It works on pydicom datasets and leaves untouched values as the file encodes them. What it needs to know of the study
(identifiers, UID map, offset of dates) it is given; it reads and writes no files.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from airlock.deid.basis import Basis
from airlock.deid.blocks import Creators, block_of, creators_of, drop_empty_blocks
from airlock.deid.concepts import ANIMALS, SPECIES
from airlock.deid.content import Content
from airlock.deid.decide import DECLARATION, NUMERIC_VRS, TOP, Context, Decider, Decision, facts_of
from airlock.deid.finish import finish
from airlock.deid.profile import Profile
from airlock.deid.rewrite import Rewriter
from airlock.deid.values import STANDARD_SCHEMES, dummy_code, peek
from airlock.errors import InstanceNotUnderstood
from airlock.identity.harvest import texts
from airlock.identity.identifiers import Identifiers
from airlock.identity.uids import UidMap

_OVERLAY_TYPE = 0x0040
_AGAIN = (
    "It says that it was de-identified before. Send the original, or set `already_deidentified: accept` in the "
    "project's policy."
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
    :param key: of the project, for keyed hashes of values.
    """

    def __init__(self, profile: Profile, uids: UidMap, identifiers: Identifiers, days: int, key: bytes = b"") -> None:
        self._use(Basis(profile, uids, identifiers, days, key))

    @classmethod
    def on(cls, basis: Basis) -> Engine:
        """Return an engine that shares what it decides and remembers with others."""
        engine = cls.__new__(cls)
        engine._use(basis)  # noqa: SLF001 - its own
        return engine

    def _use(self, basis: Basis) -> None:
        self._profile, self._identifiers = basis.profile, basis.identifiers
        self._rewriter, self._decider = basis.rewriter, basis.decider

    def apply(self, dataset: Dataset, context: Context = TOP, sop_class_uid: str | None = None) -> Outcome:
        """De-identify a dataset in place.

        :param context: where its elements stand; for a dataset that is a part of an object.
        :param sop_class_uid: class of the object, for a part of it; None when the dataset is a whole object.
        :raises InstanceNotUnderstood: when something in it cannot be cleaned.
        """
        facts = None
        if sop_class_uid is None:
            sop_class_uid = str(dataset.get("SOPClassUID", ""))
            self._check_first_time(dataset)
            facts = facts_of(self._profile, dataset)
        decider = self._decider(sop_class_uid, facts)
        run = _Run(decider, self._rewriter, Content(self._profile, dataset), self._identifiers)
        stack = [(dataset, context)]
        while stack:
            current, level = stack.pop()
            stack.extend(run.dataset(current, level))
        if facts is not None:
            finish(dataset, decider)
        return run.outcome

    def _check_first_time(self, dataset: Dataset) -> None:
        said = str(dataset.get("PatientIdentityRemoved", "")).strip().upper()
        if said == "YES" and self._profile.policy.already_deidentified == "hold":
            raise InstanceNotUnderstood(_AGAIN)


class _Run:
    """One dataset on its way through the engine."""

    def __init__(self, decider: Decider, rewriter: Rewriter, content: Content, identifiers: Identifiers) -> None:
        self._decider, self._rewriter, self._content, self._identifiers = decider, rewriter, content, identifiers
        self._encodings: list[str] = []
        self.outcome = Outcome()

    def dataset(self, current: Dataset, context: Context) -> list[tuple[Dataset, Context]]:
        """Treat the elements of one dataset; return the items in it that must be entered."""
        self._content.enter(current, context.parent)
        creators = creators_of(current, self._identifiers) if self._decider.any_private else {}
        self._encodings = _encodings(current)
        inner: list[tuple[Dataset, Context]] = []
        for tag in list(current.keys()):
            inner.extend(self._element(current, tag, context, creators))
        if creators:
            drop_empty_blocks(current)
        return inner

    def _element(
        self, current: Dataset, tag: BaseTag, context: Context, creators: Creators
    ) -> list[tuple[Dataset, Context]]:
        """Treat one element; return the items of it that must be entered."""
        element = current.get_item(tag)
        # Also of what is removed: whatever would have followed is missing from a file that ends there.
        _check_whole(element)
        vr = None if element.VR is None else str(element.VR)
        creator = creators.get(block_of(tag), "") if self._decider.any_private and tag.is_private else None
        decision = self._decider.decide(context, int(tag), vr, creator)
        if decision.needs_dataset:
            decision = self._with_dataset(decision, current, context, tag)
        if decision.hold and self._holds(decision, current, tag):
            raise InstanceNotUnderstood(decision.hold)
        self.outcome.actions[decision.letter] += 1
        if decision.vr == "SQ":
            return self._sequence(current, tag, decision)
        if decision.letter != "P":
            self._value(current, tag, decision)
        return []

    def _with_dataset(self, decision: Decision, current: Dataset, context: Context, tag: BaseTag) -> Decision:
        """Decide again, with the values beside the element."""
        if tag == DECLARATION and not context.parent:
            return self._decider.declaration(decision)
        if decision.rule is not None or tag.is_private:
            return decision
        if (
            tag.group >> 8 == 0x60
            and str(current.get((tag.group, _OVERLAY_TYPE), DataElement(0, "CS", "")).value) != "R"
        ):
            # Text that is drawn into graphics is not told from the rest; regions of interest hold none.
            return self._decider.revise(decision, "X", context, tag)
        if decision.keyword in ANIMALS and not any(keyword in current for keyword in SPECIES):
            return self._decider.optional(decision, int(tag))
        action = self._content.override(current, decision.keyword)
        own_code = peek(current, "CodingSchemeDesignator") not in STANDARD_SCHEMES
        if action is None and own_code and decision.letter == "K" and decision.keyword.endswith("Meaning"):
            action = "C"
        return decision if action is None else self._decider.revise(decision, action, context, tag)

    def _holds(self, decision: Decision, current: Dataset, tag: BaseTag) -> bool:
        rule = decision.rule
        if rule is None or rule.action != "hold":
            return bool(current.get_item(tag).value)
        return rule.pattern is None or any(
            re.fullmatch(rule.pattern, text, re.DOTALL) for text in self._texts(current, tag, decision.vr)
        )

    def _texts(self, current: Dataset, tag: BaseTag, vr: str) -> list[str]:
        if vr == "SQ":
            return []
        return texts(current[tag] if vr in NUMERIC_VRS else current.get_item(tag), vr, self._encodings)

    def _value(self, current: Dataset, tag: BaseTag, decision: Decision) -> None:
        if decision.letter == "X":
            del current[tag]
            return
        decode = decision.letter == "R" and decision.vr in NUMERIC_VRS
        value = current[tag].value if decode else current.get_item(tag).value
        new = self._rewriter.rewrite(decision, tag, value, self._encodings)
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
        if element.VR != "SQ" and tag.is_private:
            # What cannot be walked through cannot be known to be safe.
            del current[tag]
            return []
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


def _encodings(current: Dataset) -> list[str]:
    encodings = current._character_set  # noqa: SLF001 - pydicom has no public name for what it decoded with
    return encodings if isinstance(encodings, list) else [encodings]
