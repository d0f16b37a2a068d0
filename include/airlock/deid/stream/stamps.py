"""What is written over every object, as bytes: made by the plain engine's own functions, of the few that they touch.

Which elements those are is found out by letting the functions work on a dataset that takes notes.
"""

from __future__ import annotations

from collections.abc import Callable

from airlock.deid.stream.light import LightDataset, Unusual
from airlock.deid.stream.values import element_header
from airlock.dicomio.head import LONG_VRS, SHORT_VRS, Irregular
from airlock.typed import Any

Stamp = Callable[[Any], None]
_CHARACTER_SET = 0x00080005
_CT_IMAGE = b"1.2.840.10008.5.1.4.1.1.2\0"
_SOME_UID = b"1.2\0"


class Stamps:
    """Stamps objects of one encoding and character set.

    :param encodings: Python's names of the character set.
    """

    def __init__(self, encodings: list[str], *, implicit: bool) -> None:
        self._encodings, self.implicit = encodings, implicit
        self._known: dict[tuple[bytes, Any], dict[int, bytes]] = {}

    def apply(self, elements: dict[int, bytes], stamp: Stamp, key: Any) -> dict[int, bytes]:
        """Return the elements as they are after stamping.

        :param elements: all that the stamp may touch, as they are encoded; empty where there is none.
        :param key: what else the outcome depends on.
        :raises Irregular: when the stamp touches others, or changes the character set.
        """
        joined = b"".join([elements[tag] for tag in sorted(elements)])
        stamped = self._known.get((joined, key))
        if stamped is None:
            if len(self._known) > 256:
                self._known.clear()
            stamped = self._known[joined, key] = self._stamp(elements, stamp)
        return stamped

    def _stamp(self, elements: dict[int, bytes], stamp: Stamp) -> dict[int, bytes]:
        try:
            stamped = self._lightly(elements, stamp)
        except Unusual:
            from airlock.deid.stream.noted import stamp_noted  # noqa: PLC0415 - it imports pydicom

            stamped = stamp_noted(elements, stamp, self._encodings, implicit=self.implicit)
        if stamped.get(_CHARACTER_SET) != elements.get(_CHARACTER_SET):
            raise Irregular
        return stamped

    def _lightly(self, elements: dict[int, bytes], stamp: Stamp) -> dict[int, bytes]:
        if not all(_is_whole(element, implicit=self.implicit) for element in elements.values() if element):
            raise Unusual
        dataset = LightDataset(dict(elements), self._encodings, implicit=self.implicit)
        stamp(dataset)
        if dataset.noted - elements.keys():
            raise Irregular
        return dataset.elements


def _is_whole(element: bytes, *, implicit: bool) -> bool:
    """Whether pydicom would write an element as it is."""
    if implicit:
        length, start = int.from_bytes(element[4:8], "little"), 8
    elif element[4:6] in SHORT_VRS:
        length, start = int.from_bytes(element[6:8], "little"), 8
    elif element[4:6] in LONG_VRS and element[4:6] != b"UN":
        length, start = int.from_bytes(element[8:12], "little"), 12
    else:
        return False
    return length == len(element) - start and length % 2 == 0


def touched_by(*functions: Stamp) -> frozenset[int]:
    """Return the tags that functions touch, on a dataset that says what it is and little else."""
    uids = {0x00080016: _CT_IMAGE, 0x00080018: _SOME_UID, 0x0020000D: _SOME_UID, 0x0020000E: _SOME_UID}
    elements = {tag: element_header(tag, b"UI", len(uid), implicit=False) + uid for tag, uid in uids.items()}
    dataset = LightDataset(elements, ["iso8859"], implicit=False)
    try:
        for function in functions:
            function(dataset)
    except Unusual:
        from airlock.deid.stream import noted  # noqa: PLC0415 - it imports pydicom

        return noted.touched_by(*functions)
    return frozenset(dataset.noted)
