"""The types of attributes are read a module at a time; the file is JSON all the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airlock.deid import iod
from airlock.deid.profile import Profile, _content_row, load_table


def test_every_module_is_what_the_file_says() -> None:
    document = json.loads((Path(iod.__file__).parent / "profiles" / "iod_types.json").read_text("utf-8"))
    assert len(document["modules"]) > 300
    assert {name: iod._module(name) for name in document["modules"]} == document["modules"]
    classes = {uid: iod._said(iod._SOP_CLASSES, uid)[1::2] for uid in document["sop_classes"]}
    assert classes == {uid: [name] for uid, name in document["sop_classes"].items()}
    assert {name: iod._said(iod._IODS, name)[1::2] for name in document["iods"]} == document["iods"]
    assert {name for names in document["iods"].values() for name in names} <= document["modules"].keys()


@pytest.mark.parametrize("part", [iod._SOP_CLASSES, iod._IODS, iod._MODULES])
def test_a_name_that_a_part_does_not_have(part: int) -> None:
    document = json.loads((Path(iod.__file__).parent / "profiles" / "iod_types.json").read_text("utf-8"))
    known = list(document.values())[1 + part]
    for name in ("", "!", "1.2.840", "patient", "series", "~", "1.2.840.10008.5.1.4.1.1.2", "ct-image"):
        assert bool(iod._said(part, name)) == (name in known)


@pytest.mark.parametrize("edition", Profile.EDITIONS)
def test_every_row_of_a_profile_is_what_the_file_says(edition: str) -> None:
    rows = load_table(edition)[0]
    profile = Profile(edition)
    plain = {int(tag, 16): row for tag, row in rows.items() if "x" not in tag and tag != "PRIVATE"}
    assert len(plain) > 600
    assert {tag: profile.row(tag) for tag in plain} == plain
    assert profile.row(0x00080005) is None
    items = load_table(edition)[1]
    assert len(items) > 200
    assert {key: _content_row(edition, *key) for key in items} == items
    assert _content_row(edition, "DCM", "121005", "NUM") is None
