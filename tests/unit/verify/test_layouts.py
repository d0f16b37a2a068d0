"""Reading by how earlier files lay gives what parsing gives, whatever came before, and refuses what parsing refuses."""

from __future__ import annotations

import io
import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.filewriter import dcmwrite
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from airlock.dicomio.quiet import quiet
from airlock.verify.layouts import Layouts
from airlock.verify.levels import Level, Malformed, Order, Shape, Short
from airlock.verify.parser import parse_level
from tests.synthetic import ct

EXPLICIT, IMPLICIT, BIG = (
    Order(implicit=False, little=True),
    Order(implicit=True, little=True),
    Order(implicit=False, little=False),
)
BELOW = 0x7FE00008


def parsed(data: bytes, order: Order, *, strict: bool) -> Level | str:
    try:
        return parse_level(data, 0, len(data), order, strict=strict, below=BELOW)[0]
    except (Malformed, Short) as error:
        return type(error).__name__


def read(layouts: Layouts, data: bytes) -> Level | str:
    try:
        level, end = layouts.level(data, 0, len(data))
    except (Malformed, Short) as error:
        return type(error).__name__
    assert end <= len(data)
    return level


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
    if vr in (b"SQ", b"OB", b"UN", b"UT"):
        return head + struct.pack("<HL", 0, len(value)) + value
    return head + struct.pack("<H", len(value)) + value


def sequence(tag: int, items: list[bytes], *, endless: bool) -> bytes:
    if not endless:
        return element(tag, b"SQ", b"".join(struct.pack("<HHL", 0xFFFE, 0xE000, len(item)) + item for item in items))
    begin, end = struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF), struct.pack("<HHL", 0xFFFE, 0xE00D, 0)
    head = struct.pack("<HH2sHL", tag >> 16, tag & 0xFFFF, b"SQ", 0, 0xFFFFFFFF)
    return head + b"".join(begin + item + end for item in items) + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)


TAGS = (0x00080005, 0x00080016, 0x00080018, 0x00081140, 0x00100010, 0x00180050, 0x00280010, 0x00291010, 0x00400275)
value = st.sampled_from((b"", b"ab", b"abcd", b"1.2.3\0", b"xy" * 20))
one = st.tuples(st.sampled_from(TAGS), st.sampled_from((b"LO", b"PN", b"UT", b"OB", b"UN")), value).map(
    lambda each: element(*each)
)
many = st.tuples(st.sampled_from((0x00081140, 0x00400275)), st.lists(one, max_size=2), st.booleans()).map(
    lambda each: sequence(each[0], each[1], endless=each[2])
)
# In ascending order mostly, and otherwise: twice, backwards.
dataset = st.lists(one | many, max_size=9).map(
    lambda parts: b"".join(sorted(parts, key=lambda part: struct.unpack("<HH", part[:4])))
) | st.lists(one | many, max_size=4).map(b"".join)


@settings(max_examples=120, deadline=None)
@given(st.lists(dataset, min_size=2, max_size=8), st.booleans(), st.randoms(use_true_random=False))
def test_any_history(datasets: list[bytes], strict: bool, dice: random.Random) -> None:
    layouts = Layouts(EXPLICIT, strict=strict, below=BELOW)
    for data in [*datasets, *datasets]:
        assert read(layouts, data) == parsed(data, EXPLICIT, strict=strict)
        if data:
            changed = bytearray(data)
            changed[dice.randrange(len(data))] = dice.randrange(256)
            for broken in (bytes(changed), data[: dice.randrange(len(data))]):
                assert read(layouts, broken) == parsed(broken, EXPLICIT, strict=strict)


def encoded(number: int, order: Order) -> bytes:
    """A header, whose texts differ in length as they do in a series."""
    ds = ct(number, SeriesDescription="x" * (number % 5), ImageComments="y" * (number % 3 * 7))
    ds.ReferencedImageSequence[0].ReferencedSOPInstanceUID = f"1.2.3.{number % 4}"
    del ds.PixelData
    syntax = {EXPLICIT: ExplicitVRLittleEndian, IMPLICIT: ImplicitVRLittleEndian, BIG: ExplicitVRBigEndian}[order]
    ds.file_meta.TransferSyntaxUID = syntax
    buffer = io.BytesIO()
    with quiet():
        dcmwrite(buffer, ds, enforce_file_format=False, implicit_vr=order.implicit, little_endian=order.little)
    data = buffer.getvalue()
    first = struct.pack("<HH" if order.little else ">HH", 0x0008, 0x0008)
    return data[data.index(first) :]


