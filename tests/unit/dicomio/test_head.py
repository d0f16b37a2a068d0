"""File meta information that was read before is recognised, and nothing else is taken for it."""

from __future__ import annotations

import struct
from itertools import product

import pytest

from airlock.dicomio import head
from airlock.dicomio.head import Irregular


def element(number: int, vr: bytes, value: bytes) -> bytes:
    length = struct.pack("<2xI", len(value)) if vr in head.LONG_VRS else struct.pack("<H", len(value))
    return struct.pack("<HH", 2, number) + vr + length + value


def files() -> list[bytes]:
    """Return beginnings of files that differ in all that counts, and a little."""
    found = []
    instances = (b"1.2.3.4\0", b"1.2.3.5\0", b"1.2.3.44", b"1.2.3", b"1.2.840.1.2\0", b"\2\0\x10\0UI\2\0")
    syntaxes = (b"1.2.840.10008.1.2\0", b"1.2.840.10008.1.2.1\0")
    datasets = (b"\x08\0\x16\0UI", b"\x08\0\x05\0CS", b"\x08", b"", b"\2\0\x13\0SH\2\0AB\x08\0\x16\0", b"\2\0\x13\0XX")
    for instance, syntax, dataset in product(instances, syntaxes, datasets):
        begun = bytes(128) + b"DICM" + element(1, b"OB", b"\0\1") + element(2, b"UI", b"1.2.840.10")
        found.append(begun + element(3, b"UI", instance) + element(16, b"UI", syntax) + dataset)
        found.append(begun + element(16, b"UI", syntax) + element(3, b"UI", instance) + dataset)
        found.append(begun + element(16, b"UI", syntax) + dataset)
        found.append(begun + element(3, b"UI", instance) + element(16, b"UI", syntax + b"1" * 200)[:-100])
    return [*found, b"", bytes(140), bytes(128) + b"DICM"]


def read(data: bytes) -> object:
    try:
        return head._read_meta(data)
    except (Irregular, struct.error, IndexError):
        return "irregular"


@pytest.mark.parametrize("step", [1, 7, 30])
def test_what_was_read_before_changes_nothing(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head, "_latest", [])
    every = files()
    expected = []
    for data in every:
        head._latest.clear()
        expected.append(read(data))
    assert len(set(map(str, expected))) > 10
    order = sorted(range(len(every)), key=lambda number: (number * step % len(every), number))
    for number in order:
        read(every[number - step])
        assert read(every[number]) == expected[number]


def test_the_next_file_of_a_series_is_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head, "_latest", [])
    one, two = (
        bytes(128) + b"DICM" + element(3, b"UI", uid) + element(16, b"UI", b"1.2") + b"\x08\0\x16\0UI"
        for uid in (b"1.2.3.4\0", b"1.2.3.5\0")
    )
    expected = head._read_meta(one)
    monkeypatch.setattr(head, "_walk_meta", None)
    assert head._read_meta(two) == expected == (b"1.2", len(one) - 6)
