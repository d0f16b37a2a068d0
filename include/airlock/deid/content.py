"""Structured reports: what table E.3.4-1 of PS3.15 says of single content items.

The attributes inside content items are treated by table E.1-1 like any others. This adds what depends on the concept
that an item is about: an item that must go is removed with its children, unless other items of the document refer to
items by position; then its value is replaced.
"""

from __future__ import annotations

from pydicom.dataset import Dataset

from airlock.deid.profile import Profile

# Attributes that hold the value of a content item, by value type (PS3.3 section C.17.3.2.1).
_VALUE = {"TEXT": "TextValue", "NUM": "MeasuredValueSequence", "CODE": "ConceptCodeSequence"}
_CODE_KEYWORDS = ("CodeValue", "LongCodeValue", "URNCodeValue")


class Content:
    """The content tree of one document; empty for other objects."""

    def __init__(self, profile: Profile, dataset: Dataset) -> None:
        self._profile = profile
        self._by_position = _refers_by_position(dataset)
        self._overrides: dict[int, tuple[str, str]] = {}

    def enter(self, item: Dataset, parent: str) -> None:
        """Look at a dataset before its elements are treated: remove children that must go, note what must change."""
        if parent == "ContentSequence":
            kind, action = self._action(item)
            if action is not None and kind in _VALUE:
                self._note(item, kind, action)
        if "ContentSequence" in item and not self._by_position:
            items = item["ContentSequence"].value
            kept = [child for child in items if self._action(child)[1] != "X"]
            if len(kept) < len(items):
                item.ContentSequence = kept

    def override(self, item: Dataset, keyword: str) -> str | None:
        """Return the action that this item's concept asks for, for one of its attributes."""
        noted = self._overrides.get(id(item))
        return noted[1] if noted is not None and noted[0] == keyword else None

    def _note(self, item: Dataset, kind: str, action: str) -> None:
        if action == "X":
            self._overrides[id(item)] = (_VALUE[kind], "Z" if kind == "NUM" else "D")
        elif kind == "TEXT":
            self._overrides[id(item)] = (_VALUE[kind], {"K": "K", "C": "C"}.get(action, "D"))

    def _action(self, item: Dataset) -> tuple[str, str | None]:
        kind = str(item.get("ValueType", ""))
        names = item.get("ConceptNameCodeSequence") or []
        for name in names:
            code = next((str(name.get(k)) for k in _CODE_KEYWORDS if name.get(k)), "")
            scheme = str(name.get("CodingSchemeDesignator", ""))
            action = self._profile.content_action(scheme, code, kind)
            if action is not None:
                return kind, action
        return kind, None


def _refers_by_position(dataset: Dataset) -> bool:
    stack = [dataset]
    while stack:
        item = stack.pop()
        if "ReferencedContentItemIdentifier" in item:
            return True
        if "ContentSequence" in item:
            stack.extend(item["ContentSequence"].value or [])
    return False
