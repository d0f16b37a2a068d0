"""What a walk over a header comes to, and the stretches of it that are the same in many files."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple


@dataclass
class Walked:
    """What a walk over the top level came to.

    :param pieces: bytes to write; a number stands for the place of the element with that tag.
    :param taken: elements that were asked for: as they were, and what became of them.
    :param values: where in the taken elements the value starts.
    :param position: where the walk stopped: at the pixel data, or at the end.
    """

    pieces: list[bytes | int] = field(default_factory=list)
    taken: dict[int, tuple[bytes, bytes]] = field(default_factory=dict)
    values: dict[int, bytes] = field(default_factory=dict)
    position: int = 0


class Stretch(NamedTuple):
    """Elements that follow each other, the same in many files, and what becomes of them.

    :param data: as they are encoded.
    :param last: tag of the last one.
    :param mark: number of the first tag behind it that is to be taken out.
    """

    data: bytes
    pieces: list[bytes | int]
    taken: dict[int, tuple[bytes, bytes]]
    values: dict[int, bytes]
    last: int
    mark: int


def joined(pieces: list[bytes | int], last: int) -> list[bytes | int]:
    """Return pieces with those of bytes joined that follow each other.

    :param last: tag; the places of later elements belong to what follows.
    """
    made: list[bytes | int] = []
    for is_place, group in groupby(pieces, lambda piece: isinstance(piece, int)):
        if is_place:
            made += [piece for piece in group if isinstance(piece, int) and piece <= last]
        else:
            made.append(b"".join(piece for piece in group if isinstance(piece, bytes)))
    return made
