from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import UID

from airlock.identity.keys import KeyRing
from airlock.identity.uids import UidMap, is_structural

KEYS = KeyRing(b"k" * 32)
MAP = UidMap(KEYS, "P")


@given(st.text())
def test_new_uids_are_legal_and_repeatable(original: str) -> None:
    new = MAP(original)
    assert UID(new).is_valid
    assert len(new) <= 44
    assert new == UidMap(KEYS, "P")(original)
    assert uuid.UUID(int=int(new.removeprefix("2.25."))).version == 4


@given(st.text("0123456789.", min_size=1), st.text("0123456789.", min_size=1))
def test_different_originals_stay_different(one: str, other: str) -> None:
    assert (MAP(one) == MAP(other)) == (one == other)


def test_key_and_project_make_other_uids() -> None:
    assert len({MAP("1.2.3"), UidMap(KEYS, "Q")("1.2.3"), UidMap(KeyRing(b"o" * 32), "P")("1.2.3")}) == 3


def test_padding_does_not_count() -> None:
    assert MAP("1.2.3\0") == MAP("1.2.3 ") == MAP("1.2.3")


def test_what_is_structural() -> None:
    assert is_structural(0x00080016)
    assert is_structural(0x0008010C)
    assert not is_structural(0x00080018)
    assert not is_structural(0x0018100B)
