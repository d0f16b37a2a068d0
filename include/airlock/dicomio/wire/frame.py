"""Frame: a buffer of P-DATA-TF whose heads are written already, so that a dataset is read to where it is sent from."""

from __future__ import annotations

from collections.abc import Sequence

from airlock.dicomio.wire import pdu
from airlock.dicomio.wire.connection import rest_of
from airlock.errors import TransferIncomplete

TYPE_CHECKING = False  # what typing has of that name; its import takes longer than to send an image
if TYPE_CHECKING:
    from typing import Protocol

    class Source(Protocol):
        """Where the bytes of a dataset come from."""

        def readv(self, buffers: Sequence[memoryview], /) -> int:
            """Fill buffers, one after the other, as far as it goes; return how many bytes were read, 0 at the end."""


_BYTES = 1 << 20
_MOST_FRAGMENTS = 1000  # below IOV_MAX of Linux
_HEAD_BYTES = 12


class Frame:
    """Room for a part of a dataset, in fragments of one length with a head before each (PS3.8 section 9.3.5).

    :param fragment_bytes: of the dataset, in each P-DATA-TF.
    """

    def __init__(self, fragment_bytes: int) -> None:
        self._fragment_bytes = fragment_bytes
        step = _HEAD_BYTES + fragment_bytes
        number = min(_MOST_FRAGMENTS, max(1, _BYTES // step))
        self.room = number * fragment_bytes
        """How many bytes of a dataset fit."""
        self._view = memoryview(bytearray(number * step))
        self._heads = [self._view[start : start + _HEAD_BYTES] for start in range(0, number * step, step)]
        self._fragments = [self._view[start + _HEAD_BYTES : start + step] for start in range(0, number * step, step)]

    def fill(self, source: Source, size: int, context: int, *, last: bool) -> memoryview:
        """Read the next bytes of a dataset; return the P-DATA-TF that carry them. They are valid until the next call.

        :param size: how many, above 0, and no more than there is room for; all of it, unless they are the last ones.
        :param context: number of the presentation context.
        :param last: whether the dataset ends with them.
        :raises TransferIncomplete: when the source has not as many.
        """
        whole, rest = divmod(size, self._fragment_bytes)
        buffers = self._fragments[:whole]
        if rest:
            buffers.append(self._fragments[whole][:rest])
        _read(source, buffers, size)
        end = len(buffers) - 1
        full = pdu.p_data_head(context, 0, self._fragment_bytes)
        for head in self._heads[:end]:
            head[:] = full
        self._heads[end][:] = pdu.p_data_head(context, pdu.LAST if last else 0, len(buffers[end]))
        return self._view[: size + _HEAD_BYTES * len(buffers)]


def _read(source: Source, buffers: Sequence[memoryview], size: int) -> None:
    left = size
    while (count := source.readv(buffers)) < left:
        if not count:
            raise TransferIncomplete(
                "A file became shorter while it was sent; the association was aborted. Clear the step that made it."
            )
        left -= count
        buffers = [memoryview(part) for part in rest_of(buffers, count)]
