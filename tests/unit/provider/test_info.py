"""What Airflow is told about the provider."""

import importlib
import json
from pathlib import Path

import airflow
import jsonschema
import pytest

from airlock.dicomio.peer import Peer
from airlock_provider import get_provider_info

INFO = get_provider_info()


def test_airflow_accepts_it():
    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())
    jsonschema.validate(INFO, schema)


@pytest.mark.parametrize("connection", INFO["connection-types"], ids=lambda c: c["connection-type"])
def test_every_form_field_is_a_schema(connection):
    assert connection["hook-class-name"].startswith("airlock_provider.hooks.")
    for field in connection["conn-fields"].values():
        jsonschema.Draft202012Validator.check_schema(field["schema"])
        # A field that nobody fills in must not stop the form.
        assert "null" in field["schema"]["type"]


@pytest.mark.parametrize("connection", INFO["connection-types"], ids=lambda c: c["connection-type"])
def test_the_hook_says_the_same(connection):
    module, _, name = connection["hook-class-name"].rpartition(".")
    hook = getattr(importlib.import_module(module), name)
    assert hook.conn_type == connection["connection-type"]
    assert hook.hook_name == connection["hook-name"]


def test_the_dicom_form_has_the_fields_of_a_peer():
    (dicom,) = [c for c in INFO["connection-types"] if c["connection-type"] == "dicom"]
    assert set(dicom["conn-fields"]) == set(Peer.__dataclass_fields__) - {"host", "port"}
