from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from airlock.identity.harvest import Evidence, harvest
from airlock.identity.identifiers import Identifiers

EVIDENCE = Evidence(
    names={"Müller^Hans Peter^X^Dr", "Chest^Li", "山田^太郎", "やまだ^たろう", "Ng^Bo"},
    numbers={"QF-77319", "0012345678", "1", "4711", "S1"},
    phrases={"Wolkenkuckucksheim 17\r\n5020 Bergen"},
    phones={"+47 55 97 50 00"},
    dates={"20200112"},
    birth_dates={"19610203"},
    uids={"1.2.276.0.99.1"},
)
FOUND = [
    "MULLER", "muller, hans", "Müller", "MÜLLER^HANS", "Hans Peter", "hans_muller", "HansMüller", "x Peter x",
    "Li Chest", "chest^li", "山田太郎", "患者山田様", "Bo Ng", "NG^BO",
    "QF-77319", "qf77319", "id:QF 77319.", "PIDQF-77319"[3:], "12345678", "0012345678", "no 4711 x", "123456789",
    "wolkenkuckucksheim 17", "5020 bergen", "47559750 00", "+4755975000",
    "20200112", "2020-01-12", "12.01.2020", "01/12/2020", "12. Jan 2020", "Jan 12, 2020", "12012020", "3.2.61",
    "1961-02-03", "uid 1.2.276.0.99.1.",
]  # fmt: skip
CLEAN = [
    "Chest", "CT Chest 1", "Li", "Bo", "Mullerian", "Hanswurst", "7731", "987654321", "1", "S1", "T1 AX",
    "20200113", "12.01.2021", "1.2.276.0.99.11", "1.2.276.0.99", "47119", "ORIGINAL", "wolkenkuckucksheim 18",
]  # fmt: skip


@pytest.mark.parametrize("text", FOUND)
def test_found(text: str) -> None:
    identifiers = Identifiers(EVIDENCE)
    assert identifiers.find(text)
    assert not identifiers.find(identifiers.cut(text))


@pytest.mark.parametrize("text", CLEAN)
def test_not_found(text: str) -> None:
    assert Identifiers(EVIDENCE).find(text) == []


@given(st.text())
def test_cutting_leaves_nothing_to_find_and_changes_nothing_else(text: str) -> None:
    identifiers = Identifiers(EVIDENCE)
    if not identifiers.find(text):
        assert identifiers.cut(text) == text


def test_short_numbers_count_in_free_text_only() -> None:
    assert Identifiers(EVIDENCE).find("4711")
    assert not Identifiers(EVIDENCE).find("4711", free=False)


def test_what_the_output_carries_on_purpose_is_not_searched() -> None:
    assert not Identifiers(EVIDENCE, ["QF-77319"]).find("QF-77319")


def test_kept_dates_are_no_identifiers_and_birth_dates_are() -> None:
    identifiers = Identifiers(EVIDENCE, keep_dates=True)
    assert not identifiers.find("2020-01-12")
    assert identifiers.find("1961-02-03")
    newborn = Evidence(dates={"20200112"}, birth_dates={"20200112"}, events={"20200112"})
    assert not Identifiers(newborn, keep_dates=True).find("2020-01-12")
    misplaced = Identifiers(Evidence(dates={"20200112"}, birth_dates={"20200112"}), keep_dates=True)
    assert misplaced.find("2020-01-12")
    assert misplaced.is_birth("20200112101112")


def test_bytes() -> None:
    identifiers = Identifiers(EVIDENCE)
    assert identifiers.in_bytes(b"\0\1MULLER^HANS\0", dates=True)
    assert identifiers.in_bytes(b"\0\0001.2.276.0.99.1\0", dates=True)
    assert identifiers.in_bytes(b"\0\00020200112\0", dates=True)
    assert not identifiers.in_bytes(b"\0\00020200112\0", dates=False)
    assert not identifiers.in_bytes(b"\0\1\0024711 1 S1 Chest\0", dates=True)


