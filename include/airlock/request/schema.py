"""The JSON Schema of request files, made from the model that reads them."""

from __future__ import annotations

from typing import Any

from airlock.request.model import TransferRequest


def request_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a request file. `docs/request.schema.json` is a copy of it."""
    schema = TransferRequest.model_json_schema()
    # The model also reads the number as text, as resent requests write it, and has its least value in a function.
    # Pydantic cannot see either.
    instance = schema["properties"]["redcap_repeat_instance"]
    instance.pop("type")
    instance["anyOf"] = [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": "^0*[1-9][0-9]*$"}]
    # The study is named, or a source says what it is found by.
    source = {"type": "object", "anyOf": [{"required": [n]} for n in ("studies", "accession_number", "patient_id")]}
    schema["anyOf"] = [
        {"required": ["study_instance_uid"]},
        {"required": ["source"], "properties": {"source": source}},
    ]
    schema["title"] = "Airlock transfer request"
    schema["description"] = "One study for one research subject of one project. Unknown keys are kept and ignored."
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema
