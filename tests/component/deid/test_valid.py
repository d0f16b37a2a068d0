"""An object that holds every attribute of the table is as valid after de-identification as it was before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset

from airlock.dicomio.quiet import quiet
from tests import peers
from tests.component.deid.test_samples import EVERYTHING, SAMPLES, deidentify, errors
from tests.unit.deid.test_rows import ROWS, tag_of, vr_of

LEGAL: dict[str, Any] = {
    **dict.fromkeys(("LO", "SH", "ST", "LT", "UT", "UC", "AE"), "Orig"),
    **dict.fromkeys(("OB", "UN", "OW"), b"1212"),
    **dict.fromkeys(("US", "UL", "SS", "SL"), 1),
    **dict.fromkeys(("DS", "IS"), "1"),
    **dict.fromkeys(("FL", "FD"), 1.0),
    "PN": "Orig^Name",
    "CS": "ORIG",
    "UR": "http://a.invalid/",
    "DA": "20190708",
    "TM": "112233",
    "DT": "20190708112233",
    "AS": "042Y",
    "UI": "1.2.276.9.8.7",
}
# Repeating groups need their whole module, the directory's attributes belong to no object.
NOT_ALONE = {0x0400, 0x0004, 0x5002, 0x6002}


def with_everything(path: Path) -> Dataset:
    ds = pydicom.dcmread(path, force=True)
    for row in ROWS:
        tag, vr = tag_of(row), vr_of(row)
        if tag in ds or tag >> 16 in NOT_ALONE:
            continue
        if vr == "SQ":
            item = Dataset()
            item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "1", "99X", "Orig"
            ds.add_new(tag, vr, [item])
        else:
            ds.add_new(tag, vr, LEGAL[vr])
    return ds


@pytest.mark.parametrize("options", [(), EVERYTHING])
@pytest.mark.parametrize(
    "name", ["CT_small.dcm", "rtplan.dcm", "rtstruct.dcm", "liver_1frame.dcm", "test-SR.dcm", "waveform_ecg.dcm"]
)
def test_no_new_errors(name: str, options: tuple[str, ...], tmp_path: Path) -> None:
    peers.require("dciodvfy")
    path = tmp_path / name
    with quiet():
        ds = with_everything(next(sample for sample in SAMPLES if sample.name == name))
        ds.save_as(path, enforce_file_format=True)
    result = deidentify(path, options, tmp_path / "out")
    assert not isinstance(result, str), result
    assert errors(path)
    assert errors(result[0]) - errors(path) == frozenset()
