"""Outgoing: a file to send, what it needs of an association, and what became of it."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from airlock.dicomio.encodings import EXPLICIT, IMPLICIT
from airlock.dicomio.wire.glance import HEAD_BYTES, read_meta, scan
from airlock.dicomio.wire.items import Proposal
from airlock.dicomio.wire.pdu import MAX_CONTEXTS

TYPE_CHECKING = False  # what typing has of that name; its import takes longer than to send an image
if TYPE_CHECKING:
    from pathlib import Path

_OTHER = {EXPLICIT: IMPLICIT, IMPLICIT: EXPLICIT}
_FIRST_BYTES = 1 << 13
"""The header of most images is shorter."""


@dataclass(frozen=True)
class Outgoing:
    """A file to send.

    :param id: how the caller names it.
    """

    id: str
    path: str | Path
    sop_class_uid: str
    transfer_syntax_uid: str

    @classmethod
    def of(cls, instance_id: str, path: str | Path, *, whole: bool = False) -> Outgoing:
        """Read what negotiation needs from the file's meta information.

        :param whole: follow the file to its end, so that a truncated one is found out.
        :raises UnreadableInstance: when the file cannot be sent.
        """
        found = _glance(path)
        return cls(instance_id, path, *(found or _with_care(path, whole=whole)))


def _glance(path: str | Path) -> tuple[str, str] | None:
    """Return SOP class and transfer syntax of a file that is plainly whole; None when that is not certain."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        size = os.fstat(descriptor).st_size
        for most in (_FIRST_BYTES, HEAD_BYTES):
            head = os.pread(descriptor, most, 0)
            meta = read_meta(head)
            if meta is not None and scan(head, meta.offset, size, meta.transfer_syntax_uid):
                return meta.sop_class_uid, meta.transfer_syntax_uid
    except OSError:
        pass
    finally:
        os.close(descriptor)
    return None


def _with_care(path: str | Path, *, whole: bool) -> tuple[str, str]:
    """Return SOP class and transfer syntax of any file that can be sent.

    :raises UnreadableInstance: when it cannot.
    """
    # Few files need it, and its imports take longer than to send one.
    from pathlib import Path  # noqa: PLC0415 - as the comment says

    from airlock.dicomio.header import Category, UnreadableInstance, read_header  # noqa: PLC0415 - as above

    try:
        header = read_header(Path(path), whole=whole)
    except OSError:
        raise UnreadableInstance(Category.DICOM_READ_ERROR, "the file cannot be read") from None
    if not header.values:
        raise UnreadableInstance(Category.MISSING_ATTRIBUTES, "nothing that says what it is")
    if not header.media_sop_class_uid or not header.media_sop_instance_uid:
        raise UnreadableInstance(Category.MISSING_ATTRIBUTES, "no SOP class or instance in the file meta information")
    return header.media_sop_class_uid, header.transfer_syntax_uid


@dataclass(frozen=True)
class Outcome:
    """What became of a file.

    :param status: status of the C-STORE answer (PS3.4 table B.2-1); None when the peer accepted no presentation
        context for it.
    :param comment: what the peer says besides (PS3.7 annex C, Error Comment). It is the peer's own text, and may name
        the patient: it must not get into a log, an error or the ledger.
    """

    id: str
    status: int | None
    comment: str = field(default="", repr=False)

    @property
    def stored(self) -> bool:
        """Whether the peer has it."""
        return self.status is not None and is_stored(self.status)

    @property
    def busy(self) -> bool:
        """Out of resources (0xA7xx): the peer may take it later."""
        return self.status is not None and self.status >> 8 == 0xA7


_WARNINGS = (0x0001, 0x0107, 0x0116)  # PS3.7 annex C; all others are 0xBxxx


def is_stored(status: int) -> bool:
    """Success, or a warning: the peer has the instance."""
    return status == 0 or status >> 12 == 0xB or status in _WARNINGS


def split(files: Iterable[Outgoing]) -> Iterator[list[Outgoing]]:
    """Divide files so that each part needs no more than 128 presentation contexts."""
    by_class: dict[str, list[Outgoing]] = defaultdict(list)
    for file in files:
        by_class[file.sop_class_uid].append(file)
    batch: list[Outgoing] = []
    used = 0
    for _, of_class in sorted(by_class.items()):
        needed = len(contexts_for(of_class))
        if batch and used + needed > MAX_CONTEXTS:
            yield batch
            batch, used = [], 0
        batch.extend(of_class)
        used += needed
    if batch:
        yield batch


def contexts_for(files: Sequence[Outgoing]) -> list[Proposal]:
    """Return a presentation context per SOP class and transfer syntax.

    Where there is one of the two uncompressed little endian encodings, the other one is proposed too: they say the
    same, and implicit VR is the one that every peer accepts (PS3.5 section 10.1).
    """
    pairs = {(file.sop_class_uid, file.transfer_syntax_uid) for file in files}
    pairs |= {(sop_class, _OTHER[syntax]) for sop_class, syntax in pairs if syntax in _OTHER}
    return [Proposal(sop_class, (syntax,)) for sop_class, syntax in sorted(pairs)]
