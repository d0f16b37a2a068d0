"""What outputs hold of what is told in maps: their UIDs, at every level, and whose they are."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from airlock.verify.harvest import identity
from airlock.verify.levels import Level, Malformed
from airlock.verify.reader import Reader
from airlock.verify.text import vr_of


class Present:
    """What outputs hold.

    :ivar uids: all values of UI elements of the datasets.
    :ivar subjects: PatientIDs.
    """

    def __init__(self) -> None:
        self.uids: set[str] = set()
        self.subjects: set[str] = set()


def present_in(outputs: Iterable[str | os.PathLike[str]]) -> Present:
    """Return what files hold. One that cannot be read holds nothing that counts."""
    found, reader = Present(), Reader(strict=True)
    for path in outputs:
        try:
            file, descriptor = reader.open(path)
        except (Malformed, OSError):
            continue
        os.close(descriptor)
        found.uids.update(_uids(file.dataset))
        if file.tail is not None:
            found.uids.update(_uids(file.tail))
        found.subjects.add(identity(file.dataset)[0][0])
    return found


def _uids(top: Level) -> Iterator[str]:
    levels = [top]
    while levels:
        level = levels.pop()
        for tag, element in level.elements.items():
            if element.items is not None:
                levels += element.items
            elif vr_of(tag, element.vr) == b"UI":
                yield from (value.strip(" \0") for value in element.value.decode("latin-1").split("\\"))
