"""The rules of a project's `screen` section, one file per rule, and how they are counted."""

import json

import pytest
from pydantic import ValidationError

from airlock.ledger import InstanceState
from airlock.screen.step import screen_instances
from airlock.screened import read_not_rewritten
from airlock.selection import ScreenPolicy
from tests.studies import CT, MR, SECONDARY_CAPTURE
from tests.unit.screen.test_screen import put, screened

SKIPPED, HELD, RECEIVED = InstanceState.SKIPPED, InstanceState.HELD, InstanceState.RECEIVED
US, PRIVATE = "1.2.840.10008.5.1.4.1.1.6.1", "1.3.12.2.1107.5.9.1"
DOSE_SR = "1.2.840.10008.5.1.4.1.1.88.67"


def screen(tmp_path, objects, **policy):
    transfer, found = screened(
        tmp_path, lambda raw: {name: put(raw, name, **o) for name, o in objects.items()}, {"screen": policy}
    )
    return transfer, found


class TestLists:
    OBJECTS = {"ct": {"sop_class": CT}, "mr": {"sop_class": MR}, "us": {"sop_class": US, "Modality": "US"}}

    def test_modalities(self, tmp_path):
        _, found = screen(tmp_path, self.OBJECTS, modalities=["CT", "MR"])
        assert [state for state, _ in found.values()].count(RECEIVED) == 2
        assert found["us"] == (SKIPPED, "modality not allowed (policy)")

    def test_others_can_be_held(self, tmp_path):
        _, found = screen(tmp_path, self.OBJECTS, modalities=["CT", "MR"], others="hold")
        assert found["us"] == (HELD, "Not_Allowed: modality not allowed (policy)")

    @pytest.mark.parametrize("name", ["CTImageStorage", CT])
    def test_sop_classes(self, tmp_path, name):
        _, found = screen(tmp_path, self.OBJECTS, sop_classes=[name])
        assert found["ct"][0] is RECEIVED
        assert found["mr"] == found["us"] == (SKIPPED, "SOP class not allowed (policy)")

    def test_an_object_without_modality_is_not_on_the_list(self, tmp_path):
        _, found = screen(tmp_path, {"ct": {"Modality": None}}, modalities=["CT"])
        assert found["ct"][0] is SKIPPED

    @pytest.mark.parametrize(
        "policy",
        [
            {"sop_classes": ["CTImage"]},
            {"modalities": ["ct"]},
            {"others": "send"},
            {"rewrite_exclusions": [{"tag": "ImageComments", "pattern": "["}]},
            {"rewrite_exclusions": [{"tag": "NoSuchKeyword", "pattern": "x"}]},
            {"classified": {"T": "skip"}},
        ],
    )
    def test_a_word_that_is_not_known_is_refused(self, policy):
        with pytest.raises(ValidationError):
            ScreenPolicy(**policy)


class TestVendorReports:
    OBJECTS = {
        "phoenix": {"SeriesDescription": "PhoenixZIPReport"},
        "siemens": {"sop_class": PRIVATE, "size": 0},
        "protocol": {"SeriesDescription": "CT Patient Protocol"},
        "dose": {"SeriesDescription": "Dose Report"},
        "dose sr": {"sop_class": DOSE_SR, "size": 0, "Modality": "SR"},
        "ct": {"SeriesDescription": "CT HEAD"},
    }

    @pytest.mark.parametrize(("outcome", "state"), [("skip", SKIPPED), ("hold", HELD)])
    def test_are_listed(self, tmp_path, outcome, state):
        transfer, found = screen(tmp_path, self.OBJECTS, vendor_reports=outcome)
        assert found.pop("ct")[0] is RECEIVED
        assert {name: s for name, (s, _) in found.items()} == dict.fromkeys(found, state)
        counted = transfer.ledger.events(transfer.id)[-1][3]["rules"]
        assert sum(counted.values()) == 5
        assert sum(n for name, n in counted.items() if "dose report" in name) == 2

    def test_stay_when_the_project_wants_them(self, tmp_path):
        _, found = screen(tmp_path, {"dose": self.OBJECTS["dose"]})
        assert found["dose"][0] is RECEIVED


class TestSuspicion:
    CASES = [
        ({"BurnedInAnnotation": "YES"}, "burned-in annotation declared"),
        ({"BurnedInAnnotation": "y"}, "burned-in annotation declared"),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "screen save"),
        ({"SeriesDescription": "Saved images"}, "screen save"),
        ({"Manufacturer": "North American Imaging, Inc."}, "film digitizer"),
        ({"Manufacturer": "PACSGEAR"}, "film digitizer"),
        ({"ManufacturerModelName": "The DICOM Box"}, "film digitizer"),
        ({"SecondaryCaptureDeviceManufacturer": "ACME"}, "secondary capture device"),
        ({"SecondaryCaptureDeviceID": "7"}, "secondary capture device"),
    ]

    def test_rules(self, tmp_path):
        objects = {str(number): attributes for number, (attributes, _) in enumerate(self.CASES)}
        _, found = screen(tmp_path, {**objects, "clean": {"BurnedInAnnotation": "NO"}}, suspicious="hold")
        assert found.pop("clean")[0] is RECEIVED
        assert found == {
            str(number): (HELD, f"Suspicious_Header: {rule} (policy)") for number, (_, rule) in enumerate(self.CASES)
        }

    def test_nothing_is_suspicious_by_default(self, tmp_path):
        # the pixels of all images are searched in any case
        _, found = screen(tmp_path, {"a": {"BurnedInAnnotation": "YES"}})
        assert found["a"][0] is RECEIVED


