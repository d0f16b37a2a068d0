"""The FIONA rule list and the dicom-anon spec file."""

import json
import re

import pytest

from airlock.deid.formats.annex_e import pattern_of, read_annex_e, read_whitelist
from airlock.deid.formats.fiona import read_fiona
from airlock.errors import PolicyError
from tests.foreign_rules import fates_of, rules_of


def fiona(*row):
    conversion = read_fiona(json.dumps([list(row)]), "Trial 1")
    entry = conversion.entries[0]
    return rules_of(conversion).get(entry.target, ""), entry.fate.value


@pytest.mark.parametrize(
    ("group", "element", "action", "rule", "fate"),
    [
        ("0008", "103e", "keep", "keep", "same"),
        # public tags too, and whole sequences
        ("0008", "1070", "remove", "remove", "same"),
        ("0400", "0561", "remove", "remove", "same"),
        ("0070", "0084", "empty", "empty", "same"),
        ("0008", "0050", "hash", "hash length=16", "same"),
        ("0020", "9161", "hashuid", "uid", "same"),
        ("0020", "0052", "hashuid+PROJECTNAME", "uid", "same"),
        ("0020", "000d", "hashuid+PROJECTNAME", "", "covered"),
        ("0008", "0022", "incrementdate", "shift", "stricter"),
        ("0008", "002a", "incrementdatetime", "shift", "stricter"),
        ("0010", "0010", "Re-Mapped", "", "covered"),
        ("0010", "1000", "Re-Mapped", "empty", "stricter"),
        ("0008", "0080", "ProjectName", "replace value=Trial 1", "same"),
        ("0012", "0020", "PROJECTNAME", "replace value=Trial 1", "same"),
        ("0012", "0050", "EventName", "empty", "stricter"),
        ("0012", "0030", "SITEID", "empty", "stricter"),
        ("0012", "0031", "SITENAME", "empty", "stricter"),
        ("0013", "1010", "always", "", "stricter"),
        ("0054", "0016", "process", "keep", "same"),
        ("0012", "0062", "YES", "", "covered"),
        ("0012", "0064", "113100/113101", "", "covered"),
        ("0028", "0303", "MODIFIED", "", "covered"),
        ("0008", "1030", "Research", "replace value=Research", "same"),
        ("0008", "1030", "hashname", "unresolved", "unresolved"),
        ("0008", "1030", "encrypt", "unresolved", "unresolved"),
        ("0008", "1030", "keep(5)", "unresolved", "unresolved"),
        ("0008", "1032", "Research", "unresolved", "unresolved"),
        ("zzzz", "1030", "remove", "unresolved", "unresolved"),
    ],
)
def test_action_of_fiona(group, element, action, rule, fate):
    assert fiona(group, element, "Name", action) == (rule, fate)


def test_a_body_part_is_kept_when_it_is_one():
    rule, _ = fiona("0018", "0015", "BodyPartExamined", "BODYPART")
    pattern = rule.removeprefix("keep-matching pattern=")
    assert re.fullmatch(pattern, "CHEST")
    assert not re.fullmatch(pattern, "CHEST SMITH")


def test_a_row_without_an_action_writes_its_name():
    assert fiona("0008", "1030", "Research") == ("replace value=Research", "same")


@pytest.mark.parametrize(
    ("pattern", "value", "kept"),
    [
        (r"([A-Z]+)_([0-9]+)", "x AB_12 Smith", "AB 12"),
        (r"^(\w+)", "CHEST Smith", "CHEST"),
        (r"(\w+)$", "Smith CHEST", "CHEST"),
        (r"(a|ab)(c|bcd)", "abcd", "a bcd"),
    ],
)
def test_a_pattern_is_searched_for_and_its_groups_stay(pattern, value, kept):
    rule, _ = fiona("0008", "1030", "StudyDescription", pattern, "regexp")
    found = re.fullmatch(rule.removeprefix("keep-matching pattern="), value)
    assert " ".join(found.groups()) == kept
    assert found.groups() == re.search(pattern, value).groups()


@pytest.mark.parametrize("pattern", ["(", "no group"])
def test_a_pattern_that_keeps_nothing_leaves_nothing(pattern):
    rule, _ = fiona("0008", "1030", "StudyDescription", pattern, "regexp")
    assert rule in ("unresolved", "empty")


@pytest.mark.parametrize("row", [["0008"], ["0008", "1030", 7, "keep"], ["0008", "1030", "a", "keep", "x"], "0008"])
def test_a_row_that_is_none_is_not_passed_over(row):
    assert read_fiona(json.dumps([row])).unresolved == 1


