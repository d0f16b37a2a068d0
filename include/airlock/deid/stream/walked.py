"""What a walk over a header comes to."""

from __future__ import annotations


class Walked:
    """What a walk over the top level came to.

    :param pieces: bytes to write; a number stands for the place of the element with that tag.
    :param taken: elements that were asked for: as they were, and what became of them.
    :param values: where in the taken elements the value starts.
    :param position: where the walk stopped: at the pixel data, or at the end.
    """

    __slots__ = ("pieces", "position", "taken", "values")

    def __init__(
        self,
        pieces: list[bytes | int] | None = None,
        taken: dict[int, tuple[bytes, bytes]] | None = None,
        values: dict[int, bytes] | None = None,
    ) -> None:
        self.pieces = [] if pieces is None else pieces
        self.taken = {} if taken is None else taken
        self.values = {} if values is None else values
        self.position = 0
