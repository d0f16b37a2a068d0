"""How one element's value is removed, emptied, replaced, cleaned, moved or mapped."""

from __future__ import annotations

from typing import Any

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from airlock.deid.descriptors import DescriptorCleaner
from airlock.deid.values import dummy
from airlock.identity.dates import shift_date, shift_datetime
from airlock.identity.harvest import texts
from airlock.identity.identifiers import Identifiers
from airlock.identity.uids import UidMap, is_registered, is_structural

_FREE = frozenset(("LO", "SH", "ST", "LT", "UT", "UC", "PN"))
_CODED = frozenset(("AE", "CS", "AS", "UR"))
_KEPT_AS_THEY_ARE = frozenset(("DA", "DT", "TM", "UI", "AT"))


class Rewriter:
    """Changes single elements, given the letter of their action.

    :param days: offset of dates.
    """

    def __init__(self, uids: UidMap, identifiers: Identifiers, cleaner: DescriptorCleaner, days: int) -> None:
        self._uids, self._identifiers, self._cleaner, self._days = uids, identifiers, cleaner, days

    def rewrite(
        self, dataset: Dataset, tag: BaseTag, vr: str, keyword: str, letter: str, fallback: str, kind: str
    ) -> int:
        """Apply an action to an element that is not a sequence; return 1 when a date could not be read.

        :param letter: X, Z, D, K, C, S (move a date) or U.
        :param fallback: X, Z or D, for a value of which nothing remains.
        :param kind: type of the attribute (PS3.3).
        """
        if letter == "X":
            del dataset[tag]
        elif letter == "Z":
            dataset.add_new(tag, vr, None if vr != "UN" else b"")
        elif letter == "D":
            self._dummy(dataset, tag, vr, keyword)
        elif letter == "U":
            self._map(dataset, tag)
        elif letter == "S":
            return self._shift(dataset, tag, vr, keyword, kind)
        elif letter == "C":
            self._clean(dataset, tag, vr, keyword, fallback)
        else:
            self._keep(dataset, tag, vr, keyword, kind)
        return 0

    def _dummy(self, dataset: Dataset, tag: BaseTag, vr: str, keyword: str) -> None:
        if vr == "UI":
            self._map(dataset, tag)
        else:
            dataset.add_new(tag, vr, dummy(tag, vr, keyword))

    def _values(self, dataset: Dataset, tag: BaseTag, vr: str) -> list[str]:
        encodings = dataset._character_set  # noqa: SLF001 - pydicom has no public name for what it decoded with
        return texts(dataset.get_item(tag), vr, encodings if isinstance(encodings, list) else [encodings])

    def _store(self, dataset: Dataset, tag: BaseTag, vr: str, values: list[str]) -> None:
        dataset.add_new(tag, vr, values[0] if len(values) == 1 else values)

    def _map(self, dataset: Dataset, tag: BaseTag) -> None:
        values = self._values(dataset, tag, "UI")
        # What names classes may wrongly hold the UID of an instance; it is known from where it belongs.
        structural = is_structural(tag)
        # An attribute that holds no class UIDs may still name a well-known frame of reference or palette.
        mapped = [
            value if is_registered(value) or (structural and value not in self._identifiers.uids) else self._uids(value)
            for value in values
        ]
        if mapped != values:
            self._store(dataset, tag, "UI", mapped)

    def _shift(self, dataset: Dataset, tag: BaseTag, vr: str, keyword: str, kind: str) -> int:
        if vr == "TM":
            return 0
        move = shift_date if vr == "DA" else shift_datetime
        moved = [move(value, self._days) for value in self._values(dataset, tag, vr)]
        readable = [value for value in moved if value is not None]
        if len(readable) == len(moved):
            if moved:
                self._store(dataset, tag, vr, readable)
            return 0
        dataset.add_new(tag, vr, dummy(tag, vr, keyword) if kind in ("1", "1C") else None)
        return 1

    def _clean(self, dataset: Dataset, tag: BaseTag, vr: str, keyword: str, fallback: str) -> None:
        if vr not in _FREE and vr not in _CODED:
            self._fall_back(dataset, tag, vr, keyword, fallback)
            return
        values = self._values(dataset, tag, vr)
        cleaned = [self._cleaner.clean(value) for value in values]
        if cleaned == values:
            return
        if any(cleaned):
            self._store(dataset, tag, vr, cleaned)
        else:
            self._fall_back(dataset, tag, vr, keyword, fallback)

    def _keep(self, dataset: Dataset, tag: BaseTag, vr: str, keyword: str, kind: str) -> None:
        if vr in _KEPT_AS_THEY_ARE or not dataset.get_item(tag).value:
            return
        fallback = {"1": "D", "1C": "D", "2": "Z", "2C": "Z"}.get(kind, "X")
        if vr in _FREE or vr in _CODED:
            values = self._values(dataset, tag, vr)
            cut = [self._identifiers.cut(value, free=vr in _FREE) for value in values]
            if cut != values:
                if any(cut) and vr in _FREE:
                    self._store(dataset, tag, vr, cut)
                else:
                    self._fall_back(dataset, tag, vr, keyword, fallback)
        elif vr in ("DS", "IS"):
            if any(self._identifiers.is_number(value) for value in self._values(dataset, tag, vr)):
                self._fall_back(dataset, tag, vr, keyword, fallback)
        elif self._binary_identifier(dataset.get_item(tag)):
            self._fall_back(dataset, tag, vr, keyword, fallback)

    def _binary_identifier(self, element: Any) -> bool:
        value = element.value if isinstance(element, RawDataElement) or isinstance(element.value, bytes) else b""
        return isinstance(value, bytes) and self._identifiers.in_bytes(value, dates=False)

    def _fall_back(self, dataset: Dataset, tag: BaseTag, vr: str, keyword: str, fallback: str) -> None:
        if fallback == "X":
            del dataset[tag]
        elif fallback == "Z":
            dataset.add_new(tag, vr, None if vr != "UN" else b"")
        else:
            self._dummy(dataset, tag, vr, keyword)