RULES = [
    {"type": "CHECKBURNEDINFO", "rules": [{"tag": ["0x08", "0x103e"], "value": "^Screen"}]},
    {"type": "ABCD-Physio", "rules": [{"tag": ["0x08", "0x16"], "value": "1.3.12.2.1107.5.9.1"}]},
]


class TestClassification:
    def test_captures_go_by_class_and_by_type(self, tmp_path):
        objects = {
            "sc": {"sop_class": SECONDARY_CAPTURE, "SeriesInstanceUID": "1.2.3.1"},
            "screen": {"SeriesDescription": "Screens", "SeriesInstanceUID": "1.2.3.2"},
            "same series": {"SeriesDescription": "other", "SeriesInstanceUID": "1.2.3.2"},
            "ct": {"SeriesDescription": "CT", "SeriesInstanceUID": "1.2.3.3"},
        }
        transfer, found = screen(tmp_path, objects, classify=RULES, remove_secondary_captures=True)
        assert found.pop("ct")[0] is RECEIVED
        assert set(found.values()) == {(SKIPPED, "secondary capture (policy)")}
        assert transfer.ledger.events(transfer.id)[-1][3]["rules"] == {"secondary capture (policy)": 3}

    def test_without_the_flag_the_type_decides_nothing(self, tmp_path):
        _, found = screen(tmp_path, {"screen": {"SeriesDescription": "Screens"}}, classify=RULES)
        assert found["screen"][0] is RECEIVED

    def test_types_skip_and_hold(self, tmp_path):
        objects = {"screen": {"SeriesDescription": "Screens", "SeriesInstanceUID": "1.2.3.2"},
                   "physio": {"sop_class": PRIVATE, "size": 0, "SeriesInstanceUID": "1.2.3.3"}}  # fmt: skip
        classified = {"CHECKBURNEDINFO": "hold", "ABCD-Physio": "skip"}
        _, found = screen(tmp_path, objects, classify=RULES, classified=classified)
        assert found["screen"] == (HELD, "Classified: classified CHECKBURNEDINFO (policy)")
        assert found["physio"] == (SKIPPED, "classified ABCD-Physio (policy)")


class TestExclusions:
    EXCLUSIONS = [{"tag": "SeriesDescription", "pattern": "T1.*"}, {"tag": "(0020,4000)", "pattern": "safe"}]

    def test_are_decided_per_instance(self, tmp_path):
        objects = {
            "match": {"SeriesDescription": "T1 mprage"},
            "no match": {"SeriesDescription": "a T1"},
            "comment": {"ImageComments": "safe to keep"},
            "none": {},
        }
        transfer, _ = screen(tmp_path, objects, rewrite_exclusions=self.EXCLUSIONS)
        excluded = read_not_rewritten(transfer.workspace)
        assert len(excluded) == 2
        rules = transfer.ledger.events(transfer.id)[-1][3]["rules"]
        assert rules == {
            "pixels not rewritten by (0020,4000) (policy)": 1,
            "pixels not rewritten by SeriesDescription (policy)": 1,
        }
        # run again when nothing is left to judge: what was decided stays
        transfer.ledger.record(transfer.id, [])
        for instance in transfer.ledger.instances(transfer.id):
            transfer.ledger.settle(transfer.id, [instance.id], InstanceState.READY, "", before=RECEIVED)
        screen_instances(transfer)
        assert read_not_rewritten(transfer.workspace) == excluded

    def test_a_value_that_is_too_long_to_compare_excludes_nothing(self, tmp_path):
        transfer, found = screen(tmp_path, {"a": {"ImageComments": "safe" * 2000}}, rewrite_exclusions=self.EXCLUSIONS)
        assert found["a"][0] is RECEIVED
        assert not read_not_rewritten(transfer.workspace)


def test_no_value_is_told(tmp_path):
    objects = {"a": {"SeriesDescription": "Screens of DOE", "Manufacturer": "pacsgear DOE"}}
    transfer, _ = screen(tmp_path, objects, suspicious="hold", classify=RULES, classified={"CHECKBURNEDINFO": "skip"})
    told = json.dumps([detail for *_, detail in transfer.ledger.events(transfer.id)])
    assert "DOE" not in told


class TestOddHeaders:
    """Where another screening program stumbles or leaves out too much."""

    OBJECTS = {
        "declared clean": {"BurnedInAnnotation": "NO"},
        "no image type": {"ImageType": None},
        "no series number": {"SeriesNumber": None},
        "no description": {"SeriesDescription": ""},
    }

    def test_none_is_left_out_and_nothing_stops(self, tmp_path):
        everything = {"suspicious": "skip", "vendor_reports": "skip", "remove_secondary_captures": True,
                      "rewrite_exclusions": [{"tag": "SeriesNumber", "pattern": "9"}], "classify": RULES,
                      "classified": {"CHECKBURNEDINFO": "skip"}}  # fmt: skip
        _, found = screen(tmp_path, self.OBJECTS, **everything)
        assert {state for state, _ in found.values()} == {RECEIVED}


def test_the_pixel_step_leaves_excluded_instances_alone(tmp_path):
    from airlock.findings import Found
    from airlock.pixels.step import _conclude
    from airlock.pixels.survey import Examined

    exclusions = [{"tag": "SeriesDescription", "pattern": "T1"}]
    objects = {"match": {"SeriesDescription": "T1"}, "other": {}}
    transfer, _ = screen(tmp_path, objects, rewrite_exclusions=exclusions)
    ids = [instance.id for instance in transfer.ledger.instances(transfer.id)]
    findings = _conclude(transfer, {i: Examined(total=1, found=[Found(0, (1, 1, 4, 4), "ocr", 90.0)]) for i in ids})
    excluded = read_not_rewritten(transfer.workspace)
    assert len(excluded) == 1
    assert (set(findings.instances), set(findings.not_rewritten)) == (set(ids) - excluded, set(excluded))
