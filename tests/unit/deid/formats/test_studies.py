"""DCMAnonymize: `studies.json` and `stations.json`."""

import json

import pytest

from airlock.deid.formats.dcmanonymize import read_studies
from airlock.deid.formats.stations import read_stations
from airlock.errors import InvalidRequest, PolicyError
from tests.foreign_rules import fates_of, rules_of


def one(keyword, rule, section="AnonymizeTag"):
    conversion = read_studies(json.dumps({"Trial": {section: {keyword: rule}}}))
    return rules_of(conversion).get(keyword, ""), conversion.entries[0].fate.value


DATE, UID, AGE, SEQUENCE = "AcquisitionDate", "FrameOfReferenceUID", "PatientAge", "PersonIdentificationCodeSequence"
DAY = 86_400


@pytest.mark.parametrize(
    ("keyword", "rule", "became", "fate"),
    [
        ("StudyDescription", {"action": "delete"}, "remove", "same"),
        ("StudyDescription", {}, "remove", "same"),
        ("StudyDescription", {"action": "clear"}, "empty", "same"),
        ("StudyDescription", {"action": "keep"}, "keep", "same"),
        ("AccessionNumber", {"action": "hash"}, "hash length=16", "same"),
        ("AccessionNumber", {"action": "hash", "salt": "s3cret"}, "hash length=16", "stricter"),
        (SEQUENCE, {"action": "hash"}, "remove", "stricter"),
        (DATE, {"action": "hash"}, "empty", "stricter"),
        (UID, {"action": "hash"}, "uid", "same"),
        ("StudyDescription", {"action": "value", "value": "Trial"}, "replace value=Trial", "same"),
        ("StudyDescription", {"action": "value"}, "empty", "same"),
        ("AcquisitionDateTime", {"action": "value", "value": "DTnow"}, "empty", "stricter"),
        (DATE, {"action": "value", "value": "DAnow"}, "empty", "stricter"),
        ("AcquisitionTime", {"action": "value", "value": "TMnow"}, "empty", "stricter"),
        (SEQUENCE, {"action": "value", "value": "x"}, "unresolved", "unresolved"),
        (DATE, {"action": "offset", "value": 10 * DAY}, "shift days=10", "same"),
        (DATE, {"action": "offset", "delta": -3 * DAY}, "shift days=-3", "same"),
        (DATE, {"action": "offset", "value": 3600}, "shift", "stricter"),
        (DATE, {"action": "offset", "seed": "s3cret"}, "shift", "stricter"),
        (DATE, {"action": "offset", "value": "soon"}, "unresolved", "unresolved"),
        (AGE, {"action": "offset", "value": DAY}, "empty", "stricter"),
        (UID, {"action": "regen", "seed": "s3cret"}, "uid", "same"),
        (DATE, {"action": "regen"}, "dummy", "stricter"),
        ("StudyDescription", {"action": "regen"}, "empty", "stricter"),
        ("StudyDescription", {"action": "scramble"}, "unresolved", "unresolved"),
        ("StudyDescription", {"action": "hash", "rounds": 3}, "unresolved", "unresolved"),
        ("StudyDescription", "delete", "unresolved", "unresolved"),
        ("NoSuchKeyword", {"action": "delete"}, "unresolved", "unresolved"),
        ("NoSuchKeyword", {"action": "keep"}, "", "left out"),
        ("", {"action": "delete"}, "", "left out"),
        ("PatientName", {"action": "keep"}, "", "covered"),
        ("SOPInstanceUID", {"action": "regen"}, "", "covered"),
        ("StudyInstanceUID", {"action": "keep"}, "", "stricter"),
        ("MediaStorageSOPInstanceUID", {"action": "regen"}, "", "covered"),
    ],
)
def test_action_by_tag(keyword, rule, became, fate):
    assert one(keyword, rule) == (became, fate)


@pytest.mark.parametrize(
    ("vr", "rule", "became"),
    [
        ("PN", {"action": "hash"}, "hash length=16"),
        ("UI", {"action": "regen"}, "uid"),
        ("DA", {"action": "offset", "value": DAY}, "shift days=1"),
        ("TM", {"action": "offset", "delta": DAY}, "shift days=1"),
        ("LO", {"action": "clear"}, "empty"),
        ("SQ", {}, "remove"),
        ("US", {"action": "offset", "value": DAY}, "empty"),
        ("XX", {"action": "delete"}, "unresolved"),
    ],
)
def test_action_by_vr(vr, rule, became):
    conversion = read_studies(json.dumps({"Trial": {"AnonymizeVR": {vr: rule}}}))
    assert rules_of(conversion) == {vr: became}
    assert conversion.rules[0].attribute.where == ("vr" if vr != "XX" else "tag")