@pytest.mark.parametrize("order", [EXPLICIT, IMPLICIT, BIG], ids=["explicit", "implicit", "big"])
@pytest.mark.parametrize("strict", [False, True])
def test_a_series_and_what_is_broken_in_it(order: Order, strict: bool) -> None:
    layouts, dice = Layouts(order, strict=strict, below=BELOW), random.Random(3)
    series = [encoded(number, order) for number in range(24)]
    outcomes: set[type] = set()
    for data in series:
        level = read(layouts, data)
        assert level == parsed(data, order, strict=strict)
        for _ in range(12):
            changed = bytearray(data)
            for _ in range(dice.choice((1, 1, 4))):
                changed[dice.randrange(len(changed))] = dice.choice((0, 1, 0x20, 0xFF, dice.randrange(256)))
            if dice.random() < 0.2:
                del changed[dice.randrange(len(changed)) :]
            found = read(layouts, bytes(changed))
            outcomes.add(type(found))
            assert found == parsed(bytes(changed), order, strict=strict)
    assert outcomes == {Level, str}


def test_what_is_the_same_bytes_is_the_same_object() -> None:
    layouts = Layouts(EXPLICIT, strict=True, below=BELOW)
    levels = [read(layouts, encoded(number, EXPLICIT)) for number in (1, 2, 3, 6, 7, 8)]
    assert all(isinstance(level, Level) for level in levels)
    last, before = levels[-1].elements, levels[-2].elements  # type: ignore[union-attr]  # just asserted
    same = [tag for tag, each in last.items() if before.get(tag) is each]
    assert len(same) > 40
    assert all(before[tag] == last[tag] for tag in same)
    assert last[0x00080018] is not before[0x00080018]


def test_the_same_bytes_in_another_encoding_are_other_items() -> None:
    """A sequence in UN is implicit VR inside (PS3.5 section 6.2.2)."""
    layouts = Layouts(EXPLICIT, strict=True, below=BELOW)
    head = struct.pack("<HHL", 0xFFFE, 0xE000, 12)
    raw = head + struct.pack("<HH2sH", 0x0008, 0x0104, b"LO", 4) + b"abcd"
    implicit = head + struct.pack("<HHL", 0x0008, 0x0104, 4) + b"abcd"
    for vr, value in ((b"SQ", raw), (b"UN", raw), (b"UN", implicit), (b"SQ", implicit), (b"SQ", raw)):
        data = element(0x00081140, vr, value)
        assert read(layouts, data) == parsed(data, EXPLICIT, strict=True)


@pytest.mark.parametrize("vr", [b"LO", b"UL", b"UN"])
def test_values_that_differ_are_as_long_as_their_vr_allows(vr: bytes) -> None:
    for strict in (False, True):
        layouts = Layouts(EXPLICIT, strict=strict, below=BELOW)
        values = [b"abcd", b"efgh", b"ijkl", b"odd", b"six by", b"mnop"]
        for data in [element(0x00080005, b"CS", b"x ") + element(0x00091001, vr, value) for value in values]:
            assert read(layouts, data) == parsed(data, EXPLICIT, strict=strict)


def test_levels_of_one_shape_have_the_same_elements_but_for_those_that_it_names() -> None:
    layouts = Layouts(EXPLICIT, strict=True, below=BELOW)
    first: dict[Shape, Level] = {}
    for number in (*range(1, 12), 3, 5, *range(90, 120)):
        level = read(layouts, encoded(number, EXPLICIT))
        assert isinstance(level, Level)
        assert level.shape is not None
        other = first.setdefault(level.shape, level)
        assert list(level.elements) == list(other.elements)
        differing = {tag for tag, each in level.elements.items() if each != other.elements[tag]}
        assert differing <= set(level.shape.varying)
    assert len(first) < 12


def test_a_run_that_goes_beyond_what_was_read_asks_for_more() -> None:
    layouts = Layouts(EXPLICIT, strict=True, below=BELOW)
    data = encoded(1, EXPLICIT)
    read(layouts, data)
    with pytest.raises(Short) as caught:
        layouts.level(data[:200], 0, len(data))
    assert 200 < caught.value.needed <= len(data)


def test_a_large_sample_file() -> None:
    path = get_testdata_file("rtplan.dcm", download=False)
    assert path is not None
    with open(path, "rb") as file:  # noqa: PTH123 - pydicom gives a text
        data = file.read()
    start = data.index(struct.pack("<HHL", 0x0008, 0x0012, 8))
    layouts = Layouts(IMPLICIT, strict=False, below=BELOW)
    for _ in range(3):
        assert read(layouts, data[start:]) == parsed(data[start:], IMPLICIT, strict=False)
