"""Identifiers are found however they are spelled, and what is nobody's stays usable."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from tempfile import NamedTemporaryFile

import pytest
from pydicom.filewriter import dcmwrite

from airlock.identity.harvest import Evidence, harvest
from airlock.identity.identifiers import Identifiers
from airlock.identity.vocabulary import ordinary, vocabulary
from airlock.verify.harvest import Harvester
from tests.spelled import (
    ADDRESSES,
    BIRTH,
    BIRTH_DATES,
    HARMLESS,
    NAMES,
    NUMBERS,
    PHONES,
    TEMPTING,
    evidence_of,
)
from tests.synthetic import ct


def missed(evidence: Evidence, texts: list[str]) -> list[str]:
    """Return the texts in which nothing is found, or something is after cutting."""
    identifiers = Identifiers(evidence)
    return [text for text in texts if not identifiers.find(text) or identifiers.find(identifiers.cut(text))]


@pytest.mark.parametrize("name", NAMES)
def test_names(name: str) -> None:
    assert missed(evidence_of(name), NAMES[name]) == []
    around = [f"seen {text}, supine" for text in NAMES[name]]
    assert missed(evidence_of(name), around) == []


def test_dates_of_birth() -> None:
    assert missed(Evidence(birth_dates={BIRTH}), BIRTH_DATES) == []
    others = Identifiers(Evidence(birth_dates={"19620404"}))
    assert [text for text in BIRTH_DATES if others.find(text)] == []


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers(number: str) -> None:
    assert missed(Evidence(numbers={number}), NUMBERS[number]) == []
    other = Identifiers(Evidence(numbers={"ZX-9081726"}))
    assert [text for text in NUMBERS[number] if other.find(text)] == []


@pytest.mark.parametrize("number", PHONES)
def test_telephone_numbers(number: str) -> None:
    assert missed(Evidence(phones={number}), PHONES[number]) == []


@pytest.mark.parametrize("address", ADDRESSES)
def test_addresses(address: str) -> None:
    assert missed(Evidence(phrases={address}), ADDRESSES[address]) == []


@pytest.mark.parametrize("name", sorted(TEMPTING))
def test_what_is_nobodys_stays(name: str) -> None:
    identifiers = Identifiers(evidence_of(name))
    assert [text for text in HARMLESS if identifiers.cut(text) != text] == []


def test_names_that_are_ordinary_words_leave_the_vocabulary_as_it_is() -> None:
    identifiers = Identifiers(Evidence(names=TEMPTING))
    words = vocabulary() | {word for word in ordinary() if len(word) > 2}
    assert not [word for word in words if identifiers.find(word)]
    assert not [word for word in vocabulary() if identifiers.find(word.upper())]


def test_cutting_leaves_the_rest() -> None:
    identifiers = Identifiers(evidence_of("Müller^Hans", birth_dates={"19610303"}))
    assert identifiers.cut("Knie M&uuml;ller, axial") == "Knie , axial"
    assert identifiers.cut("Knie M Ü L L E R axial") == "Knie axial"
    assert identifiers.cut("CTMUELLER3 axial") == "CT3 axial"
    assert identifiers.cut("axial 030361 3mm") == "axial 3mm"


def test_an_undeclared_escape_sequence() -> None:
    identifiers = Identifiers(evidence_of("Zhang^XiaoDong=张^小东"))
    for name in ("张", "张小东"):
        text = (b"Bild \x1b$)A" + name.encode("gb2312") + b" 2").decode("latin-1")
        assert not identifiers.find(identifiers.cut(text))
        assert identifiers.cut(text).startswith("Bild")
    korean = Identifiers(evidence_of("Hong^Gildong=홍^길동"))
    assert korean.find((b"\x1b$)C" + "홍길동".encode("euc-kr")).decode("latin-1"))
    japanese = Identifiers(evidence_of("Yamada^Tarou=山田^太郎"))
    assert japanese.find("山田".encode("iso2022_jp").decode("latin-1"))
    assert japanese.find((b"\x1b)I" + "ﾔﾏﾀﾞ".encode("shift_jis")).decode("latin-1")) == []
    assert Identifiers(evidence_of("ヤマダ^タロウ")).find((b"\x1b)I" + "ﾔﾏﾀﾞ".encode("shift_jis")).decode("latin-1"))


def test_text_of_sixteen_bits_in_bytes() -> None:
    identifiers = Identifiers(evidence_of("Mustermann^Erika"))
    for encoding in ("utf-16-le", "utf-16-be"):
        assert identifiers.in_bytes(b"\1\2" + "xx Mustermann".encode(encoding) + b"\0\0\3", dates=False)


def test_ids_of_rarer_attributes_are_harvested_by_both() -> None:
    ds = ct(
        InsurancePlanIdentification="AB-112233",
        BarcodeValue="CD-445566",
        PatientBirthDateInAlternativeCalendar="S36-2-3",
        PatientInstitutionResidence="Wing Seven, Example House",
        SpecimenAccessionNumber="EF-778899",
    )
    buffer = BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True)
    with NamedTemporaryFile(suffix=".dcm") as file:
        file.write(buffer.getvalue())
        file.flush()
        harvested = Harvester(institutions=True)(Path(file.name))
    assert harvested is not None
    for evidence in (harvest(ds), harvested.evidence):
        found = Identifiers(evidence)
        for text in ("ab 112233", "445566", "s36.2.3", "wing seven", "EF778899"):
            assert found.find(text), text
