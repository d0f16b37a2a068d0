"""Every row of table E.1-1, with every option and some together: at the top level, one and three levels deep, in items
of private sequences that stay, in content items of reports, and in private items of those.

What is expected is read from the shipped table here, by other code than decides.
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from typing import Any

import pytest
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ComprehensiveSRStorage, CTImageStorage

from airlock.deid.engine import Engine
from airlock.deid.iod import types_of
from airlock.deid.profile import Profile
from airlock.deidentify_policy import DeidentifyPolicy
from airlock.dicomio.quiet import quiet
from airlock.errors import InstanceNotUnderstood
from airlock.identity.dates import shift_date
from airlock.identity.harvest import Evidence
from airlock.identity.identifiers import Identifiers
from airlock.identity.keys import KeyRing
from airlock.identity.uids import UidMap
from tests.synthetic import ct

TABLES = {
    edition: json.loads((files("airlock.deid") / "profiles" / f"ps315_{edition}.json").read_text("utf-8"))["attributes"]
    for edition in ("2026d", "2024b")
}
TABLE = TABLES["2026d"]
OPTIONS = (
    "",
    "retain_safe_private",
    "retain_uids",
    "retain_device_identity",
    "retain_institution_identity",
    "retain_patient_characteristics",
    "retain_longitudinal_full_dates",
    "retain_longitudinal_modified_dates",
    "clean_descriptors",
    "clean_structured_content",
    "clean_graphics",
)
TOGETHER = (
    "retain_longitudinal_modified_dates+clean_descriptors+retain_device_identity+clean_graphics",
    "retain_longitudinal_full_dates+retain_uids+retain_patient_characteristics+clean_structured_content",
    "+".join(option for option in OPTIONS[1:] if option != "retain_longitudinal_full_dates"),
)
CHAIN = ("SharedFunctionalGroupsSequence", "DerivationImageSequence", "PurposeOfReferenceCodeSequence")
PRIVATE = "private sequence"
# Class of the object, and the sequences that the attributes stand in.
PLACES: dict[str, tuple[str, tuple[str, ...]]] = {
    "top": (CTImageStorage, ()),
    "one level": (CTImageStorage, CHAIN[-1:]),
    "three levels": (CTImageStorage, CHAIN),
    "private": (CTImageStorage, (PRIVATE,)),
    "below private": (CTImageStorage, (CHAIN[1], PRIVATE, CHAIN[2])),
    "content": (ComprehensiveSRStorage, ("ContentSequence",)),
    "deep content": (ComprehensiveSRStorage, ("ContentSequence",) * 3),
    "private content": (ComprehensiveSRStorage, ("ContentSequence", PRIVATE)),
}
CANARY = "canary chest Wolpertinger"
DAYS = -17
ORIGINAL: dict[str, Any] = {
    **dict.fromkeys(("LO", "SH", "ST", "LT", "UT", "UC", "PN", "CS", "AE", "UR"), CANARY),
    **dict.fromkeys(("OB", "UN", "OW"), CANARY.encode()),
    **dict.fromkeys(("US", "UL", "SS", "SL"), 4242),
    **dict.fromkeys(("DS", "IS"), "4242"),
    **dict.fromkeys(("FL", "FD"), 42.5),
    "DA": "20190708",
    "TM": "112233.445566",
    "DT": "20190708112233.445566+0130",
    "AS": "042Y",
    "UI": "1.2.276.9.8.7.6",
}
# Curves are described by one row for their whole group: this is one of their attributes.
CURVE = "50xxxxxx"
# In the file meta information or the command, never in a dataset; and the one whose presence holds the instance.
ELSEWHERE = {"00020003", "00001000", "00001001", "00420011", "PRIVATE"}
ROWS = [row for row in TABLE if row[0] not in ELSEWHERE]


def tag_of(row: list[Any]) -> int:
    if row[0] == CURVE:
        return 0x50022500
    return int(row[0].replace("xx", "02").replace("x", "0"), 16)


def vr_of(row: list[Any]) -> str:
    if row[3]:
        return str(row[3])
    try:
        return str(dictionary_VR(tag_of(row))).split(" or ", maxsplit=1)[0]
    except KeyError:
        name = row[2]
        return "SQ" if "Sequence" in name else "DT" if "DateTime" in name else "LO"


def all_rows() -> Dataset:
    ds = Dataset()
    for row in ROWS:
        vr = vr_of(row)
        if vr == "SQ":
            item = Dataset()
            item.PatientName, item.ReferencedSOPInstanceUID = CANARY, ORIGINAL["UI"]
            ds.add(DataElement(tag_of(row), vr, Sequence([item]), already_converted=True))
        else:
            ds.add_new(tag_of(row), vr, ORIGINAL[vr])
    ds[0x60023000].VR = "OB"
    ds.add_new(0x60020040, "CS", "R")
    return ds


@lru_cache(maxsize=64)
@quiet()
def processed(option: str, place: str, edition: str = "2026d") -> Dataset:
    """Return the rows after de-identification, wherever they stood."""
    sop_class, chain = PLACES[place]
    ds = inner = all_rows()
    if chain:
        ds = inner = Dataset()
        for name in chain:
            item = Dataset()
            if name == PRIVATE:
                inner.private_block(0x0019, "ACME 1", create=True).add_new(0x01, "SQ", [item])
            else:
                setattr(inner, name, Sequence([item]))
            inner = item
        inner.update(all_rows())
        ds.SOPInstanceUID = ORIGINAL["UI"]
    ds.SOPClassUID = sop_class
    private = {"mode": "keep-list", "keep": ['"ACME 1"']} if PRIVATE in chain else {}
    policy = {"edition": edition, "options": option.split("+") if option else (), "private": private}
    profile = Profile.of(DeidentifyPolicy.model_validate(policy))
    Engine(profile, UidMap(KeyRing(b"k" * 32), "P"), Identifiers(Evidence()), DAYS).apply(ds)
    for name in chain:
        ds = (ds.private_block(0x0019, "ACME 1")[0x01] if name == PRIVATE else ds[name]).value[0]
    return ds


def outcome(ds: Dataset, row: list[Any]) -> str:
    """Say what became of an attribute."""
    tag, vr = tag_of(row), vr_of(row)
    if tag not in ds:
        return "X"
    value = ds[tag].value
    if vr == "SQ":
        return sequence_outcome(value)
    if value is None or value in ("", b""):
        return "Z"
    return "K" if str(value) == str(ORIGINAL[vr]) else changed_outcome(str(value), vr)


def changed_outcome(value: str, vr: str) -> str:
    if vr == "UI":
        return "U" if value.startswith("2.25.") else "?"
    if vr in ("DA", "DT") and value[:8] == shift_date("20190708", DAYS) and value[8:] == ORIGINAL[vr][8:]:
        return "S"
    if "olpertinger" in value or "canary" in value:
        return "?"
    return "C" if "chest" in value else "D"


def sequence_outcome(items: Sequence) -> str:
    if not items:
        return "Z"
    item = items[0]
    if CANARY in str(item.get("PatientName", "")):
        return "?"
    return "K" if "ReferencedSOPInstanceUID" in item else "D"


def allowed(row: list[Any], option: str, place: str) -> set[str]:
    """What the table and the options allow; of several, to keep wins."""
    options, vr = option.split("+"), vr_of(row)
    actions = {row[5][name] for name in options if name in row[5]}
    moved = "retain_longitudinal_modified_dates" in options and "retain_longitudinal_modified_dates" in row[5]
    if moved and vr in ("DA", "DT"):
        # Whatever else an option keeps: one date that stays would give away by how much the others moved.
        return {"S"}
    if "K" in actions:
        # A kept sequence is still cleaned inside.
        return {"K"}
    if "C" in actions:
        by_vr = dict.fromkeys(("LO", "SH", "ST", "LT", "UT", "UC", "CS", "AE"), "C") | {"SQ": "K"}
        by_vr |= {"DA": "S", "DT": "S", "TM": "K"} if moved else {}
        if row[1] == "TimezoneOffsetFromUTC" or row[0] == "60xx3000":
            return {"K"}
        if vr in by_vr:
            return {by_vr[vr]}
    sop_class, chain = PLACES[place]
    kind = types_of(sop_class).get(chain[-1] if chain else "", {}).get(row[1], "3")
    # Asked of animals only (PS3.3 section C.7.1.1), and this is none.
    of_animals = row[1] in ("ResponsiblePerson", "ResponsibleOrganization", "PatientSexNeutered")
    return allowed_by_basic(row, vr, "3" if of_animals else kind)


def allowed_by_basic(row: list[Any], vr: str, kind: str) -> set[str]:
    """What the basic action allows, with the attribute's type where a plain X or Z would break the object."""
    outcomes = set(row[4].replace("/", "").replace("*", ""))
    if row[4] in ("X", "Z", "X/Z") and kind in ("1", "1C"):
        outcomes = {"D"}
    elif row[4] in ("X", "X/D") and kind in ("2", "2C"):
        outcomes = {"Z", "D"}
    if vr == "UI" and "D" in outcomes:
        outcomes.add("U")  # the dummy of a UID is another UID
    if vr == "SQ" and outcomes & {"D", "U"}:
        outcomes.add("K")  # its items stay, with everything in them replaced
    return outcomes


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("option", OPTIONS + TOGETHER)
def test_every_row(option: str, place: str) -> None:
    ds = processed(option, place)
    wrong = {
        row[1] or row[0]: (found, sorted(allowed(row, option, place)))
        for row in ROWS
        if (found := outcome(ds, row)) not in allowed(row, option, place)
    }
    assert wrong == {}