def test_names_that_are_not_ascii_are_found_as_the_file_encodes_them() -> None:
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.PatientName = "Çelebioğlu^Şükrü"
    evidence = harvest(ds)
    assert Identifiers(evidence).find("celebioglu")
    evidence.encoded.add("Größenwahn".encode("latin-1"))
    assert Identifiers(evidence).in_bytes(b"xx" + "Größenwahn".encode("latin-1"), dates=True)


def test_names_in_another_character_set_than_declared() -> None:
    name = "Zhang^XiaoDong=张^小东".encode("gb18030").decode("latin-1")
    identifiers = Identifiers(Evidence(names=set(name.split("="))))
    assert identifiers.cut("Bild 小东 2".encode("gb18030").decode("latin-1")) == "Bild 2"
    assert identifiers.cut("Gerät 45° ±2") == "Gerät 45° ±2"


def test_evidence_is_collected_at_every_level() -> None:
    ds, inner = Dataset(), Dataset()
    inner.OperatorsName, inner.OtherPatientIDs = "Deep^Down", "ABC-99881"
    inner.ReferencedSOPInstanceUID, inner.ReferencedSOPClassUID = "1.2.3.4.5", "1.2.840.10008.5.1.4.1.1.2"
    ds.PatientID, ds.PatientBirthDate, ds.StudyDate = "P-1", "19610203", "20200112"
    ds.RequestAttributesSequence = [inner]
    evidence = harvest(ds)
    assert evidence.names == {"Deep^Down"}
    assert evidence.numbers == {"P-1", "ABC-99881"}
    assert evidence.uids == {"1.2.3.4.5"}
    assert (evidence.birth_dates, evidence.dates) == ({"19610203"}, {"20200112"})
    assert evidence.patients == {("P-1", "")}
    assert "Deep" not in repr(evidence)
    assert "Deep" not in repr(Identifiers(evidence))


SPELLED = {
    "O'Brien^Seán": ["OBrien", "obrien s", "O\u2019BRIEN"],
    "van der Berg^Johanna Maria": ["vanderberg", "johannamaria"],
    "García-Márquez^José": ["GarciaMarquez", "MARQUEZ"],
    "SMITH JOHN": ["JSmith", "Smiths", "Sm\u00adith", "S\u200bmith"],
    "Иванов^Сергей": ["Иванова", "ивановым"],
    "ﾔﾏﾀﾞ^ﾀﾛｳ": ["やまだ", "ヤマダ"],
}


@pytest.mark.parametrize("name", SPELLED)
def test_names_as_people_write_them(name: str) -> None:
    identifiers = Identifiers(Evidence(names={name}))
    for text in SPELLED[name]:
        assert identifiers.find(text), text
        assert not identifiers.find(identifiers.cut(text)), text


def test_numbers_without_what_surrounds_them() -> None:
    identifiers = Identifiers(Evidence(numbers={"MRN-00123456", "19450312-1234"}))
    for text in ("123456", "x0123456x", "MRN-00-12-34-56", "450312-1234", "4503121234"):
        assert identifiers.find(text), text
    assert not identifiers.find("1234567 123455")


def test_dates_in_words() -> None:
    identifiers = Identifiers(Evidence(birth_dates={"19450312"}))
    written = ("12mar45", "45-03-12", "12 de marzo de 1945", "12th of March, 1945", "12 maart 1945", "12.III.1945")
    for text in (*written, "1945年3月12日", "1945년 3월 12일", "12 марта 1945", "12 mars 1945"):
        assert identifiers.find(text), text
    for text in ("13 mar 1945", "45-03-13", "1945年3月13日", "112 march 1945", "12 mar 1946", "45.3.12"):
        assert not identifiers.find(text), text


def test_institutions_by_the_words_that_tell_them() -> None:
    phrases = {"St. Mary's Hospital", "Charité", "Radiology Dept", "SIEMENS Medical", "Saint Elsewhere Klinik 4"}
    identifiers = Identifiers(Evidence(phrases=phrases))
    for text in ("Saint Mary\u2019s", "ST MARYS", "CHARITE CT1", "St. Elsewhere CT", "ELSEWHERE KLINIK"):
        assert identifiers.find(text), text
    for text in ("hospital", "Radiology", "Siemens", "medical"):
        assert not identifiers.find(text), text
