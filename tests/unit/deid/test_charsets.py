"""Names are cut from descriptions in whatever character set they are written."""

from __future__ import annotations

from io import BytesIO

import pydicom
import pytest
from pydicom.filewriter import dcmwrite

from airlock.deid.engine import Engine
from airlock.deid.profile import Profile
from airlock.dicomio.quiet import quiet
from airlock.identity.harvest import harvest
from airlock.identity.identifiers import Identifiers
from airlock.identity.keys import KeyRing
from airlock.identity.uids import UidMap
from tests.synthetic import ct

NAMES = {
    "ISO_IR 100": ("Buc^Jérôme", "ISO_IR 100"),
    "ISO_IR 101": ("Łukasiewicz^Zdzisław", "ISO_IR 101"),
    "ISO_IR 144": ("Юрьев^Ёлкин", "ISO_IR 144"),
    "ISO_IR 126": ("Διονυσιος^Γεωργιος", "ISO_IR 126"),
    "ISO_IR 127": ("قباني^لنزار", "ISO_IR 127"),
    "ISO_IR 138": ("שרון^דבורה", "ISO_IR 138"),
    "ISO_IR 166": ("สมชาย^แดง", "ISO_IR 166"),
    "ISO 2022 IR 87": ("Yamada^Tarou=山田^太郎=やまだ^たろう", ["", "ISO 2022 IR 87"]),
    "ISO 2022 IR 149": ("Hong^Gildong=洪^吉洞=홍^길동", ["", "ISO 2022 IR 149"]),
    "GB18030": ("Wang^XiaoDong=王^小东", "GB18030"),
    "ISO_IR 192": ("Wang^XiaoDong=王^小東", "ISO_IR 192"),
}


@pytest.mark.parametrize("options", [(), ("clean_descriptors",)])
@pytest.mark.parametrize("charset", NAMES)
def test_names_in_text_that_is_kept_and_that_is_cleaned(charset: str, options: tuple[str, ...]) -> None:
    name, declared = NAMES[charset]
    last = name.split("=")[-1]
    spoken = last.replace("^", " ")
    with quiet():
        ds = ct(SpecificCharacterSet=declared, PatientName=name)
        ds.ConvolutionKernel, ds.StudyDescription = f"sharp {spoken}", f"Thorax {spoken}"
        buffer = BytesIO()
        dcmwrite(buffer, ds, enforce_file_format=True)
        buffer.seek(0)
        ds = pydicom.dcmread(buffer)
        identifiers = Identifiers(harvest(ds))
        Engine(Profile("2026d", options), UidMap(KeyRing(b"k" * 32), "P"), identifiers, -17).apply(ds)
        assert ds.ConvolutionKernel == "sharp"
        assert ds.get("StudyDescription") == ("Thorax" if options else None)
        assert not [part for part in last.split("^") if part in str(ds)]


def test_the_list_of_words_holds_the_words_of_radiology() -> None:
    ds = ct(
        StudyDescription="MR Beckenübersicht", SeriesDescription="Schädel nativ, t2_tse_tra acetabulum Wolpertinger"
    )
    with quiet():
        identifiers = Identifiers(harvest(ds))
        Engine(Profile("2026d", ["clean_descriptors"]), UidMap(KeyRing(b"k" * 32), "P"), identifiers, 0).apply(ds)
    assert (ds.StudyDescription, ds.SeriesDescription) == ("MR Beckenübersicht", "Schädel nativ, t2_tse_tra acetabulum")
