"""Keyed digests: HMAC-SHA-256 (RFC 2104 and 4231), of which a study of many frames needs thousands, most with one key.

What depends on the key alone is computed once for it. The standard library's function does that again for each
message, and its import loads OpenSSL: either takes longer than all the digests of a small study.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from airlock.typed import Any

# As the standard library's own `random` does it.
try:
    from _sha256 import sha256  # type: ignore[import-not-found,unused-ignore]  # type checkers know the whole only
except ImportError:  # later than Python 3.11
    from _sha2 import sha256  # type: ignore[import-not-found,no-redef,unused-ignore]  # as above

__all__ = ["keyed_digest", "keyed_numbers", "sha256"]

_BLOCK_BYTES = 64
_INNER, _OUTER = (bytes(code ^ pad for code in range(256)) for pad in (0x36, 0x5C))


def keyed_digest(key: bytes, message: bytes) -> bytes:
    """Return the HMAC-SHA-256 of a message, 32 bytes."""
    begun, ending = _with_key(key)
    inner = begun.copy()
    inner.update(message)
    outer = ending.copy()
    outer.update(inner.digest())
    digest: bytes = outer.digest()
    return digest


def keyed_numbers(key: bytes, messages: Iterable[bytes]) -> Iterator[int]:
    """Yield for each message the number that the first 128 bits of its HMAC-SHA-256 are."""
    begun, ending = _with_key(key)
    begin, end, number = begun.copy, ending.copy, int.from_bytes
    for message in messages:
        inner, outer = begin(), end()
        inner.update(message)
        outer.update(inner.digest())
        yield number(outer.digest()[:16], "big")


@lru_cache(maxsize=64)
def _with_key(key: bytes) -> tuple[Any, Any]:
    """Return the inner and the outer hash, after the block that each begins with."""
    block = (sha256(key).digest() if len(key) > _BLOCK_BYTES else key).ljust(_BLOCK_BYTES, b"\0")
    return sha256(block.translate(_INNER)), sha256(block.translate(_OUTER))
