"""One file: walked, stamped, and written around its pixel data."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from airlock.deid.basis import Basis
from airlock.deid.stream.series import Layout, Series
from airlock.deid.stream.stamps import Stamps, touched_by
from airlock.deid.stream.values import element_header
from airlock.deid.stream.walk import Walk, Walked
from airlock.dicomio.charsets import plain_encoding
from airlock.dicomio.copying import NewFile, move_bytes, write_all
from airlock.dicomio.head import FIRST_BYTES, Head, Irregular, More, next_bytes, open_head
from airlock.dicomio.meta import meta_bytes
from airlock.dicomio.pixels import PixelData, end_of
from airlock.identity.stream import Teller

if TYPE_CHECKING:
    from pathlib import Path

_NONE = (b"", b"")
Place = Callable[[tuple[str, str, str, str]], str]
_CHARACTER_SET, _CLASS = 0x00080005, 0x00080016
_INSTANCE = 0x00080018
_UIDS = (_CLASS, _INSTANCE, 0x0020000D, 0x0020000E)
_UID = re.compile(rb"[0-9]+(?:\.[0-9]+)*")
_LONGEST_UID = 64
_SOME_UID = "1.2"
_MOST_WALKS = 32
_PEEKED_BYTES = 256


class Streamed(NamedTuple):
    """A file that was written.

    :param uids: new UIDs of class, instance, study and series.
    :param size: in bytes.
    :param keys: elements that tell the patient and the study, as they are encoded.
    """

    path: str
    uids: tuple[str, str, str, str]
    size: int
    unreadable_dates: int
    keys: tuple[bytes, ...] = ()


class _Made(NamedTuple):
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


class Streamer:
    """De-identifies files without making datasets of them.

    :param check: raises what holds an instance for what it says of itself.
    :param stamp: writes what every object is to carry; told whether pixels were rewritten.
    :param alike: the same for all that check and stamp the same attributes; None to find out which they are.
    :param keys: tags of what tells the patient and the study, where somebody wants to be told of them.

    `teller` is told of elements that were not seen before and may say something of the patient, where there are keys.
    """

    _TOUCHED: ClassVar[dict[Hashable, tuple[frozenset[int], frozenset[int]]]] = {}
    """Tags that checks and stamps touch, of the few that there are in a program."""

    def __init__(
        self,
        basis: Basis,
        check: Callable[[Any], None],
        stamp: Callable[[Any, bool], None],
        keys: tuple[int, ...] = (),
        alike: Hashable = None,
    ) -> None:
        self._basis, self._check, self._keys = basis, check, keys
        self.teller: Teller | None = None
        self._stamp = {rewritten: _with(stamp, rewritten) for rewritten in (False, True)}
        touched = self._TOUCHED.get(alike) if alike is not None else None
        if touched is None:
            touched = touched_by(check), touched_by(*self._stamp.values())
            if alike is not None:
                self._TOUCHED[alike] = touched
        self._checked, self._stamped = touched[0], touched[1] | {_CHARACTER_SET}
        self._taken = tuple(sorted(self._checked | self._stamped | {*_UIDS, *keys}))
        self._first_bytes = FIRST_BYTES
        self._order = tuple(sorted(self._stamped))
        self._known: dict[object, dict[int, bytes]] = {}
        # What the check looks at but for which instance it is, as it was in objects that passed.
        self._asked_of = tuple(sorted(self._checked.difference(_UIDS[1:])))
        self._fine: set[tuple[tuple[bytes, ...], bool]] = set()
        self._walks: dict[tuple[bool, bytes, bytes], tuple[Walk, Stamps, Series]] = {}

    def process(self, source: Path, folder: Path, place: Place, *, pixels_rewritten: bool) -> Streamed:
        """De-identify one file.

        :param place: path below `folder` for new UIDs.
        :raises Irregular: when the file must be left to the plain engine.
        :raises InstanceNotUnderstood: when it must be held.
        :raises OSError: when a file cannot be read or written.
        """
        with open_head(source, self._first_bytes) as head:
            return self.process_head(head, folder, place, pixels_rewritten=pixels_rewritten)

    def process_head(
        self, head: Head, folder: Path | str, place: Place, *, pixels_rewritten: bool, hidden: bool = False
    ) -> Streamed:
        """De-identify an open file, as :meth:`process` does.

        :param hidden: nobody looks at the folder meanwhile, see :class:`airlock.dicomio.copying.NewFile`.
        """
        made = self._made_as_before(head, pixels_rewritten) or self._made(head, pixels_rewritten)
        self._first_bytes = next_bytes(made.position)
        walk, uids = made.walk, made.uids
        _, pixels, tail = end_of(head, made.position)
        tail = self._tail(walk, tail)
        path = place(uids)
        with NewFile(f"{folder}/{path}", hidden=hidden) as descriptor:
            size = _write(descriptor, made.header, head, pixels, tail)
        unreadable, walk.unreadable_dates = walk.unreadable_dates, 0
        return Streamed(path, uids, size, unreadable, made.keys)

    def _made_as_before(self, head: Head, pixels_rewritten: bool) -> _Made | None:
        """Make the header of a file that follows the layout of others; return None when it follows none."""
        walk, stamps, series = self._walker(head.implicit, *_peek(head))
        walk.unreadable_dates, walk.teller = 0, self.teller
        found = series.follow(head.data, head.start)
        if found is None:
            return None
        layout, followed = found
        taken = followed.taken
        instance = taken.pop(_INSTANCE, None)
        if instance is None:
            return None
        key = (pixels_rewritten, head.syntax, *taken.values())
        ready = layout.ready.get(key)
        if ready is None:
            ready = self._ready(walk, stamps, layout, {**layout.taken, **taken, _INSTANCE: instance}, pixels_rewritten)
            if ready is None:
                return None
            if len(layout.ready) >= _MOST_WALKS:
                layout.ready.clear()
            layout.ready[key] = ready
        if not _is_uid(instance[0][8:].strip(b" \0")):
            raise Irregular
        sop_class, study, series_uid = ready.uids
        uids = sop_class, _new_uid(instance[1]), study, series_uid
        parts = ready.parts.copy()
        parts[0] = meta_bytes(sop_class, uids[1], head.syntax)
        parts[ready.instance] = instance[1]
        for place, new in zip(ready.slots, followed.news, strict=True):
            parts[place] = new
        return _Made(walk, b"".join(parts), uids, followed.position, ready.keys)

    def _ready(
        self, walk: Walk, stamps: Stamps, layout: Layout, taken: dict[int, tuple[bytes, bytes]], pixels_rewritten: bool
    ) -> _Ready | None:
        """Make what the headers of all files of a layout have in common; None where that cannot be told apart."""
        short = all(stamps.implicit or taken.get(tag, _NONE)[0][4:6] == b"UI" for tag in _UIDS)
        if not short or _INSTANCE in self._stamped:
            return None
        walked = Walked(layout.pieces, taken, {tag: taken[tag][0][8:] for tag in _UIDS if tag in taken})
        self._check_identity(walked, stamps)
        stamped = self._stamped_elements(walked, stamps, pixels_rewritten)
        parts, slots, own = [b""], [], 0
        for piece in layout.pieces:
            if isinstance(piece, bytes):
                parts.append(piece)
            elif piece < 0 or piece == _INSTANCE:
                slots += [len(parts)] if piece < 0 else []
                own = own if piece < 0 else len(parts)
                parts.append(b"")
            else:
                parts.append(stamped[piece] if piece in stamped else taken.get(piece, _NONE)[1])
        sop_class, _, study, series = _new_uids(walked)
        return _Ready(parts, slots, own, (sop_class, study, series), self._keys_of(walked))

    def _made(self, head: Head, pixels_rewritten: bool) -> _Made:
        """Make the header of a file by walking over it."""
        walk, stamps, series, walked = self._walk(head)
        self._check_identity(walked, stamps)
        uids = _new_uids(walked)
        header = self._header(walked, stamps, pixels_rewritten, meta_bytes(uids[0], uids[1], head.syntax))
        series.learn(head.data, head.start, walked.position)
        return _Made(walk, header, uids, walked.position, self._keys_of(walked))

    def _keys_of(self, walked: Walked) -> tuple[bytes, ...]:
        return tuple([walked.taken.get(tag, _NONE)[0] for tag in self._keys])

    def _walk(self, head: Head) -> tuple[Walk, Stamps, Series, Walked]:
        """Walk over the header, again when its class or its character set is not where they usually are."""
        guess = _peek(head)
        for _ in range(2):
            walk, stamps, series = self._walker(head.implicit, *guess)
            walk.unreadable_dates, walk.teller = 0, self.teller
            walked = _walk_whole(walk, head)
            found = (walked.values.get(_CLASS, b""), walked.taken.get(_CHARACTER_SET, _NONE)[0])
            if found == guess:
                return walk, stamps, series, walked
            guess = found
        raise Irregular

    def _walker(self, implicit: bool, sop_class: bytes, character_set: bytes) -> tuple[Walk, Stamps, Series]:
        key = implicit, sop_class, character_set
        found = self._walks.get(key)
        if found is None:
            if len(self._walks) >= _MOST_WALKS:
                self._walks.clear()
            encodings = _encodings(character_set, implicit=implicit)
            class_uid = sop_class.decode("latin-1").strip(" \0")
            telling = bool(self._keys)
            walk = Walk(self._basis, class_uid, encodings, self._taken, implicit=implicit, telling=telling)
            found = self._walks[key] = walk, Stamps(encodings, implicit=implicit), Series(walk)
        return found

    def _check_identity(self, walked: Walked, stamps: Stamps) -> None:
        for tag in _UIDS:
            if not _is_uid(walked.values.get(tag, b"").strip(b" \0")):
                raise Irregular
        seen = tuple([walked.taken.get(tag, _NONE)[0] for tag in self._asked_of])
        if (seen, stamps.implicit) in self._fine:
            return
        some = _SOME_UID.encode() + b"\0"
        elements = {tag: walked.taken.get(tag, _NONE)[0] for tag in self._checked}
        # Which instance it is doesn't count, and the outcome is then the same for all of a series.
        for tag in _UIDS[1:]:
            elements[tag] = element_header(tag, b"UI", len(some), implicit=stamps.implicit) + some
        stamps.apply(elements, self._check, "check")
        if len(self._fine) < _MOST_WALKS:
            self._fine.add((seen, stamps.implicit))

    def _header(self, walked: Walked, stamps: Stamps, pixels_rewritten: bool, meta: bytes) -> bytes:
        stamped = self._stamped_elements(walked, stamps, pixels_rewritten)
        pieces = [meta]
        for piece in walked.pieces:
            if isinstance(piece, bytes):
                pieces.append(piece)
            elif piece in stamped:
                pieces.append(stamped[piece])
            elif piece in walked.taken:
                pieces.append(walked.taken[piece][1])
        return b"".join(pieces)

    def _stamped_elements(self, walked: Walked, stamps: Stamps, pixels_rewritten: bool) -> dict[int, bytes]:
        taken = walked.taken.get
        key = pixels_rewritten, stamps.implicit, tuple([taken(tag, _NONE) for tag in self._order])
        stamped = self._known.get(key)
        if stamped is None:
            elements = {tag: taken(tag, _NONE)[1] for tag in self._stamped}
            stamped = stamps.apply(elements, self._stamp[pixels_rewritten], pixels_rewritten)
            if elements[_CHARACTER_SET] != taken(_CHARACTER_SET, _NONE)[0]:
                raise Irregular
            if len(self._known) > _MOST_WALKS:
                self._known.clear()
            self._known[key] = stamped
        return stamped

    @staticmethod
    def _tail(walk: Walk, tail: bytes) -> bytes:
        """De-identify what follows the pixel data."""
        if not tail:
            return b""
        try:
            walked = walk.top(tail, 0, 0x7FE00010)
        except (More, struct.error):
            raise Irregular from None
        return b"".join(piece for piece in walked.pieces if isinstance(piece, bytes))


def _peek(head: Head) -> tuple[bytes, bytes]:
    """Return what are probably the value of SOPClassUID, and SpecificCharacterSet with its tag."""
    data, sop_class, character_set = head.data, b"", b""
    layout, length_at = (b"", 4) if head.implicit else (b"UI", 6)
    start = data.find(b"\x08\0\x16\0" + layout, head.start, head.start + _PEEKED_BYTES)
    if start >= 0:
        sop_class = data[start + 8 : start + 8 + data[start + length_at]]
    layout = b"" if head.implicit else b"CS"
    start = data.find(b"\x08\0\x05\0" + layout, head.start, head.start + _PEEKED_BYTES)
    if start >= 0:
        character_set = data[start : start + 8 + data[start + length_at]]
    return sop_class, character_set


def _with(stamp: Callable[[Any, bool], None], rewritten: bool) -> Callable[[Any], None]:
    return lambda dataset: stamp(dataset, rewritten)


def _walk_whole(walk: Walk, head: Head) -> Walked:
    while True:
        try:
            return walk.top(head.data, head.start)
        except (More, struct.error):
            head.grow()


def _encodings(character_set: bytes, *, implicit: bool) -> list[str]:
    if (usual := plain_encoding(character_set[8:])) is not None:
        return [usual]
    from airlock.dicomio.declared import declared_encodings  # noqa: PLC0415 - it imports pydicom; few files need it

    return declared_encodings(character_set, implicit=implicit)


def _is_uid(value: bytes) -> bool:
    return len(value) <= _LONGEST_UID and _UID.fullmatch(value) is not None


def _new_uids(walked: Walked) -> tuple[str, str, str, str]:
    one, two, three, four = (_new_uid(walked.taken[tag][1]) for tag in _UIDS)
    return one, two, three, four


def _new_uid(element: bytes) -> str:
    value = element[8:].rstrip(b" \0")
    if not _UID.fullmatch(value):
        raise Irregular
    return value.decode()


def _write(descriptor: int, header: bytes, head: Head, pixels: PixelData | None, tail: bytes) -> int:
    size = 0
    if pixels is not None:
        header += pixels.header
        end = pixels.offset + pixels.size
        tail = b"\0" + tail if pixels.odd else tail
        if end <= len(head.data):
            header, tail = header + head.data[pixels.offset : end] + tail, b""
        else:
            size = pixels.size
    write_all(descriptor, header)
    if pixels is not None and size:
        move_bytes(head.descriptor, descriptor, pixels.offset, size)
    if tail:
        write_all(descriptor, tail)
    return len(header) + size + len(tail)
