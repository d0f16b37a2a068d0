"""Rules of a project: each action, what beats what, conditions, and what stops the load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from airlock.deid.engine import Engine, Outcome
from airlock.deid.profile import Profile
from airlock.deidentify_policy import DeidentifyPolicy
from airlock.dicomio.quiet import quiet
from airlock.errors import InstanceNotUnderstood, PolicyError
from airlock.identity.harvest import harvest
from airlock.identity.identifiers import Identifiers
from airlock.identity.keys import KeyRing
from airlock.identity.uids import UidMap
from airlock.project import load_policy
from tests.synthetic import ct

KEYS = KeyRing(b"k" * 32)


@quiet()
def apply(dataset: Dataset, *rules: dict[str, Any], **policy: Any) -> Outcome:
    profile = Profile.of(DeidentifyPolicy.model_validate({"rules": rules, **policy}))
    identifiers = Identifiers(harvest(dataset))
    return Engine(profile, UidMap(KEYS, "P"), identifiers, -17, b"secret").apply(dataset)


@pytest.mark.parametrize(
    ("keyword", "value", "rule", "expected"),
    [
        ("StudyDescription", "CT Chest", {"action": "keep"}, "CT Chest"),
        ("StudyDescription", "CT of Zebedee Quillfeather", {"action": "keep"}, "CT of"),
        ("PatientName", "Quillfeather^Zebedee", {"action": "keep"}, "Quillfeather^Zebedee"),
        ("StudyDate", "20200110", {"action": "keep"}, "20200110"),
        ("ExposureTime", 120, {"action": "remove"}, None),
        ("KVP", "120", {"action": "remove"}, ""),  # a CT image must have it
        ("KVP", "120", {"action": "empty"}, ""),
        ("ProtocolName", "Chest", {"action": "dummy"}, "ANONYMIZED"),
        ("StationName", "CT99", {"action": "replace", "value": "S1"}, "S1"),
        ("StudyDescription", "CT Chest of Wolpertinger", {"action": "clean"}, "CT Chest of"),
        ("DeviceUID", "1.2.276.5.5", {"action": "uid"}, UidMap(KEYS, "P")("1.2.276.5.5")),
        ("StudyDate", "20200110", {"action": "shift"}, "20191224"),
        ("StudyDate", "20200110", {"action": "shift", "days": 42}, "20200221"),
        ("StudyDate", "yesterday", {"action": "shift", "days": 42}, ""),
        ("PatientAge", "043Y", {"action": "round", "to": 5}, "045Y"),
        ("PatientAge", "097Y", {"action": "round", "to": 1}, "090Y"),
        ("PatientWeight", "71.4", {"action": "round", "to": 10}, "70"),
        ("Rows", 517, {"action": "round", "to": 16}, "512"),
        ("StudyDescription", "CT Chest of Wolpertinger", {"action": "truncate", "length": 8}, "CT Chest"),
        ("PatientComments", "IRB 77", {"action": "keep-matching", "pattern": r"IRB \d+"}, "IRB 77"),
        ("PatientComments", "IRB 77 x", {"action": "keep-matching", "pattern": r"IRB \d+"}, None),
        ("PatientComments", "arm 3, site 9", {"action": "keep-matching", "pattern": r"arm (\d), site (\d)"}, "3 9"),
        ("StudyTime", "101112", {"action": "keep-matching", "pattern": r"[a-z]*"}, ""),
    ],
)  # fmt: skip
def test_actions(keyword: str, value: Any, rule: dict[str, Any], expected: str | None) -> None:
    ds = ct(**{keyword: value})
    apply(ds, {"tag": keyword, **rule})
    assert (str(ds[keyword].value or "") if keyword in ds else None) == expected


@pytest.mark.parametrize("length", [8, 16, 64])
def test_hashes_are_keyed_fit_their_vr_and_repeat(length: int) -> None:
    one, two = ct(), ct(PatientID="other")
    for ds in (one, two):
        ds.SeriesNumber = 4711
        apply(
            ds,
            {"tag": "AccessionNumber", "action": "hash", "length": length},
            {"tag": "SeriesNumber", "action": "hash"},
        )
    assert one.AccessionNumber == two.AccessionNumber
    assert len(one.AccessionNumber) == min(length, 16)
    assert one.AccessionNumber.isalnum()
    assert one.SeriesNumber == two.SeriesNumber != 4711


@pytest.mark.parametrize("name", ["ids.csv", "ids.properties"])
def test_lookup(name: str, tmp_path: Path) -> None:
    table = tmp_path / name
    rows = {"ids.csv": "id_old,id_new\nQF-7731942,ONE-7\n", "ids.properties": "# CTP\npt/QF-7731942 = ONE-7\nx/1=2\n"}
    table.write_text(rows[name])
    rule = {"tag": "PatientID", "action": "lookup", "table": str(table)}
    ds = ct()
    apply(ds, rule)
    assert ds.PatientID == "ONE-7"
    with pytest.raises(InstanceNotUnderstood, match="lookup table") as caught:
        apply(ct(PatientID="SECRET"), rule)
    assert "SECRET" not in str(caught.value)
    table.write_text("id_old,id_new\nQF-7731942,ONE-7\nQF-7731942,TWO-8\n")
    (tmp_path / "again.csv").write_text(table.read_text())
    with pytest.raises(PolicyError, match=r"again\.csv:3: .*two entries"):
        apply(ct(), {**rule, "table": str(tmp_path / "again.csv")})


def test_require() -> None:
    ds = ct()
    rules = [{"tag": tag, "action": "require"} for tag in ("PatientComments", "KVP", "StudyDescription")]
    apply(ds, *rules, {"tag": "BodyPartExamined", "action": "require", "value": "CHEST"})
    assert (ds.PatientComments, ds.KVP, ds.BodyPartExamined, ds.StudyDescription) == (None, 120, "CHEST", None)


@pytest.mark.parametrize(("rule", "held"), [({}, True), ({"pattern": "CT .*"}, True), ({"pattern": "MR .*"}, False)])
def test_hold(rule: dict[str, str], held: bool) -> None:
    rule = {"tag": "StudyDescription", "action": "hold", **rule}
    if not held:
        apply(ct(), rule)
        return
    with pytest.raises(InstanceNotUnderstood, match="StudyDescription") as caught:
        apply(ct(), rule)
    assert "Zebedee" not in str(caught.value)
    ds = ct()
    del ds.StudyDescription
    apply(ds, rule)


def test_a_tag_beats_a_vr_and_a_path_beats_both() -> None:
    ds = ct(OperatorsName="A^B", EvaluatorName="C^D")
    for name in ("OperatorsName", "EvaluatorName"):
        setattr(ds.ReferencedPatientSequence[0], name, "E^F")
    keep_sequence = {"tag": "ReferencedPatientSequence", "action": "keep"}
    apply(
        ds,
        {"vr": "PN", "action": "remove"},
        keep_sequence,
        {"tag": "(0008,107x)", "action": "replace", "value": "wild"},
        {"tag": "OperatorsName", "action": "replace", "value": "tag"},
        {"path": "ReferencedPatientSequence>OperatorsName", "action": "replace", "value": "path"},
    )
    item = ds.ReferencedPatientSequence[0]
    assert (str(ds.OperatorsName), str(item.OperatorsName)) == ("tag", "path")
    assert "EvaluatorName" not in ds
    assert "EvaluatorName" not in item


def test_a_path_is_followed_to_its_end() -> None:
    ds, inner, outer = ct(), Dataset(), Dataset()
    inner.Rows = outer.Rows = ds.Rows = 7
    inner.Columns = 8
    outer.PixelMeasuresSequence = [inner]
    ds.SharedFunctionalGroupsSequence = [outer]
    apply(ds, {"path": "SharedFunctionalGroupsSequence>PixelMeasuresSequence>Rows", "action": "remove"})
    assert ("Rows" in ds, "Rows" in outer, "Rows" in inner, "Columns" in inner) == (True, True, False, True)


@pytest.mark.parametrize(
    ("when", "applies"),
    [
        ({"tag": "Modality", "equals": "CT"}, True),
        ({"tag": "Modality", "equals": "MR"}, False),
        ({"tag": "ImageType", "equals": "AXIAL"}, True),
        ({"tag": "Modality", "matches": "C."}, True),
        ({"tag": "Modality", "matches": "C"}, False),
        ({"tag": "Modality", "matches": "C", "not": True}, True),
        ({"tag": "Modality", "not": "MR"}, True),
        ({"tag": "Modality", "exists": True}, True),
        ({"tag": "(0018,0015)", "exists": False}, True),
        ({"tag": "PatientName", "matches": "Quill.*"}, True),
    ],
)
def test_conditions(when: dict[str, Any], applies: bool) -> None:
    ds = ct(ExposureTime=5)
    apply(ds, {"tag": "ExposureTime", "action": "remove", "when": when}, {"tag": "ExposureTime", "action": "empty"})
    assert ("ExposureTime" not in ds) == applies


def test_unlisted_attributes_stay_only_when_the_policy_says_so() -> None:
    for unlisted, left in (("remove", None), ("keep", "of")):
        ds = ct()
        ds.add_new(0x00189F99, "LO", "of Zebedee")
        ds.add_new(0x00189F97, "PN", "Zebedee")
        apply(ds, unlisted=unlisted)
        assert (ds[0x00189F99].value if 0x00189F99 in ds else None) == left
        assert 0x00189F97 not in ds


def test_what_was_de_identified_before() -> None:
    ds = ct(PatientIdentityRemoved="YES", DeidentificationMethod="by Zebedee")
    with pytest.raises(InstanceNotUnderstood, match="de-identified before"):
        apply(ds, already_deidentified="hold")
    apply(ct(PatientIdentityRemoved="NO"), already_deidentified="hold")
    apply(ds)


@pytest.mark.parametrize(
    ("years", "age", "expected"),
    [
        (5, "043Y", "045Y"),
        (5, "042Y", "040Y"),
        (1, "043Y", "043Y"),
        (1, "089Y", "089Y"),
        (1, "090Y", "090Y"),
        (10, "101Y", "090Y"),
        (1, "018M", "018M"),
        (5, "018M", "000Y"),
        (1, "x", ""),
    ],
)
def test_ages(years: int, age: str, expected: str) -> None:
    ds = ct(PatientAge=age)
    apply(ds, options=["retain_patient_characteristics"], round_age_years=years)
    assert (ds.get("PatientAge") or "") == expected


def test_text_in_place_of_a_date_or_a_uid_is_not_kept() -> None:
    ds = ct(StudyTime="Zebedee", ContentDate="Zebedee", FrameOfReferenceUID="Zebedee")
    outcome = apply(ds, options=["retain_longitudinal_full_dates", "retain_uids"])
    assert not ds.StudyTime
    assert not ds.ContentDate
    assert ds.FrameOfReferenceUID.startswith("2.25.")
    assert outcome.unreadable_dates == 2


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("{tag: PatientNam, action: keep}", "not a keyword"),
        ("{tag: PatientName, action: blur}", "Input should be"),
        ("{tag: PatientName, action: keep, to: 5}", "takes no `to`"),
        ("{tag: PatientAge, action: round}", "needs `to`"),
        ("{tag: StudyDate, action: replace, value: yesterday}", "not a legal value"),
        ("{tag: PatientID, action: lookup, table: none.csv}", "no such lookup table"),
        ("{tag: StudyID, action: keep-matching, pattern: '('}", "not a regular expression"),
        ("{tag: StudyID, vr: PN, action: keep}", "one of: tag, vr, private, path"),
        ("{vr: XX, action: keep}", "not a value representation"),
        ("{tag: ContentSequence, action: hash}", "not for sequences"),
        ("{tag: PatientName, action: shift}", "for dates"),
        ("{path: PatientName, action: keep}", "sequences around"),
        ("{private: '(0018,\"X\",01)', action: keep}", "odd number"),
        ("{tag: KVP, action: keep, when: {tag: Modality}}", "says one of"),
        ("{tag: KVP, action: keep, colour: red}", "Extra inputs"),
    ],
)
def test_what_stops_the_load(rule: str, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(f"deidentify:\n  rules:\n    - {{tag: KVP, action: keep}}\n    - {rule}\n")
    with pytest.raises(PolicyError, match=problem) as caught:
        load_policy(path)
    assert str(caught.value).startswith(f"{path}:4: ")
