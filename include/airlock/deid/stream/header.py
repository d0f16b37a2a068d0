"""The header of an output: what the walk came to, or what the headers of a series have in common, and the stamps."""

from __future__ import annotations

from airlock.deid.stream.layout import Layout
from airlock.deid.stream.stamping import INSTANCE, MOST_KEPT, NONE, UIDS, Stamping, is_uid, new_uid, new_uids
from airlock.deid.stream.stamps import Stamps
from airlock.deid.stream.walk import Walk
from airlock.deid.stream.walked import Walked
from airlock.deid.stream.walks import Walks
from airlock.dicomio.head import Head, Irregular
from airlock.dicomio.meta import meta_bytes
from airlock.identity.stream import Teller
from airlock.tuples import NamedTuple


class Made(NamedTuple):
    """A header that is to be written.

    :param header: with the file meta information.
    :param uids: new ones of class, instance, study and series.
    :param position: where the header ends in the file that was read.
    :param keys: elements that tell the patient and the study, as they are encoded.
    """

    walk: Walk
    header: bytes
    uids: tuple[str, str, str, str]
    position: int
    keys: tuple[bytes, ...]


class _Ready(NamedTuple):
    """What the headers of files have in common that follow a layout.

    :param parts: the first is for the file meta information, others for what differs.
    :param slots: numbers of those for elements that differ, in their order.
    :param instance: number of the part for the SOPInstanceUID.
    :param uids: new ones of class, study and series.
    """

    parts: list[bytes]
    slots: list[int]
    instance: int
    uids: tuple[str, str, str]
    keys: tuple[bytes, ...]


class Headers:
    """Makes the headers of a patient's outputs."""

    def __init__(self, walks: Walks, stamping: Stamping) -> None:
        self._walks, self._stamping = walks, stamping

    def make(self, head: Head, teller: Teller | None, *, pixels_rewritten: bool) -> Made:
        """Make a header.

        :raises Irregular: when the file must be left to the plain engine.
        :raises InstanceNotUnderstood: when it must be held.
        """
        return self._made_as_before(head, teller, pixels_rewritten) or self._made(head, teller, pixels_rewritten)

    def _made_as_before(self, head: Head, teller: Teller | None, pixels_rewritten: bool) -> Made | None:
        """Make the header of a file that follows the layout of others; return None when it follows none."""
        walk, stamps, series = self._walks.likely(head, teller)
        found = series.follow(head.data, head.start)
        if found is None:
            return None
        layout, followed = found
        taken = followed.taken
        instance = taken.pop(INSTANCE, None)
        if instance is None:
            return None
        key = (pixels_rewritten, head.syntax, *taken.values())
        ready = layout.ready.get(key)
        if ready is None:
            ready = self._ready(walk, stamps, layout, {**layout.taken, **taken, INSTANCE: instance}, pixels_rewritten)
            if ready is None:
                return None
            if len(layout.ready) >= MOST_KEPT:
                layout.ready.clear()
            layout.ready[key] = ready
        if not is_uid(instance[0][8:].strip(b" \0")):
            raise Irregular
        sop_class, study, series_uid = ready.uids
        uids = sop_class, new_uid(instance[1]), study, series_uid
        parts = ready.parts.copy()
        parts[0] = meta_bytes(sop_class, uids[1], head.syntax)
        parts[ready.instance] = instance[1]
        for place, new in zip(ready.slots, followed.news, strict=True):
            parts[place] = new
        return Made(walk, b"".join(parts), uids, followed.position, ready.keys)

    def _ready(
        self, walk: Walk, stamps: Stamps, layout: Layout, taken: dict[int, tuple[bytes, bytes]], pixels_rewritten: bool
    ) -> _Ready | None:
        """Make what the headers of all files of a layout have in common; None where that cannot be told apart."""
        short = all(stamps.implicit or taken.get(tag, NONE)[0][4:6] == b"UI" for tag in UIDS)
        if not short or INSTANCE in self._stamping.stamped:
            return None
        walked = Walked(layout.pieces, taken, {tag: taken[tag][0][8:] for tag in UIDS if tag in taken})
        self._stamping.check(walked, stamps)
        stamped = self._stamping.elements(walked, stamps, pixels_rewritten=pixels_rewritten)
        parts, slots, own = [b""], [], 0
        for piece in layout.pieces:
            if isinstance(piece, bytes):
                parts.append(piece)
            elif piece < 0 or piece == INSTANCE:
                slots += [len(parts)] if piece < 0 else []
                own = own if piece < 0 else len(parts)
                parts.append(b"")
            else:
                parts.append(stamped[piece] if piece in stamped else taken.get(piece, NONE)[1])
        sop_class, _, study, series = new_uids(walked)
        return _Ready(parts, slots, own, (sop_class, study, series), self._stamping.keys_of(walked))

    def _made(self, head: Head, teller: Teller | None, pixels_rewritten: bool) -> Made:
        """Make the header of a file by walking over it."""
        (walk, stamps, series), walked = self._walks.over(head, teller)
        self._stamping.check(walked, stamps)
        uids = new_uids(walked)
        header = self._header(walked, stamps, pixels_rewritten, meta_bytes(uids[0], uids[1], head.syntax))
        series.learn(head.data, head.start, walked.position)
        return Made(walk, header, uids, walked.position, self._stamping.keys_of(walked))

    def _header(self, walked: Walked, stamps: Stamps, pixels_rewritten: bool, meta: bytes) -> bytes:
        stamped = self._stamping.elements(walked, stamps, pixels_rewritten=pixels_rewritten)
        pieces = [meta]
        for piece in walked.pieces:
            if isinstance(piece, bytes):
                pieces.append(piece)
            elif piece in stamped:
                pieces.append(stamped[piece])
            elif piece in walked.taken:
                pieces.append(walked.taken[piece][1])
        return b"".join(pieces)
