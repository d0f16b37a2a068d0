"""The character sets that a file declares, as pydicom understands them."""

from __future__ import annotations

from io import BytesIO

from pydicom.filereader import read_dataset

from airlock.dicomio.quiet import quiet


def declared_encodings(element: bytes, *, implicit: bool) -> list[str]:
    """Return Python's names of the character sets of an encoded SpecificCharacterSet (0008,0005)."""
    with quiet():
        read = read_dataset(BytesIO(element), implicit, True)
        found = read._character_set  # noqa: SLF001 - pydicom has no public name for what it decoded with
    return found if isinstance(found, list) else [found]
