"""FIONA's classification rules: operators, references, series, and what is refused when a policy is loaded."""

import json

import pytest
from pydantic import ValidationError

from airlock.dicomio.header import read_header
from airlock.screen.classify import Classifier, compare
from airlock.screen.values import CHARACTER_SET, Values
from airlock.selection import ScreenPolicy
from tests.studies import make_instance

MANUFACTURER, ROWS, IMAGE_TYPE, ORIENTATION, ECHO = (
    ["0x08", "0x70"],
    ["0x28", "0x10"],
    ["0x08", "0x08"],
    ["0x20", "0x37"],
    ["EchoTime"],
)


def types(tmp_path, rules, *instances, wanted=("T",)):
    """Classify one series of instances, given by their attributes."""
    policy = ScreenPolicy(classify=rules, classified=dict.fromkeys(wanted, "skip"))
    classifier = Classifier(policy.classify, policy.wanted_types)
    for number, attributes in enumerate(instances or [{}]):
        given = {"Manufacturer": "SIEMENS", "EchoTime": "30.0", **attributes}
        path = make_instance(tmp_path / str(number), "1.2.3", "1.2.3.4", f"1.2.3.4.{number}", **given)
        header = read_header(path, whole=True, also={*classifier.tags, CHARACTER_SET})
        classifier.add(header["series_instance_uid"], Values(header))
    return classifier.types()["1.2.3.4"]


def holds(tmp_path, clause, **attributes):
    return types(tmp_path, [{"type": "T", "rules": [clause]}], attributes) == {"T"}


@pytest.mark.parametrize(
    ("clause", "expected"),
    [
        ({"tag": MANUFACTURER, "value": "^SIEM"}, True),
        ({"tag": MANUFACTURER, "value": "EMENS", "operator": "regexp"}, True),
        ({"tag": MANUFACTURER, "value": "^EMENS"}, False),
        ({"tag": MANUFACTURER, "value": "^SIEM", "negate": "yes"}, False),
        ({"tag": ["AcquisitionMatrix"], "value": "0, 256, 256, 0"}, True),
        ({"tag": IMAGE_TYPE, "value": "AXIAL", "operator": "contains"}, True),
        ({"tag": IMAGE_TYPE, "value": "AXI", "operator": "contains"}, False),
        ({"tag": MANUFACTURER, "value": "EMEN", "operator": "contains"}, True),
        ({"tag": [*IMAGE_TYPE, "2"], "value": "AXIAL", "operator": "=="}, True),
        ({"tag": [*IMAGE_TYPE, "0x1"], "value": "PRIM", "operator": "contains"}, True),
        ({"tag": [*IMAGE_TYPE, "7"], "operator": "exist"}, False),
        ({"tag": ROWS, "value": "32", "operator": "=="}, True),
        ({"tag": ROWS, "value": 32, "operator": "=="}, True),
        ({"tag": ROWS, "value": "33", "operator": "=="}, False),
        ({"tag": ROWS, "value": "thirty-two", "operator": "=="}, False),
        ({"tag": ROWS, "value": "33", "operator": "!="}, True),
        ({"tag": ROWS, "value": "thirty-two", "operator": "!="}, True),
        ({"tag": ROWS, "value": "33", "operator": "<"}, True),
        ({"tag": ROWS, "value": "32", "operator": "<"}, False),
        ({"tag": ROWS, "value": "31", "operator": ">"}, True),
        ({"tag": ROWS, "value": "many", "operator": ">"}, False),
        ({"tag": ECHO, "value": 30.00001, "operator": "approx"}, True),
        ({"tag": ECHO, "value": 30.1, "operator": "approx"}, False),
        ({"tag": ECHO, "value": 30.1, "operator": "approx", "approxLevel": 0.5}, True),
        ({"tag": ORIENTATION, "value": [1, 0, 0, 0, 1, 0], "operator": "approx"}, True),
        ({"tag": ORIENTATION, "value": ["1", "0", "0", "0", "1", "0"], "operator": "approx"}, True),
        ({"tag": ORIENTATION, "value": [1, 0, 0, 0, 0, -1], "operator": "approx"}, False),
        ({"tag": ORIENTATION, "value": [1, 0], "operator": "approx"}, False),
        ({"tag": ["0x18", "0x24"], "value": 1, "operator": "approx"}, False),
        ({"tag": MANUFACTURER, "operator": "exist"}, True),
        ({"tag": ["0x18", "0x24"], "operator": "exist"}, False),
        ({"tag": ["0x18", "0x24"], "operator": "notexist"}, True),
        ({"tag": MANUFACTURER, "operator": "notexist"}, False),
        ({"tag": MANUFACTURER, "operator": "exist", "negate": "yes"}, False),
        ({"tag": ["0x18", "0x24"], "operator": "exist", "negate": "yes"}, True),
        ({"tag": ["0x18", "0x24"], "value": "^$"}, True),
        ({"tag": ROWS, "value": ["0x28", "0x11"], "operator": "=="}, True),
        ({"tag": ROWS, "value": ["Columns"], "operator": "<"}, False),
        ({"tag": ["NumFiles"], "value": "1", "operator": "=="}, True),
        ({"tag": ["SoftwareVersion"], "value": "^B19$"}, True),
    ],
)
def test_operator(tmp_path, clause, expected):
    attributes = {
        "AcquisitionMatrix": [0, 256, 256, 0],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "SoftwareVersions": "B19",
    }
    assert holds(tmp_path, clause, **attributes) is expected


