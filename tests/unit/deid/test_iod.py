"""The types of attributes are read a module at a time; the file is JSON all the same."""

from __future__ import annotations

import json
from pathlib import Path

from airlock.deid import iod


def test_every_module_is_what_the_file_says() -> None:
    document = json.loads((Path(iod.__file__).parent / "profiles" / "iod_types.json").read_text("utf-8"))
    assert len(document["modules"]) > 300
    assert {name: iod._module(name) for name in document["modules"]} == document["modules"]
    rest, _ = iod._document()
    assert rest == {key: value for key, value in document.items() if key != "modules"}
    assert {name for names in rest["iods"].values() for name in names} <= document["modules"].keys()
