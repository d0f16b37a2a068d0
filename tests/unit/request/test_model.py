"""Request files: FIONA's are read unchanged, everything else is refused without repeating what it says."""

import json
import traceback
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airlock.errors import InvalidRequest
from airlock.identity.keys import KeyRing
from airlock.request import parse_request
from airlock.request.schema import request_schema

ROOT = Path(__file__).parents[3]
FRESH = {
    "redcap_repeat_instance": 2,
    "redcap_repeat_instrument": "transfers",
    "study_instance_uid": "1.2.826.0.1.3680043.8.498.4711",
    "transfer_date": "",
    "transfer_event_name": "Visit 1",
    "transfer_name": "QC-007",
    "transfer_project_name": "QC - NH Phantom",
    "transfer_requested_date": "2026-01-31 09:15",
}
RESENT = FRESH | {
    "redcap_repeat_instance": "2",
    "study_patient_name": "0a1b2c",
    "transfer_active_proc_time": "40",
    "transfer_error___1": "0",
    "transfer_error_message": '{"error": "x"}',
    "transfers_complete": "2",
    "filename": "somewhere.json",
    "file_name": "not the property",
    "model_config": {"frozen": False},
}
MINIMAL = {k: FRESH[k] for k in ("study_instance_uid", "transfer_project_name", "transfer_name")}
KEYS = KeyRing(bytes(32))


def text(document):
    return json.dumps(document)


@pytest.mark.parametrize("document", [FRESH, RESENT])
def test_both_variants_of_fiona_are_read(document):
    request = parse_request(json.dumps(document, indent=2, sort_keys=True).encode())
    assert request.study_instance_uid == "1.2.826.0.1.3680043.8.498.4711"
    assert request.transfer_project_name == "QC - NH Phantom"
    assert request.transfer_event_name == "Visit 1"
    assert request.redcap_repeat_instance == 2
    assert request.file_name == "1.2.826.0.1.3680043.8.498.4711_QC - NH Phantom_QC-007_2.json"


def test_unknown_keys_are_kept():
    extra = parse_request(text(RESENT)).model_extra
    assert extra is not None
    assert extra["transfer_error___1"] == "0"
    assert extra["file_name"] == "not the property"


def test_what_is_left_out():
    request = parse_request(text(MINIMAL))
    assert (request.redcap_repeat_instrument, request.redcap_repeat_instance) == ("transfers", 1)
    assert request.transfer_event_name == ""
    assert request.source is None
    options = request.options
    assert (options.dry_run, options.stop_before_send, options.priority) == (False, False, "normal")
    assert options.date_offset_days is None


def test_the_id_is_the_same_for_the_same_transfer_only():
    ids = {parse_request(text(document)).transfer_id(KEYS) for document in (FRESH, RESENT)}
    assert len(ids) == 1
    changes = [
        {"study_instance_uid": "1.2.3"},
        {"transfer_project_name": "Other"},
        {"transfer_name": "QC-008"},
        {"transfer_event_name": ""},
        {"redcap_repeat_instance": 3},
        {"options": {"dry_run": True}},
        {"options": {"stop_before_send": True}},
    ]
    others = {parse_request(text(FRESH | change)).transfer_id(KEYS) for change in changes}
    assert len(others | ids) == len(changes) + 1
    assert parse_request(text(FRESH | {"options": {"priority": "high"}})).transfer_id(KEYS) in ids
    other_key = parse_request(text(FRESH)).transfer_id(KeyRing(b"1" * 32))
    assert other_key not in ids
    assert FRESH["study_instance_uid"] not in other_key


