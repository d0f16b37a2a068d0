"""A dataset of a few elements of ASCII text, encoded as they are set: what stamps need, in a hundredth of the time.

It behaves as pydicom's does, or refuses: then pydicom's is used.
"""

from __future__ import annotations

import re

from airlock.deid.stream.values import element_header, encode_element
from airlock.dicomio.dictionary import tag_of, vr_of
from airlock.typed import Any

# What no character set, no padding and no delimiter makes into something else.
_PLAIN = re.compile(r"(?:[!-<>-\[\]_-~](?:[ -<>-\[\]_-~]*[!-<>-\[\]_-~])?)?")
_UID = re.compile(rb"[0-9.]+\0?")
_TEXT_VRS = frozenset(("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UT"))


class Unusual(Exception):
    """Only pydicom's dataset can do this."""


class LightDataset:
    """A few elements, encoded in little endian.

    :param elements: by their tags, as they are encoded; empty where there is none.
    """

    elements: dict[int, bytes]
    noted: set[int]

    def __init__(self, elements: dict[int, bytes], encodings: list[str], *, implicit: bool) -> None:
        vars(self).update(elements=elements, noted=set(), _encodings=encodings, _implicit=implicit)

    def new_item(self) -> LightDataset:
        """Return an empty dataset for a sequence."""
        return LightDataset({}, vars(self)["_encodings"], implicit=vars(self)["_implicit"])

    def encoded(self) -> bytes:
        """Return all elements in order."""
        return b"".join([self.elements[tag] for tag in sorted(self.elements)])

    def __contains__(self, keyword: object) -> bool:
        """Whether there is such an element."""
        return bool(self.elements.get(self._tag(keyword), b""))

    def get(self, keyword: str, default: Any = None) -> Any:
        """Return a UID."""
        element = self.elements.get(self._tag(keyword), b"")
        if not element:
            return default
        layout = b"" if vars(self)["_implicit"] else b"UI"
        value = element[8:]
        if element[4 : 4 + len(layout)] != layout or len(value) % 2 or not _UID.fullmatch(value):
            raise Unusual
        return value.rstrip(b"\0").decode()

    def __getattr__(self, keyword: str) -> Any:
        """Return a UID.

        :raises AttributeError: for what is no attribute, or not there.
        """
        if not keyword[0].isupper() or (value := self.get(keyword)) is None:
            raise AttributeError(keyword)
        return value

    def __setattr__(self, keyword: str, value: Any) -> None:
        """Encode a value, a list of values, or a list of items."""
        tag = self._tag(keyword)
        vr, implicit = vr_of(tag), vars(self)["_implicit"]
        if vr == "SQ":
            items = [item.encoded() for item in value]
            body = b"".join(b"\xfe\xff\x00\xe0" + len(item).to_bytes(4, "little") + item for item in items)
            self.elements[tag] = element_header(tag, b"SQ", len(body), implicit=implicit) + body
            return
        values = value if isinstance(value, list) else [value]
        if vr not in _TEXT_VRS or not all(type(one) is str and _PLAIN.fullmatch(one) for one in values):
            raise Unusual
        # A name that is nothing but these characters is encoded as any other text is.
        written = encode_element(tag, "LO" if vr == "PN" else vr, value, vars(self)["_encodings"], implicit=implicit)
        self.elements[tag] = written if vr != "PN" or implicit else written[:4] + b"PN" + written[6:]

    def __delattr__(self, keyword: str) -> None:
        """Remove an element."""
        self.elements[self._tag(keyword)] = b""

    def _tag(self, keyword: object) -> int:
        tag = tag_of(keyword) if isinstance(keyword, str) else None
        if tag is None:
            raise Unusual
        self.noted.add(tag)
        return tag