def test_fields_of_private_attributes(tmp_path):
    from pydicom import dcmread

    path = make_instance(tmp_path / "a", "1.2.3", "1.2.3.4", "1.2.3.4.5")
    dataset = dcmread(path)
    dataset.private_block(0x0051, "SIEMENS MR HEADER", create=True).add_new(0x0A, "LO", "TA 05:11")
    dataset.save_as(path)
    rules = [{"type": "T", "rules": [{"tag": ["AcquisitionLength"], "value": "TA 05"}]}]
    classifier = Classifier(ScreenPolicy(classify=rules, classified={"T": "skip"}).classify, ["T"])
    classifier.add("1", Values(read_header(path, whole=True, also=classifier.tags)))
    assert classifier.types() == {"1": {"T"}}


def test_every_operator_is_tried():
    from typing import get_args

    from airlock.classification import Operator

    tried = {mark["operator"] for (mark, _) in test_operator.pytestmark[0].args[1] if "operator" in mark} | {"regexp"}
    assert tried == set(get_args(Operator))


class TestReferences:
    BASE = [
        {"type": "SIEMENS", "id": "BYMAKER", "rules": [{"tag": MANUFACTURER, "value": "^SIEMENS"}]},
        {"type": "small", "id": "SMALL", "rules": [{"rule": "BYMAKER"}, {"tag": ROWS, "value": "64", "operator": "<"}]},
    ]

    def test_rule(self, tmp_path):
        rules = [{"type": "T", "rules": [{"rule": "SMALL"}]}, *self.BASE]
        assert types(tmp_path, rules) == {"T"}
        assert types(tmp_path, rules, {"Manufacturer": "GE"}) == set()

    def test_a_negated_rule_is_negated_as_a_whole(self, tmp_path):
        rules = [{"type": "T", "rules": [{"notrule": "SMALL"}]}, *self.BASE]
        assert types(tmp_path, rules) == set()
        # one of its two clauses holds: the rule does not, so its negation does
        assert types(tmp_path, rules, {"Manufacturer": "GE"}) == {"T"}

    def test_types_of_the_series_can_be_compared(self, tmp_path):
        def plane(name, value):
            return {"type": name, "rules": [{"tag": ORIENTATION, "value": value, "operator": "approx"}]}

        planes = {"axial": [1, 0, 0, 0, 1, 0], "coronal": [1, 0, 0, 0, 0, -1], "sagittal": [0, 1, 0, 0, 0, -1]}
        clauses = [{"tag": ["ClassifyType"], "value": name, "operator": "contains"} for name in planes]
        rules = [{"type": "T", "rules": clauses}, *(plane(*item) for item in planes.items())]
        images = [{"ImageOrientationPatient": value} for value in planes.values()]
        assert types(tmp_path, rules, *images) == {"T"}
        assert types(tmp_path, rules, *images[:2]) == set()


