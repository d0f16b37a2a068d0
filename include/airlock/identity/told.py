"""Who a file belongs to, as pydicom understands it."""

from __future__ import annotations

from io import BytesIO

from pydicom.filereader import read_dataset

from airlock.dicomio.quiet import quiet
from airlock.identity.harvest import Source, encodings_of, source_of


def declared(elements: bytes, *, implicit: bool) -> tuple[list[str], Source]:
    """Return the character sets, and the patients and studies, that encoded elements declare."""
    with quiet():
        dataset = read_dataset(BytesIO(elements), implicit, True)
        return encodings_of(dataset), source_of(dataset)
