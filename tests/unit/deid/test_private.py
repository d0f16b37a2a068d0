"""Private elements: what each mode leaves of them, and in what state."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.dataset import Dataset

from airlock.identity.uids import UidMap
from tests.synthetic import PLANTED, ct
from tests.unit.deid.test_rules import KEYS, apply

SAFE = "SIEMENS MR HEADER"


def scanned(**more: Any) -> Dataset:
    ds = ct(**more)
    block = ds.private_block(0x0019, SAFE, create=True)
    block.add_new(0x0C, "IS", "1000")
    block.add_new(0x0B, "DS", "1.5")
    block.add_new(0xF0, "LO", "unknown")
    other = ds.private_block(0x0019, "ACME 1", create=True)
    other.add_new(0x01, "LO", "kernel of Zebedee Quillfeather")
    other.add_new(0x02, "DA", "20200110")
    other.add_new(0x03, "UI", str(ds.SOPInstanceUID))
    other.add_new(0x04, "PN", "Quillfeather^Zebedee")
    other.add_new(0x05, "OB", b"..Quillfeather Zebedee..")
    item = Dataset()
    item.PatientName, item.Rows = "Quillfeather^Zebedee", 3
    item.private_block(0x0019, "ACME 1", create=True).add_new(0x01, "LO", "inner")
    other.add_new(0x06, "SQ", [item])
    return ds


def left(ds: Dataset) -> dict[tuple[str, int], Any]:
    """Values by (creator, element) of what is left."""
    creators = {tag.element: ds[tag].value for tag in list(ds.keys()) if tag.is_private and tag.element <= 0xFF}
    elements = [tag for tag in list(ds.keys()) if tag.is_private and tag.element > 0xFF]
    found = {(creators[tag.element >> 8], tag.element & 0xFF): ds[tag].value for tag in elements}
    assert {creator for creator, _ in found} == set(creators.values())
    return found


def test_all_are_removed_by_default() -> None:
    ds = scanned()
    apply(ds)
    assert left(ds) == {}


def test_what_is_known_to_be_safe() -> None:
    for policy in ({"private": {"mode": "safe"}}, {"options": ["retain_safe_private"]}):
        ds = scanned()
        apply(ds, **policy)
        assert left(ds) == {(SAFE, 0x0C): 1000, (SAFE, 0x0B): 1.5}


@pytest.mark.parametrize("policy", [{"mode": "safe"}, {"mode": "keep-list", "keep": ['"SIEMENS MED NM"']}])
def test_nothing_stays_behind_the_pixel_data(policy: dict[str, Any]) -> None:
    """Verification lets nothing pass there: no object needs it."""
    ds = scanned()
    ds.private_block(0x7FE3, "SIEMENS MED NM", create=True).add_new(0x14, "OW", b"\1\0")
    apply(ds, private=policy)
    assert max(ds.keys()) == 0x7FE00010


@pytest.mark.parametrize("keep", ['"ACME 1"', "0019", '(0019,"ACME 1")', '(0019,"ACME 1",0x)'])
def test_a_list(keep: str) -> None:
    ds = scanned()
    new = UidMap(KEYS, "P")(str(ds.SOPInstanceUID))
    apply(ds, private={"mode": "keep-list", "keep": [keep]})
    found = left(ds)
    acme = {element: value for (creator, element), value in found.items() if creator == "ACME 1"}
    assert (acme[0x01], acme[0x03]) == ("kernel of", new)
    assert set(acme) == {0x01, 0x03, 0x06}
    (item,) = acme[0x06]
    assert item.Rows == 3
    assert not item.get("PatientName")
    assert left(item) == {("ACME 1", 0x01): "inner"}
    assert ((SAFE, 0x0C) in found) == (keep == "0019")
    assert not [word for word in PLANTED if word in str(ds).lower()]


def test_one_element_and_moved_dates() -> None:
    ds = scanned()
    keep = ['(0019,"ACME 1",02)', f'(0019,"{SAFE}",0C)']
    apply(ds, private={"mode": "keep-list", "keep": keep}, options=["retain_longitudinal_modified_dates"])
    assert left(ds) == {("ACME 1", 0x02): "20191224", (SAFE, 0x0C): 1000}


def test_a_creator_that_names_somebody_keeps_nothing() -> None:
    ds = ct()
    apply(ds, private={"mode": "keep-list", "keep": ["0009"]})
    assert left(ds) == {}


def test_rules_for_private_elements() -> None:
    ds = scanned()
    apply(ds, {"private": '(0019,"ACME 1",01)', "action": "replace", "value": "x"},
          {"private": f'(0019,"{SAFE}",0C)', "action": "remove"}, private={"mode": "safe"})  # fmt: skip
    assert left(ds) == {("ACME 1", 0x01): "x", (SAFE, 0x0B): 1.5}


@pytest.mark.parametrize(("status", "elements"), [("SAFE", {1, 3, 6}), ("MIXED", {3, 1}), ("UNSAFE", set())])
def test_what_an_object_declares(status: str, elements: set[int]) -> None:
    ds, item, part = scanned(), Dataset(), Dataset()
    item.PrivateGroupReference, item.PrivateCreatorReference = 0x0019, "ACME 1"
    item.BlockIdentifyingInformationStatus = status
    if status == "MIXED":
        item.NonidentifyingPrivateElements = [3]
        part.IdentifyingPrivateElements, part.DeidentificationAction = [1], "Z"
        item.DeidentificationActionSequence = [part]
    ds.PrivateDataElementCharacteristicsSequence = [item]
    removed = scanned()
    removed.PrivateDataElementCharacteristicsSequence = [item]
    apply(removed)
    assert "PrivateDataElementCharacteristicsSequence" not in removed
    apply(ds, private={"mode": "safe"})
    found = {element for creator, element in left(ds) if creator == "ACME 1"}
    assert found == elements
    assert ("PrivateDataElementCharacteristicsSequence" in ds) == bool(elements)
    if status == "MIXED":
        assert not left(ds)["ACME 1", 1]


def test_the_csa_header_is_kept_without_names_dates_and_uids() -> None:
    header = (
        b"SV10\4\3\2\1" + b"EchoTime\0" * 8 + b"30.25\0\0\0" + b'tPatientName = "Somebody Else"\n'
        b'tReferenceImage0 = "1.3.12.2.1107.5.2.19.45678.30000020011007"\nDate 20200110101112 Zebedee Quillfeather\0'
    )
    ds = ct()
    ds.private_block(0x0029, "SIEMENS CSA HEADER", create=True).add_new(0x10, "OB", header)
    apply(ds, private={"csa_header": True}, options=["retain_longitudinal_modified_dates"])
    (cleaned,) = left(ds).values()
    assert len(cleaned) == len(header)
    assert cleaned.startswith(header[: header.index(b"tPatientName")])
    for word in (b"Somebody", b"1.3.12", b"20200110", b"Zebedee", b"Quillfeather"):
        assert word not in cleaned
