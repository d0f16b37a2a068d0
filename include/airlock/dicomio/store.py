"""C-STORE (PS3.4 annex B): files go out as they are, in contexts built from what they are."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pynetdicom import _config as network_config
from pynetdicom import build_context
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext

from airlock.dicomio.association import MAX_CONTEXTS, NoContextAccepted, associate, no_answer
from airlock.dicomio.encodings import EXPLICIT, IMPLICIT
from airlock.dicomio.header import Category, UnreadableInstance, read_header
from airlock.dicomio.peer import Peer

# A file is read and sent piece by piece, never decoded.
network_config.STORE_SEND_CHUNKED_DATASET = True


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
    def of(cls, instance_id: str, path: Path) -> Outgoing:
        """Read what negotiation needs from the file's meta information.

        :raises UnreadableInstance: when the file cannot be sent.
        """
        try:
            header = read_header(path)
        except OSError:
            raise UnreadableInstance(Category.DICOM_READ_ERROR, "the file cannot be read") from None
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
    """

    id: str
    status: int | None

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


def send_files(
    peer: Peer, files: Iterable[Outgoing], before: Callable[[str], None] = lambda _: None
) -> Iterator[Outcome]:
    """Send files and yield what became of each, as the answers come.

    :param before: called with the id of a file just before it is sent.
    :raises PeerUnavailable: nobody answers, or the peer rejects for the moment.
    :raises AssociationRejected: the peer rejects for good.
    :raises AssociationAborted: the association ended in the middle; files without an outcome may have arrived.
    """
    for batch in split(files):
        try:
            with associate(peer, contexts_for(batch)) as association:
                for file in batch:
                    before(file.id)
                    yield Outcome(file.id, _send(peer, association, file))
        except NoContextAccepted:
            for file in batch:
                before(file.id)
                yield Outcome(file.id, None)


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


def contexts_for(files: Sequence[Outgoing]) -> list[PresentationContext]:
    """Return a presentation context per SOP class and transfer syntax.

    Where there is explicit VR, implicit VR is proposed too: it is the one every peer accepts (PS3.5 section 10.1).
    """
    pairs = {(file.sop_class_uid, file.transfer_syntax_uid) for file in files}
    pairs |= {(sop_class, IMPLICIT) for sop_class, syntax in pairs if syntax == EXPLICIT}
    return [build_context(sop_class, syntax) for sop_class, syntax in sorted(pairs)]


def _send(peer: Peer, association: Association, file: Outgoing) -> int | None:
    accepted = {
        str(c.transfer_syntax[0]) for c in association.accepted_contexts if c.abstract_syntax == file.sop_class_uid
    }
    since = time.monotonic()
    if not association.is_established:
        raise no_answer(peer, since)
    try:
        if file.transfer_syntax_uid in accepted:
            answer = association.send_c_store(file.path)
        elif file.transfer_syntax_uid == EXPLICIT and IMPLICIT in accepted:
            answer = association.send_c_store(dcmread(file.path))
        else:
            return None
    except (ValueError, AttributeError, RuntimeError):
        # pynetdicom's own text may quote the dataset. The association may also have ended just now.
        if not association.is_established:
            raise no_answer(peer, since) from None
        return None
    if "Status" not in answer:
        raise no_answer(peer, since)
    return int(answer.Status)