def test_spellings_of_fiona_lists():
    rows = [["0008", "1070", "OperatorName", "remove"], ["0020", "0010", "StudyID", "empty", "", "createIfMissing"]]
    names = ("group", "element", "name", "action", "regexp", "createIfMissing")
    as_objects = [dict(zip(names, row, strict=False)) for row in rows]
    as_csv = "group,element,name,action\n" + "\n".join(",".join(row) for row in rows)
    expected = {"OperatorsName": "remove", "StudyID": "empty"}
    for text in (json.dumps(rows), json.dumps(as_objects), as_csv, as_csv.partition("\n")[2]):
        assert rules_of(read_fiona(text)) == expected


SPEC = """\
Accession Number\t(0008,0050)
N\tY\tZ\t\t\t\t\t\t\t\t\t
Acquisition Comments\t(0018,4000)
Y\tN\tX\t\t\t\t\t\t\tC\t\t
Series Description\t(0008,103e)
N\tY\tX\t\t\t\t\t\t\tC\t\t
Content Date\t(0008,0023)
N\tY\tD\t\t\t\t\tK\tC\t\t\t
Acquisition Date\t(0008,0022)
N\tY\tX/Z\t\t\t\t\tK\tC\t\t\t
Frame of Reference UID\t(0020,0052)
N\tY\tU\t\tK\t\t\t\t\t\t\t
Referenced Image Sequence\t(0008,1140)
N\tY\tX/Z/U*\t\tK\t\t\t\t\t\t\t
Verifying Observer Sequence\t(0040,a073)
N\tY\tD\t\t\t\t\t\t\t\t\t
Modality\t(0008,0060)
N\tN\tK\t\t\t\t\t\t\t\t
Curve Data\t(50xx,xxxx)
Y\tN\tX\t\t\t\t\t\t\t\t\tC
Study ID\t(0020,0010)
N\tY\tQ
"""


class TestAnnexE:
    def test_actions(self):
        rules = rules_of(read_annex_e(SPEC))
        assert {name: rule for name, rule in rules.items() if len(name) > 2} == {
            "AccessionNumber": "empty",
            "AcquisitionComments": "remove",
            "SeriesDescription": "remove",
            "ContentDate": "dummy",
            "AcquisitionDate": "remove",
            "FrameOfReferenceUID": "uid",
            "ReferencedImageSequence": "remove",
            "VerifyingObserverSequence": "remove",
            "Modality": "keep",
            "(50xx,xxxx)": "remove",
            "StudyID": "unresolved",
        }

    def test_what_is_not_listed_goes_by_its_vr(self):
        rules = rules_of(read_annex_e(SPEC))
        removed = {"PN", "CS", "UI", "DA", "DT", "LT", "UN", "UT", "ST", "AE", "LO", "TM", "SH", "AS", "OB", "OW", "SQ"}
        assert {name for name in rules if len(name) == 2} == removed
        assert {rules[vr] for vr in removed} == {"remove"}

    def test_with_a_whitelist_descriptions_are_kept_that_it_allows(self):
        whitelist = read_whitelist('{"0008,103E": ["CT HEAD", "ST. HEAD/NECK"], "0008,1090": ["Scanner 1"]}')
        rules = rules_of(read_annex_e(SPEC, whitelist))
        assert rules["AcquisitionComments"] == "empty"
        pattern = rules["SeriesDescription"].removeprefix("keep-matching pattern=")
        for allowed in ("CT HEAD", "ct  head", " C.T _HEAD ", "st head/neck"):
            assert re.fullmatch(pattern, allowed)
        for other in ("CT HEAD SMITH", "CTHEAD", "XCT HEAD", "ST HEAD", ""):
            assert not re.fullmatch(pattern, other)
        assert rules["ManufacturerModelName"].startswith("keep-matching")

    def test_patterns_take_no_time_on_long_values(self):
        pattern = re.compile(pattern_of("A B" * 20))
        assert not pattern.fullmatch("A -" * 5000)

    @pytest.mark.parametrize("text", ["Accession Number (0008,0050)\nN\tY\tZ\n", "Accession Number\t(0008,0050)\n"])
    def test_what_is_no_such_file_is_refused(self, text):
        with pytest.raises(PolicyError, match="line 1"):
            read_annex_e(text)

    @pytest.mark.parametrize("text", ["[]", '{"0008": ["x"]}', '{"0008,103E": "x"}', '{"0008,103E": [1]}'])
    def test_what_is_no_whitelist_is_refused(self, text):
        with pytest.raises(PolicyError, match="whitelist"):
            read_whitelist(text)

    def test_fates(self):
        fates = fates_of(read_annex_e(SPEC))
        assert (fates["AccessionNumber"], fates["StudyID"]) == ("same", "unresolved")
