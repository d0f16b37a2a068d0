"""Converted rules at work on datasets, and the defects of the tools that they come from, which are not shared."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.datadict import dictionary_VR
from pydicom.valuerep import MAX_VALUE_LEN

from airlock.deid.engine import Engine
from airlock.deid.formats.convert import Beside, convert
from airlock.deid.formats.policy_text import policy_text
from airlock.deid.profile import Profile
from airlock.dicomio.quiet import quiet
from airlock.errors import InstanceNotUnderstood
from airlock.identity.harvest import harvest
from airlock.identity.identifiers import Identifiers
from airlock.identity.keys import KeyRing
from airlock.identity.uids import UidMap
from airlock.project import load_policy
from tests.synthetic import ct

DAYS = -17


@pytest.fixture
def effect(tmp_path: Path):
    @quiet()
    def run(format_name: str, text: str, dataset: Dataset, days: int = DAYS, **beside) -> Dataset:
        conversion = convert(text, format_name, Beside(**beside))
        assert conversion.unresolved == 0
        (tmp_path / "trial.yaml").write_text(policy_text(conversion, "trial"))
        profile = Profile.of(load_policy(tmp_path / "trial.yaml").deidentify)
        uids = UidMap(KeyRing(b"k" * 32), "P")
        Engine(profile, uids, Identifiers(harvest(dataset)), days, b"secret").apply(dataset)
        return dataset

    return run


def study(tags=None, vrs=None, **settings) -> str:
    return json.dumps({"Trial": {"AnonymizeTag": tags or {}, "AnonymizeVR": vrs or {}, **settings}})


def ctp(*lines: str, extra: str = "") -> str:
    body = "".join(f'<e en="T" t="{tag}">{rule}</e>' for tag, rule in (line.split(" ", 1) for line in lines))
    return f"<script>{body}{extra}</script>"


def nested(**attributes) -> Dataset:
    dataset, item, inner = ct(), Dataset(), Dataset()
    for keyword, value in attributes.items():
        for level in (dataset, item, inner):
            setattr(level, keyword, value)
    item.ReferencedSeriesSequence = [inner]
    dataset.ReferencedImageSequence = [item]
    return dataset


def levels(dataset: Dataset) -> list[Dataset]:
    item = dataset.ReferencedImageSequence[0]
    return [dataset, item, item.ReferencedSeriesSequence[0]]


class TestDcmAnonymize:
    def test_rules_by_vr_have_an_effect_and_those_by_tag_go_before(self, effect):
        rules = study({"StationName": {"action": "keep"}}, {"SH": {"action": "delete"}, "UI": {"action": "regen"}})
        dataset = ct()
        dataset.StationName, dataset.SequenceName, dataset.FrameOfReferenceUID = "CT7", "D-9", "1.2.3"
        effect("studies", rules, dataset)
        assert (dataset.StationName, "SequenceName" in dataset) == ("CT7", False)
        assert dataset.FrameOfReferenceUID != "1.2.3"

    def test_deletion_reaches_every_level(self, effect):
        dataset = nested(PatientComments="x", ManufacturerModelName="Scanner")
        effect("studies", study({"ManufacturerModelName": {"action": "delete"}}), dataset)
        assert not any("ManufacturerModelName" in level for level in levels(dataset))

    def test_a_hash_is_made_of_the_value_beside_it_and_fits(self, effect):
        dataset = nested(StationName="A")
        levels(dataset)[1].StationName = "B"
        dataset.PersonIdentificationCodeSequence = [Dataset()]
        rules = {"StationName": {"action": "hash"}, "PersonIdentificationCodeSequence": {"action": "hash"}}
        effect("studies", study(rules), dataset)
        top, middle, inner = (level.StationName for level in levels(dataset))
        assert top == inner != middle
        assert max(map(len, (top, middle))) <= MAX_VALUE_LEN[dictionary_VR("StationName")]
        assert "PersonIdentificationCodeSequence" not in dataset

    def test_what_no_rule_names_is_treated_by_the_standard(self, effect):
        dataset = ct()
        dataset.PatientMotherBirthName, dataset.StudyDescription = "Doe^Ann", "of Doe"
        effect("studies", study({"Modality": {"action": "keep"}}), dataset)
        assert "PatientMotherBirthName" not in dataset
        assert "StudyDescription" not in dataset

    def test_dates_and_times_move_together_and_the_same_at_every_run(self, effect):
        rules = study({"AcquisitionDateTime": {"action": "offset", "value": -86400 * 3}},
                      {"DA": {"action": "offset", "value": -86400 * 3}})  # fmt: skip

        def moved():
            dataset = ct()
            dataset.AcquisitionDate, dataset.AcquisitionDateTime = "20240301", "20240301235959.5+0100"
            effect("studies", rules, dataset)
            return dataset.AcquisitionDate, dataset.AcquisitionDateTime

        assert moved() == moved() == ("20240227", "20240227235959.5+0100")

    @pytest.mark.parametrize("value", ["", "2024030", "yesterday"])
    def test_a_date_that_is_none_stops_nothing_and_does_not_stay(self, effect, value):
        dataset = ct()
        dataset.AcquisitionDate = value
        effect("studies", study({"AcquisitionDate": {"action": "offset", "value": 86400}}), dataset)
        assert dataset.get("AcquisitionDate") in (None, "")

    def test_a_value_for_a_private_attribute_stops_nothing(self, effect):
        dataset = ct()
        dataset.private_block(0x0019, "ACME", create=True).add_new(0x0C, "LO", "Doe")
        effect("studies", study({"(0019,100c)": {"action": "value", "value": "x"}}), dataset)
        assert not any(element.tag.is_private for element in dataset)


class TestFiona:
    def test_removal_of_public_attributes_and_sequences_is_carried_out(self, effect):
        dataset = nested(OperatorsName="Doe^Ann")
        dataset.OriginalAttributesSequence = [Dataset()]
        dataset.OriginalAttributesSequence[0].PatientComments = "Doe"
        rules = [["0008", "1070", "OperatorName", "remove"], ["0400", "0561", "OriginalAttributesSequence", "remove"]]
        effect("fiona", json.dumps(rules), dataset)
        assert "OriginalAttributesSequence" not in dataset
        assert not any("OperatorsName" in level for level in levels(dataset))

    def test_uids_are_legal_and_offsets_differ_between_subjects(self, effect):
        rules = [["0020", "9161", "C", "hashuid"], ["0008", "0022", "AcquisitionDate", "incrementdate"]]
        dates = set()
        for number in range(40):
            dataset = ct()
            dataset.ConcatenationUID, dataset.AcquisitionDate = f"1.2.3.{number}", "20240301"
            effect("fiona", json.dumps(rules), dataset, days=-number - 1)
            assert re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))+", dataset.ConcatenationUID)
            assert len(dataset.ConcatenationUID) <= 64
            dates.add(dataset.AcquisitionDate)
        assert len(dates) == 40

    def test_a_body_part_that_is_none_does_not_stay(self, effect):
        rules = json.dumps([["0018", "0015", "BodyPartExamined", "BODYPART"]])
        for value, expected in (("CHEST", "CHEST"), ("DOE JANE", None)):
            dataset = ct()
            dataset.BodyPartExamined = value
            assert (effect("fiona", rules, dataset).get("BodyPartExamined") or None) == expected


class TestCtp:
    def test_only_listed_elements_stay(self, effect):
        dataset = ct()
        dataset.ImageComments, dataset.ConvolutionKernel, dataset.SliceLocation = "Doe", "B30f", "1"
        rules = ctp("00080060 @keep()", "00081030 Research", "00080080 @param(@SITE)",
                    extra='<p t="SITE">S-7</p><k en="T" t="0018"/><r en="T" t="unspecifiedelements"/>')  # fmt: skip
        dataset.InstitutionName, dataset.StudyDescription = "Hospital", "of Doe"
        effect("ctp", rules, dataset)
        assert (dataset.Modality, dataset.ConvolutionKernel, dataset.Rows) == ("CT", "B30f", 8)
        assert (dataset.StudyDescription, dataset.InstitutionName) == ("Research", "S-7")
        assert "ImageComments" not in dataset
        assert "SliceLocation" not in dataset
        assert dataset.SOPClassUID == "1.2.840.10008.5.1.4.1.1.2"
        assert dataset.PixelData

    def test_conditions(self, effect):
        rules = ctp("0008103e @if(Modality,equals,ct){@keep()}{@remove()}",
                    "00101010 @if(this,greaterthan,89){090Y}{@keep()}")  # fmt: skip
        for modality, age, expected in (("CT", "043Y", ("Head", "043Y")), ("MR", "095Y", (None, "090Y"))):
            dataset = ct()
            dataset.Modality, dataset.SeriesDescription, dataset.PatientAge = modality, "Head", age
            effect("ctp", rules, dataset)
            assert (dataset.get("SeriesDescription"), dataset.PatientAge) == expected

    def test_quarantine_holds(self, effect):
        dataset = ct()
        dataset.BodyPartExamined = "CHEST"
        with pytest.raises(InstanceNotUnderstood):
            effect("ctp", ctp("00180015 @quarantine()"), dataset)

    def test_lookup(self, effect, tmp_path):
        (tmp_path / "ids.lut").write_text("acc/A-1=X1\n")
        tables = {"acc": "ids.lut"}
        dataset = ct()
        dataset.AccessionNumber = "A-1"
        assert effect("ctp", ctp("00080050 @lookup(this,acc)"), dataset, tables=tables).AccessionNumber == "X1"
        dataset.AccessionNumber = "A-2"
        with pytest.raises(InstanceNotUnderstood) as raised:
            effect("ctp", ctp("00080050 @lookup(this,acc,keep)"), dataset, tables=tables)
        assert "A-2" not in str(raised.value)


class TestRsna:
    def test_a_hashed_uid_is_no_original(self, effect):
        dataset = ct()
        dataset.FrameOfReferenceUID = "1.2.3"
        effect("rsna", ctp("00200052 @hashuid(@UIDROOT,this)", "00080050 @acc"), dataset)
        assert dataset.FrameOfReferenceUID != "1.2.3"
        assert 0 < len(dataset.AccessionNumber or "x") <= 16

    def test_a_date_and_time_moves_as_its_date_does(self, effect):
        dataset = ct()
        dataset.AcquisitionDate, dataset.AcquisitionDateTime = "20240301", "20240301101112"
        rules = ctp("00080022 @hashdate(this,PatientID)", "0008002a @hashdate(this,PatientID)")
        effect("rsna", rules, dataset)
        assert (dataset.AcquisitionDate, dataset.AcquisitionDateTime) == ("20240213", "20240213101112")

    def test_kept_sequences_are_cleaned_inside(self, effect):
        dataset = nested(OperatorsName="Doe^Ann")
        effect("rsna", ctp("00081140 @keep()", "0008114a @keep()", "00081115 @keep()"), dataset)
        assert not any("OperatorsName" in level for level in levels(dataset))


def test_dicom_anon_whitelist(effect):
    spec = "Series Description\t(0008,103e)\nN\tY\tX\t\t\t\t\t\t\tC\t\t\nRows\t(0028,0010)\nN\tN\tK\n"
    for value, expected in (("ct-head", "ct-head"), ("CT HEAD of Doe", None)):
        dataset = ct()
        dataset.SeriesDescription, dataset.ProtocolName, dataset.ManufacturerModelName = value, "P", "Doe"
        effect("annex-e", spec, dataset, whitelist={"SeriesDescription": ("CTHEAD",)})
        assert dataset.get("SeriesDescription") == expected
        assert "ManufacturerModelName" not in dataset


def test_deid_recipe(effect):
    text = "FORMAT dicom\n%header\nREMOVE contains:Description\nKEEP SeriesDescription\nJITTER AcquisitionDate 31"
    dataset = nested(StudyDescription="x")
    dataset.SeriesDescription, dataset.AcquisitionDate, dataset.DerivationDescription = "Head", "20240301", "x"
    effect("deid", text, dataset)
    assert (dataset.SeriesDescription, dataset.AcquisitionDate) == ("Head", "20240401")
    assert "DerivationDescription" not in dataset
    assert not any("StudyDescription" in level for level in levels(dataset))
