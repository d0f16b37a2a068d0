"""Recipes of deid."""

import pytest

from airlock.deid.formats.recipe import read_recipe
from airlock.errors import PolicyError
from tests.foreign_rules import fates_of, rules_of


def recipe(*lines, before=""):
    return read_recipe("\n".join(("FORMAT dicom", before, "%header", *lines)))


def one(line, before=""):
    conversion = recipe(line, before=before)
    entry = conversion.entries[0]
    return rules_of(conversion).get(entry.target, ""), entry.fate.value


@pytest.mark.parametrize(
    ("line", "rule", "fate"),
    [
        ("ADD StudyDescription Research  # why", "replace value=Research", "same"),
        ("ADD PatientIdentityRemoved YES", "", "covered"),
        ("REPLACE StudyDescription two words", "replace value=two words", "same"),
        ("REPLACE PatientID var:id", "", "covered"),
        ("REPLACE AccessionNumber var:source_id", "hash length=16", "stricter"),
        ("REPLACE FrameOfReferenceUID var:uid", "uid", "stricter"),
        ("REPLACE AcquisitionDate var:date", "shift", "stricter"),
        ("REPLACE FrameOfReferenceUID func:generate_uid", "unresolved", "unresolved"),
        ("REPLACE FrameOfReferenceUID deid_func:dicom_uuid org_root=1.2", "uid", "same"),
        ("REPLACE FrameOfReferenceUID deid_func:pydicom_uuid", "uid", "same"),
        ("REPLACE AccessionNumber deid_func:simple_uuid", "hash length=16", "stricter"),
        ("REPLACE AccessionNumber deid_func:suffix_uuid", "hash length=16", "stricter"),
        ("REPLACE AcquisitionDate deid_func:jitter days=7", "shift days=7", "same"),
        ("REPLACE AcquisitionDate deid_func:jitter", "unresolved", "unresolved"),
        ("REPLACE AccessionNumber deid_func:other", "unresolved", "unresolved"),
        ("REPLACE AccessionNumber", "unresolved", "unresolved"),
        ("REPLACE PersonIdentificationCodeSequence x", "unresolved", "unresolved"),
        ("JITTER AcquisitionDate 31", "shift days=31", "same"),
        ("JITTER AcquisitionDate -3", "shift days=-3", "same"),
        ("JITTER AcquisitionDate var:jitter", "shift", "stricter"),
        ("JITTER AcquisitionDate soon", "unresolved", "unresolved"),
        ("JITTER StudyDescription 3", "empty", "stricter"),
        ("BLANK StudyDescription", "empty", "same"),
        ("KEEP StudyDescription", "keep", "same"),
        ("keep StudyDescription", "keep", "same"),
        ("REMOVE StudyDescription", "remove", "same"),
        ("REMOVE StudyDescription func:is_private", "remove", "stricter"),
        ("REMOVE (0008,1030)", "remove", "same"),
        ("REMOVE 00081030", "remove", "same"),
        ("REMOVE RequestAttributesSequence__StudyDescription", "remove", "same"),
        ('KEEP 0019,"ACME",0C', "", "same"),
        ('REMOVE (0019,"ACME",0C)', "", "covered"),
        ("REMOVE PatientsSex", "remove", "same"),
        ("REMOVE jitter", "", "left out"),
        ("REMOVE NoSuchField", "unresolved", "unresolved"),
        ("BLANK values:names", "unresolved", "unresolved"),
        ("BLANK fields:nowhere", "unresolved", "unresolved"),
        ("KEEP NoSuchField", "", "left out"),
        ("REPLACE all func:mine", "unresolved", "unresolved"),
        ("JITTER ALL 3", "unresolved", "unresolved"),
        ("KEEP ALL", "", "left out"),
        ("REMOVE contains:[", "unresolved", "unresolved"),
        ("REMOVE select:XX:1", "unresolved", "unresolved"),
    ],
)
def test_rule(line, rule, fate):
    assert one(line) == (rule, fate)


