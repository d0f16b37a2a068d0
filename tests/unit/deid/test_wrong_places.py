"""Identifiers in values where they do not belong: numbers, times, pointers, class UIDs, bytes, rules for whole VRs."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.dataset import Dataset

from tests.synthetic import ct
from tests.unit.deid.test_rules import apply
from tests.unit.deid.test_spelled import raw

DEVICE = {"options": ["retain_device_identity", "retain_longitudinal_modified_dates"]}
PRIVATE = {"private": {"mode": "keep-list", "keep": ['"ACME 1"']}}


@pytest.mark.parametrize(
    ("tag", "vr", "value"),
    [
        (0x00201206, "IS", b"7731942"),
        (0x00201206, "IS", b"+007731942"),
        (0x00180050, "DS", b"7731942.0"),
        (0x00180050, "DS", b"5\0Zebedee"),
        (0x00180050, "DS", b"5550199"),
        (0x00180040, "IS", b"19610203"),
        (0x00280009, "AT", b"Zebedee "),
        (0x00080030, "TM", b"00 7731942"),
        (0x00080030, "TM", b"1.2.276.0.7230010.3"),
        (0x00080030, "TM", b"101112\0Zebedee"),
        (0x00181002, "UI", b"00 7731942"),
        (0x00181002, "UI", b"1.2.276.7731942.1"),
        (0x0008010C, "UI", b"1.2.840.10008.7731942"),
        (0x00081150, "UI", b"1.2.276.19610203.1"),
    ],
)
def test_values_that_are_no_such_values(tag: int, vr: str, value: bytes) -> None:
    ds, item = ct(), Dataset()
    item[tag] = raw(tag, vr, value)
    ds.AnatomicRegionSequence = [item]
    ds[tag] = raw(tag, vr, value)
    apply(ds, {"tag": "AnatomicRegionSequence", "action": "keep"}, **DEVICE)
    for level in (ds, *ds.AnatomicRegionSequence):
        left = level.get_item(tag).value if tag in level else b""
        text = (left if isinstance(left, bytes) else str(left).encode()).lower()
        assert not [word for word in (b"7731942", b"5550199", b"zebedee", b"19610203", b"7230010") if word in text]


@pytest.mark.parametrize(
    ("tag", "vr", "value"),
    [
        (0x00201206, "IS", b"773194"),
        (0x00180050, "DS", b"1.2345678E-3"),
        (0x00080030, "TM", b"10:11:12.5"),
        (0x00080030, "TM", b"101112.123456"),
        (0x00181002, "UI", b"1.2.276.5.1"),
        (0x00081150, "UI", b"1.2.840.10008.5.1.4.1.1.2"),
    ],
)
def test_values_that_are(tag: int, vr: str, value: bytes) -> None:
    ds = ct()
    ds[tag] = raw(tag, vr, value)
    before = ds.get_item(tag).value
    apply(ds, **DEVICE)
    assert ds.get_item(tag).value == before


@pytest.mark.parametrize("vr", ["UN", "OB"])
@pytest.mark.parametrize(
    "value",
    [
        b"x" * 64 + b"QUILLFEATHERZEBEDEE" + b"y" * 9,
        b"\1\2\3 Q U I L L F E A T H E R \0\0",
        b"\1\2\3Quillf%65ather\0",
        "\1Zebedee".encode("utf-16-le"),
        b"\1\2\3 no 7731942 \0\0",
    ],
)
def test_private_bytes(vr: str, value: bytes) -> None:
    ds: Any = ct()
    block = ds.private_block(0x0019, "ACME 1", create=True)
    ds[block.get_tag(1)] = raw(block.get_tag(1), vr, value)
    ds[block.get_tag(2)] = raw(block.get_tag(2), vr, bytes(range(256)) + b"axial")
    apply(ds, **PRIVATE)
    assert block.get_tag(1) not in ds
    assert block.get_tag(2) in ds


def test_a_rule_for_a_whole_vr_keeps_nothing_that_identifies() -> None:
    ds = ct(OtherPatientIDs="QF-7731942", SoftwareVersions="1.2")
    apply(ds, {"vr": "LO", "action": "keep"}, {"vr": "SH", "action": "keep"})
    assert "Wolkenkuck" not in str(ds)
    assert "7731942" not in str(ds)
    assert not ds.get("AccessionNumber")
    assert ds.SoftwareVersions == "1.2"
    named = ct()
    apply(named, {"tag": "PatientAddress", "action": "keep"})
    assert named.PatientAddress == "Wolkenkuckucksheim Allee 17"
