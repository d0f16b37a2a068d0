"""An item that is read as an earlier one lies is what the parser reads, whatever its bytes are."""

from __future__ import annotations

import random
from io import BytesIO

import pytest
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence

from airlock.verify import parser
from airlock.verify.levels import Level, Malformed, Order, Short
from airlock.verify.parser import parse_level
from airlock.verify.twins import Known, Twin, twin_of

ENCODINGS = [(False, True), (True, True), (False, False)]


def item(number: int, *, undefined: bool) -> Dataset:
    inner, code, ds = Dataset(), Dataset(), Dataset()
    code.CodeValue, code.CodeMeaning = str(number), "of a frame"
    inner.ReferencedSOPInstanceUID = f"1.2.3.{number // 3:05d}"
    inner.PurposeOfReferenceCodeSequence = Sequence([code, code])
    ds.ReferencedImageSequence = Sequence([inner])
    ds.ImagePositionPatient = [1.5 * number, -2, 3]
    ds.StackID, ds.InStackPositionNumber, ds.EffectiveEchoTime = "1", number, 2.5 + number % 2
    ds.DeidentificationMethodCodeSequence = Sequence([])
    ds.add_new(0x00091001, "OB", bytes([number, 0]))
    ds.is_undefined_length_sequence_item = undefined
    ds["ReferencedImageSequence"].is_undefined_length = undefined
    return ds


def encoded(*, implicit: bool, little: bool, items: int = 12, undefined: tuple[int, ...] = ()) -> bytes:
    ds = Dataset()
    ds.Modality = "MR"
    each = [item(number, undefined=number in undefined) for number in range(items)]
    ds.PerFrameFunctionalGroupsSequence = Sequence(each)
    ds["PerFrameFunctionalGroupsSequence"].is_undefined_length = bool(undefined)
    written = DicomBytesIO()
    written.is_implicit_VR, written.is_little_endian = implicit, little
    write_dataset(written, ds)
    return BytesIO(written.getvalue()).getvalue()


def parsed(data: bytes, order: Order, *, strict: bool, size: int = 0) -> tuple[Level, int] | str:
    """Return what the parser says.

    :param size: of the file of which these are the first bytes.
    """
    try:
        return parse_level(data, 0, size or len(data), order, strict=strict, known={})
    except (Malformed, Short) as error:
        return f"{type(error).__name__} {error} {getattr(error, 'needed', '')}"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many items each twin read."""
    count: list[int] = []
    once = Twin.read

    def counted(self: Twin, data: bytes, start: int, known: Known) -> Level:
        count.append(start)
        return once(self, data, start, known)

    monkeypatch.setattr(Twin, "read", counted)
    return count


@pytest.mark.parametrize(("implicit", "little"), ENCODINGS)
@pytest.mark.parametrize("undefined", [(), tuple(range(12)), (1, 3, 4, 5, 9)])
def test_items_that_lie_alike_are_read_as_the_parser_reads_them(
    implicit: bool, little: bool, undefined: tuple[int, ...], read: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    data, order = (
        encoded(implicit=implicit, little=little, undefined=undefined),
        Order(implicit=implicit, little=little),
    )
    found = [parsed(data, order, strict=strict) for strict in (True, False)]
    assert len(read) > 8
    monkeypatch.setattr(parser, "_ITEMS_BEFORE_TWINS", 1 << 30)
    assert found == [parsed(data, order, strict=strict) for strict in (True, False)]
    assert not isinstance(found[0], str)


@pytest.mark.parametrize(("implicit", "little"), ENCODINGS)
def test_no_other_bytes_are_read_otherwise(
    implicit: bool, little: bool, read: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(3)
    good = [encoded(implicit=implicit, little=little, undefined=undefined) for undefined in ((), (2, 3, 4, 5, 6))]
    order = Order(implicit=implicit, little=little)
    # The beginning of a file ends in the last value of an item.
    cases = [(good[0][:-cut], True, len(good[0])) for cut in range(6)]
    for number in range(600):
        data = bytearray(good[number % 2])
        for _ in range(chance.randint(1, 2)):
            at = chance.randrange(len(data))
            # Most heads are made of few values.
            data[at] = chance.choice((0, 1, 2, 4, 8, 0xE0, 0xDD, 0x0D, 0xFE, 0xFF, data[at] ^ 1, ord("S"), ord("Q")))
        size = len(data)
        if number % 5 == 0:
            data = bytearray(good[number % 2])[: chance.randrange(size)]
        cases.append((bytes(data), number % 3 > 0, size if number % 10 else len(data)))
    found = [parsed(data, order, strict=strict, size=size) for data, strict, size in cases]
    monkeypatch.setattr(parser, "_ITEMS_BEFORE_TWINS", 1 << 30)
    assert found == [parsed(data, order, strict=strict, size=size) for data, strict, size in cases]
    assert read
    assert 50 < sum(isinstance(each, str) for each in found) < 550


def test_what_lies_otherwise_is_no_twin() -> None:
    data, order = encoded(implicit=False, little=True, items=3), Order(implicit=False, little=True)
    level, _ = parse_level(data, 0, len(data), order, strict=True)
    (items,) = [element.items for element in level.elements.values() if element.items]
    start = data.index(b"\xfe\xff\x00\xe0")
    end = start + 8 + int.from_bytes(data[start + 4 : start + 8], "little")
    twin = twin_of(data, start, end, items[0])
    assert twin is not None
    assert twin.lies_at(data, start)
    assert twin.read(data, start, {}) == items[0]
    # Another item's elements, another end, and another place.
    assert twin_of(data, start, end + 2, items[0]) is None
    assert twin_of(data, start + 8, end, items[0]) is None
    for number in range(start, end):
        changed = data[:number] + bytes([data[number] ^ 0x10]) + data[number + 1 :]
        again = parsed(changed, order, strict=True)
        if twin.lies_at(changed, start):
            # Values alone differ, so that nothing else does.
            assert not isinstance(again, str)


def test_items_with_fragments_are_parsed(read: list[int]) -> None:
    fragments = bytes.fromhex("0900 0210") + b"OB\0\0" + b"\xff" * 4
    fragments += bytes.fromhex("feff 00e0 0400 0000 0000 0000 feff dde0 0000 0000")
    each = bytes.fromhex("feff 00e0") + len(fragments).to_bytes(4, "little") + fragments
    data = bytes.fromhex("0052 3092") + b"SQ\0\0" + (5 * len(each)).to_bytes(4, "little") + 5 * each
    found = parsed(data, Order(implicit=False, little=True), strict=True)
    assert not isinstance(found, str)
    assert [len(level.elements) for level in found[0].elements[0x52009230].items or ()] == [1] * 5
    assert not read


def test_items_of_another_encoding_are_parsed() -> None:
    # Unknown VR of undefined length holds implicit items.
    order, implicit = Order(implicit=False, little=True), Order(implicit=True, little=True)
    inner = encoded(implicit=True, little=True, items=3)
    level, end = parse_level(inner, 0, len(inner), implicit, strict=True)
    unknown = Level(order, {0x00091010: level.elements[0x52009230]._replace(vr=b"UN")})
    assert twin_of(inner, 0, end, unknown) is None