def test_a_rule_for_a_tag_goes_before_one_for_its_vr():
    profile = {"AnonymizeVR": {"LO": {"action": "clear"}}, "AnonymizeTag": {"StudyDescription": {"action": "keep"}}}
    rules = read_studies(json.dumps({"Trial": profile})).rules
    assert [rule.attribute.where for rule in rules] == ["tag", "vr"]


def test_secrets_are_not_repeated():
    profile = {"RandomSeed": "s3cret", "AnonymizeTag": {"AccessionNumber": {"action": "hash", "salt": "s3cret"}}}
    assert "s3cret" not in repr(read_studies(json.dumps({"Trial": profile})))


def test_private_tags():
    profile = {"RemovePrivateTags": False, "SavePrivateTags": ["(0019,100c)", '(0019,"ACME",0d)', "nonsense"]}
    conversion = read_studies(json.dumps({"Trial": profile}))
    assert (conversion.private, conversion.keep_private) == ("safe", ['(0019,"ACME",0d)'])
    assert fates_of(conversion) == {
        "private": "stricter",
        "(0019,100c)": "stricter",
        '(0019,"ACME",0d)': "same",
        "nonsense": "stricter",
    }


class TestWhichStudy:
    TWO = json.dumps({"Brain": {"AnonymizeTag": {}}, "Lung": {"AnonymizeTag": {"StudyDescription": {}}}})

    def test_is_named_in_any_case(self):
        assert rules_of(read_studies(self.TWO, "LUNG")) == {"StudyDescription": "remove"}

    def test_an_unknown_one_does_not_fall_back_to_another(self):
        with pytest.raises(PolicyError, match="Brain, Lung"):
            read_studies(self.TWO, "Supplement142")
        with pytest.raises(PolicyError, match="--study: Brain, Lung"):
            read_studies(self.TWO)

    def test_an_unknown_setting_is_not_passed_over(self):
        assert read_studies('{"A": {"AnonymiseTag": {"PatientName": {}}}}').unresolved == 1

    @pytest.mark.parametrize("text", ['{"A": {"AnonymizeTag": []}}', "[]", '{"A": 1}', '{"A": {}, "A": {}}', "{"])
    def test_what_is_no_such_file_is_refused(self, text):
        with pytest.raises(PolicyError, match=r"object|twice|JSON|AnonymizeTag"):
            read_studies(text.replace("[]}}", '["x"]}}'))


class TestStations:
    DOCUMENTED = {"TagForStudy": "StudyDescription", "Split": "^", "SplitIndex": 1}
    PROGRAM = {"TagForStudy": "StudyDescription", "StudySplit": "^", "StudySplitIndex": 1}

    @pytest.mark.parametrize("rule", [DOCUMENTED, PROGRAM, {**DOCUMENTED, **PROGRAM}])
    def test_both_spellings(self, rule):
        stations = read_stations(json.dumps({"default": {"TagForStudy": "ProtocolName", "Split": None}, "mrc1": rule}))
        values = {"StationName": " MRC1 ", "StudyDescription": "brain^TRIAL", "ProtocolName": "OTHER"}
        assert stations.study(values) == "TRIAL"
        assert stations.study({**values, "StationName": "CT9"}) == "OTHER"
        assert stations.study({"ProtocolName": "OTHER"}) == "OTHER"

    def test_a_missing_attribute_is_an_error_and_no_default_profile_is_used(self):
        stations = read_stations(json.dumps({"default": self.PROGRAM}))
        for values in ({}, {"StudyDescription": ""}, {"StudyDescription": "only one part"}):
            with pytest.raises(InvalidRequest, match="StudyDescription"):
                stations.study(values)

    def test_without_default_an_unknown_station_is_an_error(self):
        with pytest.raises(InvalidRequest, match="not listed"):
            read_stations(json.dumps({"MRC1": self.PROGRAM})).study({"StationName": "CT9"})

    @pytest.mark.parametrize(
        "rule",
        [
            {**DOCUMENTED, "StudySplit": "/"},
            {"TagForStudy": "NoSuchKeyword"},
            {"Split": "^"},
            {"TagForStudy": "StudyDescription", "Split": ""},
            {"TagForStudy": "StudyDescription", "SplitIndex": "0"},
            {"TagForStudy": "StudyDescription", "Splitter": "^"},
            "StudyDescription",
        ],
    )
    def test_a_rule_that_is_not_understood_is_refused(self, rule):
        with pytest.raises(PolicyError, match="MRC1"):
            read_stations(json.dumps({"MRC1": rule}))
