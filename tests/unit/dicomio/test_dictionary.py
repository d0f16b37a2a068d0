"""The tables that are read without pydicom say what pydicom says."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest
from pydicom.datadict import DicomDictionary, get_entry, tag_for_keyword
from pydicom.uid import UID_dictionary

from airlock.dicomio import charsets, dictionary
from airlock.dicomio.declared import declared_encodings


def test_every_attribute_and_repeating_group() -> None:
    numbers = random.Random(1)
    repeating = [group << 24 | numbers.getrandbits(24) for group in (0x50, 0x60, 0x7F) for _ in range(5000)]
    known = [group << 24 | low for group in (0x50, 0x60) for low in (0x0010, 0x020010, 0x3000, 0x101500)]
    for tag in (*DicomDictionary, *repeating, *known, 0x00203150, 0x00280410, 0x00091001, 0x60013000):
        try:
            expected = get_entry(tag)
        except KeyError:
            with pytest.raises(KeyError):
                dictionary.entry(tag)
            assert dictionary.keyword_of(tag) == ""
        else:
            assert dictionary.entry(tag) == expected


def test_the_shipped_tables_are_those_of_the_installed_pydicom() -> None:
    # In a process of its own: pynetdicom, when something imports it, adds transfer syntaxes to pydicom's table.
    code = "from airlock.dicomio.build_tables import FOLDER, tables\n"
    code += "print(*[name for name, said in tables().items() if (FOLDER / name).read_text() != said])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not result.stdout.strip(), "Make them anew: python -m airlock.dicomio.build_tables"


def test_keywords_and_uids() -> None:
    for keyword in ("PatientName", "SeriesInstanceUID", "NoSuchThing", "Retired", "1", "UI", "CommandGroupLength"):
        assert dictionary.tag_of(keyword) == tag_for_keyword(keyword)
    assert dictionary.tag_of("") is None
    by_keyword = {found[4]: tag for tag, found in DicomDictionary.items() if found[4]}
    some = random.Random(2).sample(sorted(by_keyword), 200)
    assert [dictionary.tag_of(keyword) for keyword in some] == [by_keyword[keyword] for keyword in some]
    # pynetdicom, when something imports it, adds transfer syntaxes to pydicom's table.
    known = [uid for uid, (_, kind, *_) in UID_dictionary.items() if kind != "Transfer Syntax"]
    assert all(map(dictionary.is_uid, known))
    assert not dictionary.is_uid("1.2.3")


@pytest.mark.parametrize("value", [b"", b"ISO_IR 6", b"ISO_IR 100", b"ISO_IR 101", b"ISO_IR 192", b"ISO_IR 144"])
def test_the_usual_character_sets(value: bytes) -> None:
    padded = value + b" " * (len(value) % 2)
    found = charsets.plain_encoding(padded)
    element = b"\x08\0\x05\0CS" + len(padded).to_bytes(2, "little") + padded
    assert found is None or [found] == declared_encodings(element, implicit=False)
    assert (found is None) == (value == b"ISO_IR 144")


def test_ordinary_work_imports_neither_pydicom_nor_pydantic() -> None:
    code = "import sys, airlock.deid.work; print({'pydicom', 'pydantic', 'numpy'} & sys.modules.keys())"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
