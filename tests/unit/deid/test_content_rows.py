"""Every row of table E.3.4-1 as a content item, at the top of a report and below another item, with every option."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ComprehensiveSRStorage, CTImageStorage

from airlock.deid.engine import Engine
from airlock.deid.profile import Profile
from airlock.dicomio.quiet import quiet
from airlock.identity.dates import shift_date
from airlock.identity.harvest import Evidence
from airlock.identity.identifiers import Identifiers
from airlock.identity.keys import KeyRing
from airlock.identity.uids import UidMap
from tests.unit.deid.test_rows import DAYS, OPTIONS, TOGETHER

ROWS = json.loads((files("airlock.deid") / "profiles" / "ps315_2026d.json").read_text("utf-8"))["content"]
UID, TEXT = "1.2.276.9.8.7.6", "canary chest Wolpertinger"
SIMPLE: dict[str, tuple[str, Any]] = {
    "TEXT": ("TextValue", TEXT),
    "PNAME": ("PersonName", TEXT),
    "DATE": ("Date", "20190708"),
    "TIME": ("Time", "112233"),
    "DATETIME": ("DateTime", "20190708112233"),
    "UIDREF": ("UID", UID),
}


def code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def item_of(row: list[Any]) -> Dataset:
    scheme, value, kind, meaning = row[:4]
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", kind
    item.ConceptNameCodeSequence = [code(value, scheme, meaning[:64])]
    inner = Dataset()
    if kind in SIMPLE:
        setattr(item, *SIMPLE[kind])
    elif kind in ("IMAGE", "COMPOSITE", "WAVEFORM"):
        inner.ReferencedSOPClassUID, inner.ReferencedSOPInstanceUID = CTImageStorage, UID
        item.ReferencedSOPSequence = [inner]
    elif kind == "NUM":
        inner.NumericValue = "4242"
        item.MeasuredValueSequence = [inner]
    elif kind == "CODE":
        item.ConceptCodeSequence = [code("F", "DCM", "Female")]
    return item


def outcome(item: Dataset, kind: str) -> str:
    """What became of the item's value: K, D (also a mapped UID), C, S or Z."""
    if kind in SIMPLE:
        keyword, original = SIMPLE[kind]
        value = str(item.get(keyword, ""))
        if value == original:
            return "K"
        if kind.startswith("DATE") and value[:8] == shift_date("20190708", DAYS) and value[8:] == original[8:]:
            return "S"
        assert "canary" not in value
        return "C" if value == "chest" else "D" if value else "Z"
    if kind in ("IMAGE", "COMPOSITE", "WAVEFORM"):
        return "K" if item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == UID else "D"
    if kind == "NUM":
        return "K" if item.MeasuredValueSequence else "D"
    return "K" if kind == "CONTAINER" or item.ConceptCodeSequence[0].CodeMeaning == "Female" else "D"


def expected(row: list[Any], options: set[str]) -> set[str]:
    kind, basic, by_option = row[2], row[4], row[5]
    actions = {by_option[option] for option in options if option in by_option}
    if "K" in actions:
        return {"K"}
    if "C" in actions:
        moved = {"DATE": "S", "DATETIME": "S", "TIME": "K"}
        return {moved.get(kind, "C")}
    return {"X", "D"} if basic == "X/D" else {basic}


@lru_cache(maxsize=64)
@quiet()
def processed(option: str, depth: int, *, by_position: bool = False) -> tuple[Dataset, ...]:
    """The items in the order of the rows, each found again by a mark that nothing touches."""
    ds, items = Dataset(), [item_of(row) for row in ROWS]
    for number, item in enumerate(items):
        item.InstanceNumber = number
    ds.SOPClassUID, ds.SOPInstanceUID, ds.ValueType = ComprehensiveSRStorage, "1.2.3", "CONTAINER"
    ds.ContentSequence = items
    if depth:
        around = item_of(["99X", "1", "CONTAINER", "Group"])
        around.ContentSequence = items
        ds.ContentSequence = [around]
    if by_position:
        items[0].ReferencedContentItemIdentifier = [1, 2]
    profile = Profile("2026d", option.split("+") if option else ())
    Engine(profile, UidMap(KeyRing(b"k" * 32), "P"), Identifiers(Evidence()), DAYS).apply(ds)
    return tuple(ds.ContentSequence[0].ContentSequence if depth else ds.ContentSequence)


@pytest.mark.parametrize("depth", [0, 1])
@pytest.mark.parametrize("option", OPTIONS + TOGETHER)
def test_every_row(option: str, depth: int) -> None:
    left = {int(item.InstanceNumber): item for item in processed(option, depth)}
    wrong = {}
    for number, row in enumerate(ROWS):
        found = outcome(left[number], row[2]) if number in left else "X"
        if found not in expected(row, set(option.split("+"))):
            wrong[row[3], row[2]] = found, expected(row, set(option.split("+")))
    assert wrong == {}
    assert len(ROWS) == 214


def test_where_items_refer_by_position_none_goes_but_its_value() -> None:
    left = processed("", 0, by_position=True)
    assert len(left) == 214
    for item, row in zip(left, ROWS, strict=True):
        assert row[2] == "CONTAINER" or outcome(item, row[2]) in ("D", "Z"), row[3]


@pytest.mark.parametrize(("age", "expected"), [("93", 90), ("43", 43)])
def test_the_age_of_the_subject_is_known_up_to_ninety(age: str, expected: int) -> None:
    item, measured = item_of(["DCM", "121033", "NUM", "Subject Age"]), Dataset()
    measured.NumericValue, measured.MeasurementUnitsCodeSequence = age, [code("a", "UCUM", "year")]
    item.MeasuredValueSequence = [measured]
    ds = Dataset()
    ds.SOPClassUID, ds.ContentSequence = ComprehensiveSRStorage, [item]
    profile = Profile("2026d", ["retain_patient_characteristics"])
    with quiet():
        Engine(profile, UidMap(KeyRing(b"k" * 32), "P"), Identifiers(Evidence()), DAYS).apply(ds)
    assert ds.ContentSequence[0].MeasuredValueSequence[0].NumericValue == expected


@pytest.mark.parametrize("by_position", [False, True])
def test_children_go_with_what_goes(by_position: bool) -> None:
    gone = item_of(["DCM", "121000", "CONTAINER", "Unique Device Identifiers"])
    child = item_of(["DCM", "113820", "CODE", "CT Acquisition Type"])
    gone.ContentSequence = [child]
    if by_position:
        gone.ReferencedContentItemIdentifier = [1]
    ds = Dataset()
    ds.SOPClassUID, ds.ContentSequence = ComprehensiveSRStorage, [gone]
    with quiet():
        Engine(Profile("2026d"), UidMap(KeyRing(b"k" * 32), "P"), Identifiers(Evidence()), DAYS).apply(ds)
    if by_position:
        (left,) = ds.ContentSequence[0].ContentSequence
        assert left.ConceptCodeSequence[0].CodeMeaning == "Anonymized"
    else:
        assert "ContentSequence" not in ds
