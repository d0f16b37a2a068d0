"""Stamps on pydicom's datasets: for values that the light ones refuse."""

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

from airlock.dicomio.head import Irregular
from airlock.dicomio.quiet import quiet


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


def stamp_noted(
    elements: dict[int, bytes], stamp: Callable[[Any], None], encodings: list[str], *, implicit: bool
) -> dict[int, bytes]:
    """Return encoded elements as they are after stamping.

    :raises Irregular: when the stamp touches others.
    """
    joined = b"".join([elements[tag] for tag in sorted(elements)])
    with quiet():
        read = read_dataset(BytesIO(joined), implicit, True, parent_encoding=encodings)
        dataset = NotedDataset(read)
        dataset.set_original_encoding(implicit, True, encodings)
        stamp(dataset)
        if dataset.noted - elements.keys():
            raise Irregular
        return {tag: _encoded(dataset, tag, encodings, implicit=implicit) for tag in elements}


def _encoded(dataset: NotedDataset, tag: int, encodings: list[str], *, implicit: bool) -> bytes:
    if tag not in dataset:
        return b""
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, implicit
    write_data_element(buffer, dataset.get_item(BaseTag(tag)), encodings)
    return buffer.getvalue()


def touched_by(*functions: Callable[[Any], None]) -> frozenset[int]:
    """Return the tags that functions touch, on a dataset that says what it is and little else."""
    dataset = NotedDataset()
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    dataset.SOPInstanceUID = dataset.StudyInstanceUID = dataset.SeriesInstanceUID = "1.2"
    dataset.noted.clear()
    with quiet():
        for function in functions:
            function(dataset)
    return frozenset(dataset.noted)
