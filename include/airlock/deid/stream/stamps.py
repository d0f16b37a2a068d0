"""What is written over every object, as bytes: made by the plain engine's own functions, of the few that they touch.

Which elements those are is found out by letting the functions work on a dataset that takes notes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any, cast

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_data_element
from pydicom.tag import BaseTag, Tag
from pydicom.uid import CTImageStorage

from airlock.dicomio.head import Irregular
from airlock.dicomio.quiet import quiet

Stamp = Callable[[Dataset], None]
_CHARACTER_SET = 0x00080005


class NotedDataset(Dataset):
    """A dataset that notes which of its elements somebody looked at, set or removed."""

    def __init__(self, elements: Any = None) -> None:
        super().__init__(elements or {})
        self.noted: set[int] = set()

    def __getitem__(self, key: Any) -> Any:
        """Note and return an element."""
        self._note(key)
        return super().__getitem__(key)

    def __setitem__(self, key: Any, element: Any) -> None:
        """Note and set an element."""
        self._note(key)
        super().__setitem__(key, element)

    def __delitem__(self, key: Any) -> None:
        """Note and remove an element."""
        self._note(key)
        super().__delitem__(key)

    def __contains__(self, name: object) -> bool:
        """Note that somebody asked for an element."""
        self._note(name)
        return bool(super().__contains__(cast(Any, name)))

    def get_item(self, key: Any, *arguments: Any, **keywords: Any) -> Any:
        """Note and return an element as it is."""
        self._note(key)
        return super().get_item(key, *arguments, **keywords)

    def __getattr__(self, name: str) -> Any:
        """Note and return the value of an element that may be missing."""
        if (tag := tag_for_keyword(name)) is not None:
            self._note(tag)
        return super().__getattr__(name)

    def __delattr__(self, name: str) -> None:
        """Note and remove an element."""
        if (tag := tag_for_keyword(name)) is not None:
            self._note(tag)
        super().__delattr__(name)

    def __iter__(self) -> Iterator[Any]:
        """Refuse: who looks at all elements needs all of them.

        :raises Irregular: always.
        """
        raise Irregular

    def keys(self) -> Any:
        """Refuse, as above.

        :raises Irregular: always.
        """
        raise Irregular

    def _note(self, key: Any) -> None:
        try:
            self.noted.add(int(Tag(key)))
        except (ValueError, OverflowError, TypeError):
            raise Irregular from None


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
            stamped = self._known[joined, key] = self._stamp(elements, joined, stamp)
        return stamped

    def _stamp(self, elements: dict[int, bytes], joined: bytes, stamp: Stamp) -> dict[int, bytes]:
        with quiet():
            read = read_dataset(BytesIO(joined), self.implicit, True, parent_encoding=self._encodings)
            dataset = NotedDataset(read)
            dataset.set_original_encoding(self.implicit, True, self._encodings)
            stamp(dataset)
            if dataset.noted - elements.keys():
                raise Irregular
            stamped = {tag: self._encoded(dataset, tag) for tag in elements}
        if stamped.get(_CHARACTER_SET) != elements.get(_CHARACTER_SET):
            raise Irregular
        return stamped

    def _encoded(self, dataset: NotedDataset, tag: int) -> bytes:
        if tag not in dataset:
            return b""
        buffer = DicomBytesIO()
        buffer.is_little_endian, buffer.is_implicit_VR = True, self.implicit
        write_data_element(buffer, dataset.get_item(BaseTag(tag)), self._encodings)
        return buffer.getvalue()


def touched_by(*functions: Stamp) -> frozenset[int]:
    """Return the tags that functions touch, on a dataset that says what it is and little else."""
    dataset = NotedDataset()
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = dataset.StudyInstanceUID = dataset.SeriesInstanceUID = "1.2"
    dataset.noted.clear()
    with quiet():
        for function in functions:
            function(dataset)
    return frozenset(dataset.noted)
