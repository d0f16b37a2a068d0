"""`airlock profile`: what is done with every attribute."""

from __future__ import annotations

import json
from pathlib import Path

from tests.commands import airlock

POLICY = """
name: One
deidentify:
  options: [retain_longitudinal_modified_dates, clean_descriptors]
  private: {mode: keep-list, keep: ['(0019,"ACME",01)']}
  rules:
    - {tag: PatientID, action: keep}
    - {tag: StationName, action: replace, value: S1, when: {tag: Modality, equals: CT}}
"""


def test_show(tmp_path: Path) -> None:
    result = airlock("profile", "show", "2026d+retain_patient_characteristics", "--attribute", "(0010,1010)")
    assert result.status == 0
    assert result.stdout.splitlines()[1].split("\t")[:4] == ["(0010,1010)", "PatientAge", "AS", "K"]
    lines = json.loads(airlock("profile", "show", "--json").stdout)
    assert len(lines) == 657
    assert {line["action"] for line in lines if line["keyword"] == "PatientAge"} == {"X"}


def test_diff() -> None:
    assert airlock("profile", "diff", "2024b", "2026d").stdout.splitlines()[-1] == "36 attributes differ."
    changed = json.loads(airlock("profile", "diff", "2026d", "2026d+retain_device_identity", "--json").stdout)
    assert len(changed) == 59
    assert {row["action"]["second"] for row in changed} == {"K", "C"}


def test_statement(tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(POLICY)
    text = airlock("profile", "statement", "--project", path).stdout
    for part in ("113107", "1 to 3650", "`PatientID`: keep. **This keeps a direct identifier.**", "Modality", "ACME"):
        assert part in text
    assert text.count("\n| (") + text.count("\n| (odd") >= 656
    out = tmp_path / "statement.json"
    assert airlock("profile", "statement", "--project", path, "--json", "--out", out).status == 0
    document = json.loads(out.read_text())
    assert (document["options"], len(document["attributes"])) == (
        ["clean_descriptors", "retain_longitudinal_modified_dates"],
        657,
    )


def test_what_is_not_there() -> None:
    assert airlock("profile", "show", "2019a").status == 2
    assert airlock("profile", "show", "2026d+retain_everything").status == 2
    assert airlock("profile", "statement", "--project", "/none/such.yaml").status == 2
