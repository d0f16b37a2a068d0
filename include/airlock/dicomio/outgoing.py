"""Outgoing: a file to send, what it needs of an association, and what became of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from airlock.dicomio.encodings import EXPLICIT, IMPLICIT
from airlock.dicomio.header import Category, UnreadableInstance, read_header
from airlock.dicomio.wire.glance import HEAD_BYTES, read_meta, scan
from airlock.dicomio.wire.items import Proposal
from airlock.dicomio.wire.pdu import MAX_CONTEXTS

_OTHER = {EXPLICIT: IMPLICIT, IMPLICIT: EXPLICIT}


@dataclass(frozen=True)
class Outgoing:
    """A file to send.

    :param id: how the caller names it.
    """

    id: str
    path: Path
    sop_class_uid: str
    transfer_syntax_uid: str

    @classmethod
    def of(cls, instance_id: str, path: Path, *, whole: bool = False) -> Outgoing:
        """Read what negotiation needs from the file's meta information.

        :param whole: follow the file to its end, so that a truncated one is found out.
        :raises UnreadableInstance: when the file cannot be sent.
        """
        try:
            with path.open("rb", buffering=0) as file:
                head = file.read(HEAD_BYTES)
                size = path.stat().st_size
            meta = read_meta(head)
            if meta is not None and scan(head, meta.offset, size, meta.transfer_syntax_uid):
                return cls(instance_id, path, meta.sop_class_uid, meta.transfer_syntax_uid)
            header = read_header(path, whole=whole)
        except OSError:
            raise UnreadableInstance(Category.DICOM_READ_ERROR, "the file cannot be read") from None
        if not header.values:
            raise UnreadableInstance(Category.MISSING_ATTRIBUTES, "nothing that says what it is")
        if not header.media_sop_class_uid or not header.media_sop_instance_uid:
            raise UnreadableInstance(
                Category.MISSING_ATTRIBUTES, "no SOP class or instance in the file meta information"
            )
        return cls(instance_id, path, header.media_sop_class_uid, header.transfer_syntax_uid)


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


def is_stored(status: int) -> bool:
    """Success, or a warning (0xBxxx): the peer has the instance."""
    return status == 0 or status >> 12 == 0xB


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
