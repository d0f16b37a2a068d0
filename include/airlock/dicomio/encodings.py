"""How datasets are encoded: their transfer syntaxes, and those that are deflated (PS3.5 annex A)."""

from __future__ import annotations

import re

TYPE_CHECKING = False  # what typing has of that name; its import takes longer than to send an image
if TYPE_CHECKING:
    from typing import BinaryIO

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
DEFLATED, BIG_ENDIAN = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
UNDEFINED = 0xFFFFFFFF  # a length, PS3.5 section 7.1.1
# Every other syntax of PS3.5 annex A, also those newer than the installed library, is explicit VR little endian.
_KNOWN = re.compile(r"1\.2\.840\.10008\.1\.2(\.1|\.1\.98|\.1\.99|\.2|\.4\.\d+|\.5|\.6\.\d+|\.7\.\d+|\.8\.\d+)?")


class NotInflatable(Exception):
    """A deflated dataset is damaged, or larger than allowed. The text says which, without any of it."""


def is_known(transfer_syntax_uid: str) -> bool:
    """Whether it is certain how a dataset of this transfer syntax is encoded; of a private one it is not."""
    return _KNOWN.fullmatch(transfer_syntax_uid) is not None


def inflate(stream: BinaryIO, most_bytes: int) -> bytes:
    """Inflate what is left of a stream (PS3.5 section A.5).

    :param stream: a binary stream that stands at the dataset.
    :param most_bytes: no more than this is read, or made of it.
    :raises NotInflatable: when it is damaged, or would become larger.
    """
    import zlib  # noqa: PLC0415 - few datasets are deflated

    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = inflater.decompress(stream.read(most_bytes), most_bytes)
    except zlib.error:
        raise NotInflatable("its deflated dataset is damaged") from None
    if inflater.unconsumed_tail:
        raise NotInflatable(f"its deflated dataset is larger than {most_bytes >> 20} MiB")
    if not inflater.eof:
        raise NotInflatable("its deflated dataset ends too early")
    return data
