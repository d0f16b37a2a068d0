"""Every kind of identifier, put into every kind of place, is found."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

from airlock.identity.harvest import Evidence
from airlock.identity.identifiers import Identifiers
from airlock.verify.search import Search
from airlock.verify.spelled import Spelled
from tests.synthetic import ct
from tests.unit.verify.conftest import Case, make_case

MakeCase = Callable[..., Case]
IDENTIFIERS = {
    "name": "seen by Quillfeather",
    "given name": "ZEBEDEE",
    "both names": "Z. Quillfeather",
    "patient id": "qf 7731942",
    "number alone": "no 7731942",
    "accession": "ACC-5550199",
    "address": "wolkenkuckucksheim allee 17",
    "physician": "Dr. G. Wolkenkuck",
    "birth date": "born 03.02.1961",
    "birth date in words": "3 Feb 1961",
    "study date": "on 2020-01-10",
    "uid": "see 1.2.276.0.7230010.3.1.5.2",
}


def raw(tag: int, vr: str, value: str) -> RawDataElement:
    data = value.encode()
    data += b" " * (len(data) % 2)
    return RawDataElement(BaseTag(tag), vr, len(data), data, 0, False, True)


def text(ds: Dataset, value: str) -> None:
    ds.SeriesDescription = value


def long_text(ds: Dataset, value: str) -> None:
    ds.ImageComments = "word " * 200 + value + " word" * 200


def code(ds: Dataset, value: str) -> None:
    ds.FilterType = value


def number(ds: Dataset, value: str) -> None:
    ds[0x00180050] = raw(0x00180050, "DS", value)


def uid(ds: Dataset, value: str) -> None:
    ds.add_new(0x00081150, "UI", value)


def time(ds: Dataset, value: str) -> None:
    ds.add_new(0x00080033, "TM", value)


def nested(ds: Dataset, value: str) -> None:
    inner = Dataset()
    inner.CodeMeaning = value
    for _ in range(20):
        outer = Dataset()
        outer.AnatomicRegionSequence = Sequence([inner])
        inner = outer
    ds.AnatomicRegionSequence = inner.AnatomicRegionSequence


def private_unknown(ds: Dataset, value: str) -> None:
    data = b"\1\0\2" + value.encode() + b"\0" * 7
    ds.private_block(0x0099, "SOMEBODY", create=True).add_new(1, "UN", data + b"\0" * (len(data) % 2))


def bytes_(ds: Dataset, value: str) -> None:
    data = b"\1\2\3" + value.encode() + b"\0\1\2"
    ds.RedPaletteColorLookupTableData = data + b"\0" * (len(data) % 2)


def words(ds: Dataset, value: str) -> None:
    ds.add_new(0x00281201, "OW", b"\1\0" * 20 + value.encode("utf-16-le") + b"\2\0" * 20)


def big_endian_words(ds: Dataset, value: str) -> None:
    ds.add_new(0x00281202, "OW", b"\0\1" * 20 + value.encode("utf-16-be") + b"\0\2" * 20)


def after_the_pixels(ds: Dataset, value: str) -> None:
    ds.add_new(0xFFFCFFFC, "OB", value.encode() + b"\0" * 30)


def preamble(ds: Dataset, value: str) -> None:
    ds.preamble = value.encode().ljust(128, b"\0")


def version_name(ds: Dataset, value: str) -> None:
    ds.file_meta.ImplementationVersionName = value[:16]


def source_title(ds: Dataset, value: str) -> None:
    ds.file_meta.SourceApplicationEntityTitle = value[-16:]


PLACES = [
    text, long_text, code, number, uid, time, nested, private_unknown, bytes_, words, big_endian_words,
    after_the_pixels, preamble, version_name, source_title,
]  # fmt: skip


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_every_identifier_in_every_place(case: MakeCase, place: Callable[[Dataset, str], None]) -> None:
    changed = case()
    path = changed.outputs[1]
    before = path.read_bytes()
    for kind, value in IDENTIFIERS.items():
        path.write_bytes(before)
        changed.change(lambda ds, value=value: place(ds, value), 1)
        problems = changed.verify()
        assert problems["2"], kind
        # Bytes are searched for what chance does not make: names of five letters or more, and long numbers.
        told_by_place = place in (version_name, source_title) or (place.__doc__ is None and place in BY_BYTES)
        if not told_by_place:
            assert any(problem.identifier for problem in problems["2"]), kind
        assert not problems["1"]
        assert not problems["3"]


BY_BYTES = (private_unknown, bytes_, words, big_endian_words, after_the_pixels, preamble)


@pytest.mark.parametrize("place", BY_BYTES, ids=lambda place: place.__name__)
@pytest.mark.parametrize("kind", ["name", "given name", "patient id", "number alone", "accession", "address", "uid"])
def test_identifiers_in_bytes_are_called_so(case: MakeCase, place: Callable[[Dataset, str], None], kind: str) -> None:
    changed = case()
    changed.change(lambda ds: place(ds, IDENTIFIERS[kind]))
    assert any(problem.identifier for problem in changed.verify()["1"])


CHARSETS = [
    ("", "Smithson^Adelaide"),
    ("ISO_IR 100", "Çelebiog^Müßig"),
    ("ISO_IR 101", "Wałęsakowa^Łucja"),
    ("ISO_IR 109", "Ĉiutagulo^Ĝojulo"),
    ("ISO_IR 110", "Kārkliņš^Ģirts"),
    ("ISO_IR 144", "Щукиндж^Жюли"),
    ("ISO_IR 127", "قباني^لنزار"),
    ("ISO_IR 126", "Διονυσιος^Αλεξ"),
    ("ISO_IR 138", "שרוןכהן^דבורה"),
    ("ISO_IR 148", "Çavuşoğlu^Şükrü"),
    ("ISO_IR 166", "สมชายดี^ใจดีมาก"),
    ("\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    ("\\ISO 2022 IR 149", "Hong^Gildong=洪^吉洞=홍^길동"),
    ("GB18030", "Wang^XiaoDong=王^小东"),
    ("ISO_IR 192", "Wang^XiaoDong=王^小東"),
]


@pytest.mark.parametrize(("charset", "name"), CHARSETS, ids=[charset or "ascii" for charset, _ in CHARSETS])
def test_names_in_their_character_set_and_in_others(charset: str, name: str, tmp_path: Path) -> None:
    def person(number: int) -> Dataset:
        ds = ct(number)
        ds.SpecificCharacterSet = charset.split("\\")
        ds.PatientName = name
        return ds

    made = make_case(tmp_path / "case", [person(1), person(2)])
    assert not any(made.verify().values())
    before = made.outputs[0].read_bytes()
    for group in name.split("="):
        family = group.split("^", maxsplit=1)[0]
        spellings = {family.lower(), family.upper()} if len(family) >= 4 else {group.replace("^", "")}
        for spelling in spellings | {group.replace("^", " "), group.replace("^", "")}:

            def plant(ds: Dataset, spelling: str = spelling) -> None:
                ds.SeriesDescription = f"x {spelling} y"

            made.outputs[0].write_bytes(before)
            made.change(plant)
            assert any(problem.identifier for problem in made.verify()["1"]), spelling
            for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
                made.outputs[0].write_bytes(before)
                hidden = b"\1\2\3" + spelling.encode(encoding) + b"\0\0\1"
                made.change(lambda ds, hidden=hidden: setattr(ds, "RedPaletteColorLookupTableData", hidden))
                if spelling == group.replace("^", " ") and len(hidden) >= 11:
                    assert any(problem.identifier for problem in made.verify()["1"]), (spelling, encoding)


def test_half_width_kana_as_one_byte_each() -> None:
    evidence = Evidence(names={"ﾔﾏﾀﾞｻﾝ^ﾀﾛｳ"})
    search = Search(Identifiers(evidence), Spelled(evidence, (), keep_dates=False), removed=True)
    for charset in (b"ISO_IR 13", b"", b"ISO_IR 100"):
        written = "x ﾔﾏﾀﾞｻﾝ y".encode("shift_jis")
        assert search.element(written, b"LO", charset, kept=True) == {("name", False)}
        assert not search.element("x ﾔﾏﾀﾞ y".encode("shift_jis"), b"LO", charset, kept=True)


def test_in_the_file_name(case: MakeCase) -> None:
    changed = case()
    path = changed.outputs[0]
    target = path.with_name("Quillfeather.dcm")
    path.rename(target)
    (changed.root / "names" / target.name).write_text("1")
    problems = changed.verify()["1"]
    assert any(problem.attribute == "file name" and problem.identifier for problem in problems)


def test_in_the_padding_of_a_value_and_of_the_file(case: MakeCase) -> None:
    changed = case()
    path = changed.outputs[0]
    path.write_bytes(path.read_bytes() + b"Quillfeather")
    assert {problem.attribute for problem in changed.verify()["1"]} == {"file"}
    changed.change(lambda ds: ds.add_new(0x00181030, "LO", "head\0\0\0\0Quillfeather"), 1)
    assert any(problem.identifier for problem in changed.verify()["2"])


def test_deep_nesting_is_searched_to_its_bottom(case: MakeCase) -> None:
    changed = case()
    path = changed.outputs[0]
    ds = pydicom.dcmread(path)
    inner = element(0x00080104, b"LO", b"Quillfeather")
    for _ in range(3000):
        inner = element(0x00082218, b"SQ", struct.pack("<HHL", 0xFFFE, 0xE000, len(inner)) + inner)
    data = path.read_bytes()
    position = data.index(struct.pack("<HH2s", 0x0010, 0x0010, b"PN"))
    assert "AnatomicRegionSequence" not in ds
    path.write_bytes(data[:position] + inner + data[position:])
    assert any(problem.identifier for problem in changed.verify()["1"])


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
    return head + (b"\0\0" + struct.pack("<L", len(value)) if vr == b"SQ" else struct.pack("<H", len(value))) + value
