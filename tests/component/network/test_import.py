"""A list of studies that a PACS has, or has not."""

from __future__ import annotations

import json

import pytest
import yaml

from airlock.request.drop import settled_files
from airlock.settings import load_settings
from tests.commands import airlock
from tests.simulated_pacs import SimulatedPacs
from tests.studies import make_instance

ROOT = "1.2.826.0.1.3680043.8.498.66"


@pytest.fixture
def settings(tmp_path, monkeypatch):
    (tmp_path / "projects").mkdir()
    (tmp_path / "projects" / "P.yaml").write_text(yaml.safe_dump({"name": "P"}))
    for name, value in {"HOME": tmp_path, "PROJECTS": tmp_path / "projects"}.items():
        monkeypatch.setenv(f"AIRLOCK_{name}", str(value))
    load_settings.cache_clear()
    yield load_settings()
    load_settings.cache_clear()


def test_three_of_five_are_found_at_the_pacs(settings, tmp_path):
    pacs = SimulatedPacs()
    for number in (1, 2, 3):
        study = f"{ROOT}.{number}"
        path = make_instance(
            tmp_path / f"{number}.dcm", study, f"{study}.1", f"{study}.1.1", AccessionNumber=f"A{number}"
        )
        pacs.hold({f"{study}.1.1": path})
    table = tmp_path / "list.csv"
    rows = [f"{ROOT}.1,,S-1", ",A2,S-2", ",A3,S-3", f"{ROOT}.8,,S-8", ",A9,S-9"]
    table.write_text("\n".join(["study_instance_uid,accession_number,transfer_name", *rows]))
    with pacs.running() as peer:
        where = ["--host", peer.host, "--port", peer.port, "--called-aet", peer.called_aet]
        ended = airlock("request", "import", table, "--project", "P", *where)
    assert ended.status == 2
    assert "3 requested, 0 known before; 2 not found, 0 ambiguous, 0 wrong." in ended.stdout
    assert "line 5: not found\nline 6: not found" in ended.stdout
    requests = [json.loads(path.read_text()) for path in settled_files(settings.drop_folder, 0)]
    assert {(r["study_instance_uid"], r["source"]["method"]) for r in requests} == {
        (f"{ROOT}.{number}", "c-move") for number in (1, 2, 3)
    }
