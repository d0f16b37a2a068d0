"""The sandbox stores and returns rows as REDCap does."""

import json

import pytest

from airlock.errors import PolicyError
from airlock.redcap.sandbox.dictionary import Dictionary
from airlock.redcap.sandbox.places import BadRequest
from airlock.redcap.sandbox.records import Records


@pytest.fixture
def records():
    return Records(Dictionary.load())


def transfer(instance=1, **values):
    return {
        "study_instance_uid": "1.2.3",
        "redcap_repeat_instrument": "transfers",
        "redcap_repeat_instance": instance,
    } | values


def test_rows_of_a_record_and_its_repeat_instances(records):
    records.load([{"study_instance_uid": "1.2.3", "study_description": "Knee"}], overwrite=False)
    records.load([transfer(2, transfer_name="B"), transfer(1, transfer_name="A")], overwrite=False)
    rows = records.rows(fields=["study_instance_uid", "study_description", "transfer_name", "transfer_error"])
    assert rows == [
        {
            "study_instance_uid": "1.2.3",
            "redcap_repeat_instrument": "",
            "redcap_repeat_instance": "",
            "study_description": "Knee",
            "transfer_name": "",
            "transfer_error___1": "",
            "transfer_error___2": "",
            "transfer_error___3": "",
        },
        *(
            {
                "study_instance_uid": "1.2.3",
                "redcap_repeat_instrument": "transfers",
                "redcap_repeat_instance": instance,
                "study_description": "",
                "transfer_name": name,
                "transfer_error___1": "0",
                "transfer_error___2": "0",
                "transfer_error___3": "0",
            }
            for instance, name in ((1, "A"), (2, "B"))
        ),
    ]
    assert [row["redcap_repeat_instance"] for row in records.rows(forms=["transfers"])] == [1, 2]
    assert len(records.rows(fields=["study_instance_uid"])) == 1


def test_a_blank_is_ignored_or_clears(records):
    records.load([transfer(transfer_error_message="old", transfer_error___1="1")], overwrite=False)
    blank = transfer(transfer_error_message="", transfer_error___1=0)
    records.load([blank], overwrite=False)
    (row,) = records.rows(forms=["transfers"])
    assert (row["transfer_error_message"], row["transfer_error___1"]) == ("old", "0")
    records.load([blank], overwrite=True)
    (row,) = records.rows(forms=["transfers"])
    assert row["transfer_error_message"] == ""


def test_new_instances_and_new_records(records):
    imported = records.load([transfer("new"), transfer("new")], overwrite=False)
    assert imported.ids == ["1.2.3"]
    assert [row["redcap_repeat_instance"] for row in records.rows(forms=["transfers"])] == [1, 2]
    numbered = records.load(
        [{"study_instance_uid": "x"}, {"study_instance_uid": "y"}, {"study_instance_uid": "x"}],
        overwrite=False,
        number=True,
    )
    assert numbered.numbered == [("1", "x"), ("2", "y")]
    assert numbered.ids == ["1", "2"]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"study_instance_uid": "1", "nonsense": "x"}, "real data fields: nonsense"),
        ({"study_instance_uid": "1", "transfer_error": "1"}, "real data fields: transfer_error"),
        ({"study_description": "x"}, "record identifier"),
        ({"study_instance_uid": "1", "transfer_name": "x"}, "must be blank"),
        (transfer(study_description="x"), "must be blank"),
        (transfer(0), "redcap_repeat_instance"),
        (transfer(redcap_repeat_instrument="incoming_studies"), "unique form name of a Repeating Instrument"),
        (transfer(transfers_complete="3"), "not a valid category"),
        (transfer(transfer_error___1="yes"), "not a valid category"),
        (transfer(transfer_date="04.03.2026"), "expected format"),
    ],
)
def test_a_wrong_row_is_refused_and_nothing_is_stored(records, row, words):
    with pytest.raises(BadRequest, match=words):
        records.load([{"study_instance_uid": "good"}, row], overwrite=True)
    assert records.values == {}


def test_labels(records):
    records.load([transfer(transfer_error___2="1", transfers_complete="1")], overwrite=False)
    (row,) = records.rows(forms=["transfers"], label=True)
    assert (row["transfer_error___1"], row["transfer_error___2"]) == ("Unchecked", "Checked")
    assert row["transfers_complete"] == "Unverified"


def test_unknown_names_in_an_export(records):
    with pytest.raises(BadRequest, match="'nonsense'"):
        records.rows(fields=["nonsense"])
    with pytest.raises(BadRequest, match="'nowhere'"):
        records.rows(forms=["nowhere"])


def test_state_outlives_the_process(tmp_path):
    path = tmp_path / "state.json"
    Records(Dictionary.load(), path).load([transfer(transfer_name="A")], overwrite=False)
    again = Records(Dictionary.load(), path)
    assert again.rows(forms=["transfers"])[0]["transfer_name"] == "A"
    again.delete(["1.2.3"], "transfers", 1)
    assert Records(Dictionary.load(), path).rows(forms=["transfers"]) == []


def test_another_dictionary(tmp_path):
    path = tmp_path / "dictionary.json"
    fields = [{"field_name": "record_id", "form_name": "demo"}, {"field_name": "n", "form_name": "demo"}]
    fields[1] |= {"field_type": "text", "text_validation_type_or_show_slider_number": "integer"}
    path.write_text(json.dumps({"title": "Demo", "fields": fields}))
    records = Records(Dictionary.load(path))
    records.load([{"record_id": 1, "n": 5}], overwrite=False)
    assert records.rows() == [{"record_id": "1", "n": "5", "demo_complete": "0"}]
    path.write_text("[]")
    with pytest.raises(PolicyError, match="data dictionary"):
        Dictionary.load(path)


def test_a_state_of_before_there_were_events(tmp_path):
    path = tmp_path / "state.json"
    path.write_text(json.dumps([["1.2.3", "", 0, {}], ["1.2.3", "transfers", 2, {"transfer_name": "A"}]]))
    rows = Records(Dictionary.load(), path).rows(forms=["transfers"])
    assert [(row["redcap_repeat_instance"], row["transfer_name"]) for row in rows] == [(2, "A")]
