"""The JSON Schema of request files, made from the model that reads them."""

from __future__ import annotations

from typing import Any

from airlock.request.model import TransferRequest


def request_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a request file. `docs/request.schema.json` is a copy of it."""
    schema = TransferRequest.model_json_schema()
    # The model also reads the number as text, as resent requests write it; Pydantic cannot see that.
    instance = schema["properties"]["redcap_repeat_instance"]
    number = {"type": instance.pop("type"), "minimum": instance.pop("minimum")}
    instance["anyOf"] = [number, {"type": "string", "pattern": "^(?=.*[1-9])[0-9]{1,6}$"}]
    schema["title"] = "Airlock transfer request"
    schema["description"] = "One study for one research subject of one project. Unknown keys are kept and ignored."
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema
