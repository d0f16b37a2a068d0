"""Content items of reports come out of the streaming engine as they do of the plain one, and without its help."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import ComprehensiveSRStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from airlock.dicomio.quiet import quiet
from tests.synthetic import ct
from tests.unit.deid.stream.conftest import Both
from tests.unit.deid.test_content_rows import ROWS, code, item_of

OPTIONS = (
    "",
    "clean_structured_content",
    "clean_descriptors+retain_longitudinal_modified_dates",
    "retain_uids+retain_longitudinal_full_dates+retain_device_identity+retain_institution_identity",
)


def report(*items: Dataset, syntax: str = ExplicitVRLittleEndian, undefined: bool = False, **values: Any) -> bytes:
    ds = ct(1, SOPClassUID=ComprehensiveSRStorage, ValueType="CONTAINER", Modality="SR", **values)
    for keyword in ("PixelData", "Rows", "Columns"):
        if keyword in ds:
            delattr(ds, keyword)
    ds.ContentSequence = items
    if undefined:
        for current in (ds, *ds.ContentSequence):
            for element in current:
                if element.VR == "SQ":
                    element.is_undefined_length = True
            current.is_undefined_length_sequence_item = True
    ds.file_meta.TransferSyntaxUID = syntax
    stream = BytesIO()
    with quiet():
        dcmwrite(stream, ds, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=True, enforce_file_format=True)
    return stream.getvalue()


def rows() -> list[Dataset]:
    return [item_of(row) for row in ROWS if not (row[2] == "NUM" and "age" in row[3].lower())]


def nested(*items: Dataset) -> Dataset:
    around = item_of(["99X", "1", "CONTAINER", "Group"])
    around.ContentSequence = items
    return around


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize("options", OPTIONS)
def test_every_row_at_two_depths(both: Both, options: str, syntax: str) -> None:
    content = report(*rows(), nested(*rows()), syntax=syntax)
    both(content, tuple(options.split("+")) if options else (), None, True)


def test_the_plain_engine_is_not_asked(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    from airlock.deid.stream import plainly

    def refuse(*_arguments: object, **_options: object) -> None:
        raise AssertionError("the plain engine was asked")

    monkeypatch.setattr(plainly, "treat_plainly", refuse)
    for undefined in (False, True):
        both(report(*rows(), nested(*rows()), undefined=undefined), (), None, True)


def empty_of(keyword: str) -> Dataset:
    item = item_of(["DCM", "121071", "TEXT", "Finding"])
    setattr(item, keyword, "")
    return item


def test_items_that_say_less_than_they_should(both: Both) -> None:
    several = item_of(["DCM", "121071", "TEXT", "Finding"])
    several.ConceptNameCodeSequence = [code("1", "99X", "mine"), code("121071", "DCM", "Finding")]
    without = Dataset()
    without.RelationshipType, without.ValueType, without.TextValue = "CONTAINS", "TEXT", "Zebedee Quillfeather"
    own = item_of(["DCM", "121071", "CODE", "Finding"])
    own.ConceptCodeSequence = [code("Q", "99ME", "Zebedee Quillfeather thorax")]
    referred = item_of(["DCM", "121071", "TEXT", "Finding"])
    referred.ReferencedContentItemIdentifier = [1, 1]
    long_code = item_of(["DCM", "121071", "TEXT", "Finding"])
    del long_code.ConceptNameCodeSequence[0].CodeValue
    long_code.ConceptNameCodeSequence[0].LongCodeValue = "121071"
    a_code_itself = item_of(["DCM", "121071", "TEXT", "Finding"])
    a_code_itself.CodeMeaning = "Zebedee"
    named = item_of(["QUILLFEATHER", "121071", "TEXT", "Quillfeather"])
    age = item_of(["DCM", "121033", "NUM", "Subject Age"])
    strange = (several, without, own, referred, long_code, a_code_itself, named, age, nested(), nested(without))
    for options in ((), ("clean_structured_content", "retain_patient_characteristics")):
        for item in (*strange, empty_of("ValueType"), empty_of("TextValue")):
            both(report(nested(item, own)), options)


def test_a_report_of_nothing_but_what_must_go_has_no_content(both: Both) -> None:
    gone = [item_of(row) for row in ROWS if row[4] == "X"]
    assert gone
    both(report(*gone), (), None, True)
    both(report(nested(*gone)), (), None, True)
    both(report(gone[0], AcquisitionContextSequence=gone), (), None, True)
    both(report(gone[0], AcquisitionContextSequence=gone), ("clean_structured_content",), None, True)
