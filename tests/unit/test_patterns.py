"""Expressions that are compiled when they are first used."""

from __future__ import annotations

import re

import pytest

from airlock.patterns import compiled_later


def test_behaves_as_the_compiled_one() -> None:
    later, now = compiled_later(r"(\d+)-(\d+)"), re.compile(r"(\d+)-(\d+)")
    for _ in range(2):
        found = later.search("a 12-34 b")
        assert found is not None
        assert found.groups() == ("12", "34")
        assert later.sub("x", "1-2 3-4") == now.sub("x", "1-2 3-4")
        assert [m.span() for m in later.finditer("1-2 3-4")] == [m.span() for m in now.finditer("1-2 3-4")]
    assert later.pattern == now.pattern
    # Looked up once: it is used for every text.
    assert later.search is later.search
    assert compiled_later(b"[a-c]+", re.IGNORECASE).fullmatch(b"ABC")


def test_is_not_compiled_before() -> None:
    wrong = compiled_later("(")
    with pytest.raises(re.error):
        wrong.search("x")