MARK = "Xantippe"
HOSTILE = [
    {"study_instance_uid": None},
    {"study_instance_uid": ""},
    {"study_instance_uid": "../../etc"},
    {"study_instance_uid": "1.2.03"},
    {"study_instance_uid": "1.2."},
    {"study_instance_uid": "1." * 40 + "1"},
    {"study_instance_uid": "1.2.3\n"},
    {"study_instance_uid": ["1.2.3"]},
    {"study_instance_uid": f"1.2.{MARK}"},
    {"transfer_project_name": ""},
    {"transfer_project_name": " \t"},
    {"transfer_name": f"{MARK}\\{MARK}"},
    {"transfer_name": f"{MARK}\x00"},
    {"transfer_name": f"{MARK}\n{MARK}"},
    {"transfer_name": f"{MARK}\ud800"},
    {"transfer_name": MARK * 20},
    {"transfer_name": {MARK: MARK}},
    {"transfer_name": 7},
    {"transfer_event_name": f"{MARK}\x1b[2J"},
    {"redcap_repeat_instance": 0},
    {"redcap_repeat_instance": "-1"},
    {"redcap_repeat_instance": MARK},
    {"redcap_repeat_instance": 1.5},
    {"redcap_repeat_instance": None},
    {"schema_version": 2},
    {"source": {"method": MARK}},
    {"source": {"method": "c-move", "connection": f"{MARK} {MARK}"}},
    {"source": {}},
    {"options": {MARK: True}},
    {"options": {"priority": MARK}},
    {"options": MARK},
]


@pytest.mark.parametrize("change", HOSTILE, ids=lambda change: text(change)[:40])
def test_hostile_values_are_refused_and_never_repeated(change):
    with pytest.raises(InvalidRequest) as caught:
        parse_request(text(FRESH | change))
    said = "".join(traceback.format_exception(caught.value))
    assert MARK not in said
    assert "4711" not in said
    assert next(iter(change)) in str(caught.value)


@pytest.mark.parametrize("field", MINIMAL)
def test_a_missing_field_is_named(field):
    with pytest.raises(InvalidRequest, match=f"{field}: is missing"):
        parse_request(text({k: v for k, v in MINIMAL.items() if k != field}))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        text(FRESH)[:-20].encode(),
        b"[]",
        b'"text"',
        b"null",
        b"\xff\xfe\x00",
        text(FRESH).encode("latin-1") + b"\xe6",
        b"[" * 200_000,
        b'{"redcap_repeat_instance": ' + b"9" * 5000 + b"}",
        b" " * (1 << 20) + b"{}",
        (text(FRESH) + text(FRESH)).encode(),
    ],
    ids=range(12),
)
def test_what_is_not_a_request_is_refused(content):
    with pytest.raises(InvalidRequest) as caught:
        parse_request(content)
    assert "4711" not in "".join(traceback.format_exception(caught.value))


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_refused(content):
    with pytest.raises(InvalidRequest):
        parse_request(content)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*FRESH, "options", "source", "x"]), st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)))  # fmt: skip
def test_any_object_is_a_request_or_refused(change):
    try:
        request = parse_request(text(FRESH | change))
    except InvalidRequest:
        return
    assert "/" not in request.file_name
    assert request.transfer_id(KEYS).startswith("transfer-")


def test_slashes_do_not_leave_the_folder():
    request = parse_request(text(FRESH | {"transfer_name": "../../x", "transfer_project_name": "a/b"}))
    assert "/" not in request.file_name


class TestSchema:
    def test_the_published_copy_is_the_models(self):
        published = json.loads((ROOT / "docs" / "request.schema.json").read_text("utf-8"))
        assert published == request_schema(), "write it again: airlock request schema > docs/request.schema.json"

    @pytest.mark.parametrize("document", [FRESH, RESENT, MINIMAL])
    def test_it_accepts_what_the_model_accepts(self, document):
        jsonschema.Draft202012Validator(request_schema()).validate(document)

    # Left out: what this validator cannot see. Python's `$` also matches before a last line break, unlike ECMAScript's,
    # and an unpaired surrogate is no JSON text.
    @pytest.mark.parametrize(
        "change",
        [c for c in HOSTILE if "\\ud800" not in text(c) and c != {"study_instance_uid": "1.2.3\n"}],
        ids=lambda change: text(change)[:40],
    )
    def test_it_refuses_what_the_model_refuses(self, change):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(request_schema()).validate(FRESH | change)
