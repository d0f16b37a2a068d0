"""Content items of structured reports and the like: what table E.3.4-1 of PS3.15 says of them.

The attributes inside content items are treated by table E.1-1 like any others. This adds what depends on the concept
that an item is about: an item that must go is removed with its children, unless other items of the document refer to
items by position; then its value and those of its children are replaced.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset

from airlock.deid.concepts import CONTENT_SEQUENCES
from airlock.deid.items import item_action, value_action
from airlock.deid.profile import Profile
from airlock.deid.treat import round_age
from airlock.deid.values import peek

_YEARS = "a"  # UCUM
_CODE_KEYWORDS = ("CodeValue", "LongCodeValue", "URNCodeValue")


class Content:
    """The content items of one object; nothing for objects without."""

    def __init__(self, profile: Profile, dataset: Dataset) -> None:
        self._profile = profile
        self._by_position = _refers_by_position(dataset)
        self._actions: dict[int, tuple[Dataset, str | None]] = {}

    def enter(self, item: Dataset, parent: str) -> None:
        """Look at a dataset before its elements are treated: remove children that must go, note what must change."""
        inherited = self._noted(item) if parent in CONTENT_SEQUENCES else None
        for keyword in CONTENT_SEQUENCES:
            if keyword in item:
                self._children(item, keyword, gone=inherited == "X")

    def override(self, item: Dataset, keyword: str) -> str | None:
        """Return the action that this item's concept asks for, for one of its attributes."""
        return value_action(self._noted(item), peek(item, "ValueType"), keyword)

    def _noted(self, item: Dataset) -> str | None:
        # The dataset is kept with its action, so that no other one can be given its id.
        return self._actions.get(id(item), (item, None))[1]

    def _children(self, item: Dataset, keyword: str, *, gone: bool) -> None:
        children = list(item[keyword].value or [])
        actions = ["X" if gone else self._action(child) for child in children]
        kept = [(c, a) for c, a in zip(children, actions, strict=True) if a != "X" or self._by_position]
        for child, action in kept:
            self._actions[id(child)] = (child, action)
            if action == "K" and str(child.get("ValueType", "")) == "NUM":
                _round_ages(child, self._profile.policy.round_age_years)
        if len(kept) == len(children):
            return
        if kept or keyword == "AcquisitionContextSequence":
            item[keyword].value = [child for child, _ in kept]
        else:
            # It is of type 1C: there, it has items (PS3.3 section C.17.3.1).
            del item[keyword]

    def _action(self, item: Dataset) -> str | None:
        """Return X, D, C or K; None when the table does not list the item."""
        kind = str(item.get("ValueType", ""))
        for name in item.get("ConceptNameCodeSequence", None) or []:
            code = next((str(name.get(k)) for k in _CODE_KEYWORDS if name.get(k)), "")
            scheme = str(name.get("CodingSchemeDesignator", ""))
            if (action := item_action(self._profile, kind, scheme, code)) is not None:
                return action
        return None


def _round_ages(item: Dataset, years: int) -> None:
    """Round ages in years that are kept as numbers, as those of PatientAge are (PS3.15 section E.3.7)."""
    for measured in item.get("MeasuredValueSequence", None) or []:
        units = [str(unit.get("CodeValue", "")) for unit in measured.get("MeasurementUnitsCodeSequence", None) or []]
        age = measured.get("NumericValue", None)
        if units == [_YEARS] and age is not None:
            rounded = round_age(f"{min(int(age), 999):03}Y", years)
            measured.NumericValue = str(int((rounded or "090Y")[:3]))


def _refers_by_position(dataset: Dataset) -> bool:
    return any("ReferencedContentItemIdentifier" in item for item in _items(dataset))


def _items(dataset: Dataset) -> Iterator[Dataset]:
    stack = [dataset]
    while stack:
        item = stack.pop()
        yield item
        if "ContentSequence" in item:
            stack.extend(item["ContentSequence"].value or [])