class TestSeries:
    RULE = {"type": "T", "rules": [{"tag": MANUFACTURER, "value": "GE"}]}

    def test_one_instance_is_enough(self, tmp_path):
        assert types(tmp_path, [self.RULE], {}, {"Manufacturer": "GE"}) == {"T"}

    def test_unless_every_one_must_match(self, tmp_path):
        rule = {**self.RULE, "check": "SeriesLevel"}
        assert types(tmp_path, [rule], {}, {"Manufacturer": "GE"}) == set()
        assert types(tmp_path, [rule], {"Manufacturer": "GE"}, {"Manufacturer": "GE"}) == {"T"}

    def test_two_rules_for_a_type(self, tmp_path):
        assert types(tmp_path, [self.RULE, {"type": "T", "rules": [{"tag": ROWS, "value": "32"}]}]) == {"T"}


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        ([{"type": "T", "rules": [{"rule": "X"}]}], "does not exist once"),
        ([{"type": "T", "id": "A", "rules": [{"rule": "A"}]}], "refers to itself"),
        ([{"type": "T", "id": "A", "rules": [{"rule": "B"}]},
          {"type": "U", "id": "B", "rules": [{"rule": "A"}]}], "itself"),
        ([{"type": "T", "rules": [{"rule": "A"}]},
          *[{"type": "U", "id": "A", "rules": [{"tag": ROWS, "value": n}]} for n in "12"]], "does not exist once"),
        ([{"type": "T", "rules": [{"tag": ROWS, "value": "["}]}], "regular expression"),
        ([{"type": "T", "rules": [{"tag": ROWS, "value": "1", "operator": "resembles"}]}], "operator"),
        ([{"type": "T", "rules": [{"tag": ["a", "b"], "value": "1"}]}], "a tag has"),
        ([{"type": "T", "rules": [{"tag": ROWS}]}], "needs a value"),
        ([{"type": "T", "rules": [{"tag": ROWS, "rule": "A", "value": "1"}]}], "one of: rule"),
        ([{"type": "T", "rules": []}], "at least 1"),
        ([{"type": "T", "ruels": []}], "ruels"),
        ([{"type": "T", "rules": [{"tag": ["CsaNumber"], "value": "1"}]}], "not known here"),
        ([{"type": "U", "rules": [{"tag": ROWS, "value": "1"}]}], "no classification rule has the type"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused(rules, problem):
    with pytest.raises(ValidationError, match=problem):
        ScreenPolicy(classify=rules, classified={"T": "skip"})


def test_of_several_rules_for_a_type_those_count_that_can_be_told(tmp_path):
    rules = [
        {"type": "T", "rules": [{"tag": ["CsaNumber"], "value": "1", "operator": "!="}]},
        {"type": "T", "rules": [{"tag": MANUFACTURER, "value": "GE"}]},
    ]
    assert types(tmp_path, rules) == set()
    assert types(tmp_path, rules, {"Manufacturer": "GE"}) == {"T"}


def test_rules_that_decide_nothing_may_compare_what_is_not_known():
    rules = [
        {"type": "T", "rules": [{"tag": ROWS, "value": "1"}]},
        {"type": "U", "rules": [{"tag": ["CsaNumber"], "value": "1"}]},
    ]
    assert ScreenPolicy(classify=rules, classified={"T": "skip"}).wanted_types == ("T",)


def test_a_file_is_found_beside_the_project_and_is_part_of_its_digest(tmp_path):
    from airlock.errors import PolicyError
    from airlock.project import load_policy

    (tmp_path / "rules.json").write_text(json.dumps([{"type": "T", "rules": [{"tag": ROWS, "value": "1"}]}]))
    (tmp_path / "trial.yaml").write_text("screen: {classify: rules.json, classified: {T: hold}}")
    before = load_policy(tmp_path / "trial.yaml")
    assert before.screen.classify[0].type == "T"
    (tmp_path / "rules.json").write_text(json.dumps([{"type": "T", "rules": [{"tag": ROWS, "value": "2"}]}]))
    assert load_policy(tmp_path / "trial.yaml").digest != before.digest
    for broken in ("{", "\xff"):
        (tmp_path / "rules.json").write_text(broken, "latin-1")
        with pytest.raises(PolicyError, match=r"trial.yaml:1: screen.classify: .*rules.json"):
            load_policy(tmp_path / "trial.yaml")
    (tmp_path / "rules.json").unlink()
    with pytest.raises(PolicyError, match="No such file"):
        load_policy(tmp_path / "trial.yaml")


def test_values_are_compared_in_any_encoding(tmp_path):
    from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

    clauses = [
        {"tag": ROWS, "value": 32, "operator": "=="},
        {"tag": ["SeriesDescription"], "value": "^Schädel$"},
    ]
    rules = [{"type": "T", "rules": clauses}]
    for syntax in (ImplicitVRLittleEndian, ExplicitVRBigEndian):
        attributes = {"syntax": syntax, "SpecificCharacterSet": "ISO_IR 192", "SeriesDescription": "Schädel"}
        if syntax == ExplicitVRBigEndian:
            attributes["size"] = 0
            attributes["Rows"] = 32
        assert types(tmp_path, rules, attributes) == {"T"}


def test_a_pattern_from_an_attribute_that_is_none_matches_nothing():
    from airlock.classification import Clause

    clause = Clause(tag=("Manufacturer",), value=["SeriesDescription"])
    assert not compare(clause, {0x00080070: ("x",), 0x0008103E: ("[",)})