def test_the_rows_that_stand_elsewhere() -> None:
    for option in OPTIONS:
        ds = ct()
        for tag in (0x00001000, 0x00001001, 0x00020003):
            ds[tag] = DataElement(tag, "UI", ORIGINAL["UI"])
        ds.private_block(0x0029, "ACME", create=True).add_new(1, "LO", CANARY)
        profile = Profile("2026d", (option,) if option else ())
        with quiet():
            Engine(profile, UidMap(KeyRing(b"k" * 32), "P"), Identifiers(Evidence()), DAYS).apply(ds)
        assert not [tag for tag in list(ds.keys()) if tag.group in (0, 2) or tag.is_private], option
        ds.EncapsulatedDocument = CANARY.encode()
        with quiet(), pytest.raises(InstanceNotUnderstood, match="encapsulated document"):
            Engine(profile, UidMap(KeyRing(b"k" * 32), "P"), Identifiers(Evidence()), DAYS).apply(ds)


def test_every_row_of_the_older_edition() -> None:
    rows = [row for row in TABLES["2024b"] if row[0] not in ELSEWHERE]
    ds = processed("", "one level", "2024b")
    assert {row[1]: outcome(ds, row) for row in rows if outcome(ds, row) not in allowed(row, "", "one level")} == {}
    older = {row[0] for row in TABLES["2024b"]}
    # What came later is unknown to the older table: it goes when PS3.6 doesn't know it either.
    assert (len(older), len({row[0] for row in TABLE} - older)) == (621, 36)


def test_the_table_is_whole() -> None:
    assert len(TABLE) == 657
    assert len({row[0] for row in TABLE}) == 657
    assert {"50xxxxxx", "60xx3000", "60xx4000", "PRIVATE"} < {row[0] for row in TABLE}


def test_an_option_changes_only_its_own_rows() -> None:
    basic = processed("", "top")
    for option in OPTIONS[2:]:
        ds = processed(option, "top")
        changed = {row[0] for row in ROWS if outcome(ds, row) != outcome(basic, row)}
        assert changed, option
        assert changed <= {row[0] for row in ROWS if option in row[5]}, option
