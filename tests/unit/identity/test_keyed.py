"""Keyed digests against RFC 4231 and the standard library."""

from __future__ import annotations

import hmac

import pytest

from airlock.identity.keyed import keyed_digest

# Test cases 1, 2, 3, 6 and 7 of RFC 4231, section 4.
RFC_4231 = [
    (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    (b"Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    (b"\xaa" * 20, b"\xdd" * 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
    (
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
    (
        b"\xaa" * 131,
        (
            b"This is a test using a larger than block-size key and a larger than block-size data. "
            b"The key needs to be hashed before being used by the HMAC algorithm."
        ),
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
    ),
]


@pytest.mark.parametrize(("key", "message", "digest"), RFC_4231)
def test_what_the_standard_says(key: bytes, message: bytes, digest: str) -> None:
    assert keyed_digest(key, message).hex() == digest


@pytest.mark.parametrize("length", [0, 1, 31, 32, 63, 64, 65, 200])
def test_the_same_as_the_standard_library_for_every_length_of_key(length: int) -> None:
    key = bytes(range(length))
    # Twice: what is kept of a key must not remember a message.
    for message in (b"", b"1.2.3", bytes(1000), b"1.2.3"):
        assert keyed_digest(key, message) == hmac.digest(key, message, "sha256")