class TestExpanders:
    def test_names(self):
        assert {"PersonName", "OperatorsName"} <= set(rules_of(recipe("BLANK endswith:Name")))
        assert {"PatientAge", "PatientSex"} <= set(rules_of(recipe("BLANK startswith:Patient")))
        found = rules_of(recipe("REMOVE contains:Physician|Operator"))
        assert {"ReferringPhysicianName", "OperatorsName"} <= set(found)
        assert set(found.values()) == {"remove"}

    def test_select(self):
        rules = recipe("REMOVE select:VR:PN", "BLANK select:GROUP:0032").rules
        assert [(r.attribute.where, r.attribute.name) for r in rules] == [("vr", "PN"), ("tag", "(0032,xxxx)")]

    def test_a_rule_that_names_its_field_goes_before(self):
        for lines in (
            ("REMOVE contains:Study", "KEEP StudyDescription"),
            ("KEEP StudyDescription", "REMOVE contains:Study"),
        ):
            found = rules_of(recipe(*lines))
            assert (found["StudyDescription"], found["StudyID"]) == ("keep", "remove")

    def test_a_value_that_is_added_goes_in_place_of_what_is_removed(self):
        lines = ("REMOVE AccessionNumber", "REMOVE contains:Accession", "ADD AccessionNumber 7")
        assert rules_of(recipe(*lines))["AccessionNumber"] == "replace value=7"

    def test_of_two_expanders_the_stricter_counts(self):
        assert rules_of(recipe("KEEP contains:Study", "REMOVE endswith:ID"))["StudyID"] == "remove"

    def test_the_kind_of_object_stays(self):
        conversion = recipe("REMOVE contains:UID")
        assert "SOPClassUID" not in rules_of(conversion)
        assert fates_of(conversion)["SOPClassUID"] == "left out"

    def test_lists_of_fields(self):
        before = "%fields people\nFIELD PatientMotherBirthName\nFIELD endswith:OperatorsName # why"
        assert rules_of(recipe("BLANK fields:people", before=before)) == {
            "PatientMotherBirthName": "empty",
            "OperatorsName": "empty",
        }

    @pytest.mark.parametrize("action", ["REMOVE", "BLANK"])
    def test_all(self, action):
        rules = rules_of(recipe(f"{action} ALL", "KEEP Modality"))
        assert (rules["Modality"], rules["(xxxx,xxxx)"], list(rules)[-1]) == ("keep", "remove", "(xxxx,xxxx)")

    def test_all_except(self):
        rules = rules_of(recipe("REMOVE except:Modality$|Rows"))
        assert (rules["Modality"], rules["Rows"], rules["(xxxx,xxxx)"]) == ("keep", "keep", "remove")
        assert one("REPLACE except:Modality func:mine")[1] == "unresolved"


def test_other_sections_are_accounted_for():
    text = """FORMAT dicom # a comment
%labels
Maintainer someone
%filter blacklist
LABEL Burned In
contains BurnedInAnnotation YES
+ notcontains ImageType ORIGINAL || empty ImageType
coordinates 0,0,512,110
ctpcoordinates 0,0,512,110
%values names
SPLIT PatientName by="^"
%header
KEEP Modality
"""
    conversion = read_recipe(text.replace("dicom # a comment", "dicom"))
    assert rules_of(conversion) == {"Modality": "keep"}
    assert fates_of(conversion) == {"Modality": "same", "%filter": "covered", "%labels": "left out"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("%header\nKEEP Modality", "FORMAT dicom"),
        ("FORMAT nifti\n%header\nKEEP Modality", "FORMAT dicom"),
        ("FORMAT dicom\n%headers\nREMOVE PatientName", "line 2"),
        ("FORMAT dicom\n%header\nERASE PatientName", "line 3"),
        ("FORMAT dicom\n%header\nREMOVE", "line 3"),
        ("FORMAT dicom\nREMOVE PatientName", "line 2"),
        ("FORMAT dicom\n%filter x\nhides Modality CT", "line 3"),
        ("FORMAT dicom\n%fields x\nPatientName", "line 3"),
    ],
)
def test_what_is_not_understood_is_refused(text, problem):
    with pytest.raises(PolicyError, match=problem):
        read_recipe(text)
