"""An unmodified PyCap works against the sandbox."""

import io
import json
import subprocess
import sys

import pytest
import redcap

from airlock.redcap.sandbox import RedcapSandbox


@pytest.fixture
def sandbox():
    with RedcapSandbox(tokens={"E" * 32: {"export"}}) as running:
        yield running


@pytest.fixture
def project(sandbox):
    return redcap.Project(sandbox.url, sandbox.token)


ROW = {"study_instance_uid": "1.2.3", "redcap_repeat_instrument": "transfers", "redcap_repeat_instance": 1}


def test_description(project):
    assert str(project.export_version()) == "14.5.10"
    assert project.def_field == "study_instance_uid"
    assert set(project.forms) == {"incoming_studies", "series", "transfers"}
    assert project.is_longitudinal is False
    assert project.export_metadata(forms=["series"])[0]["field_name"] == "series_instance_uid"
    assert project.export_project_info()["is_longitudinal"] == 0
    assert [i["instrument_name"] for i in project.export_instruments()] == ["incoming_studies", "series", "transfers"]
    assert [i["form_name"] for i in project.export_repeating_instruments_events()] == ["series", "transfers"]
    names = {n["export_field_name"] for n in project.export_field_names()}
    assert {"transfer_error___3", "transfers_complete", "study_instance_uid"} <= names
    assert project.generate_next_record_name() == "1"


def test_records(project):
    assert project.import_records([ROW | {"transfer_error___1": "1", "transfer_name": "A"}]) == {"count": 1}
    assert project.import_records([ROW], return_content="ids") == ["1.2.3"]
    assert project.import_records([ROW], return_content="nothing") == [{}]
    (exported,) = project.export_records(fields=["transfer_name", "transfer_error"])
    assert exported == ROW | {
        "transfer_name": "A",
        "transfer_error___1": "1",
        "transfer_error___2": "0",
        "transfer_error___3": "0",
    }
    assert len(project.export_records(forms=["transfers"], records=["1.2.3"])) == 1
    (labelled,) = project.export_records(forms=["transfers"], raw_or_label="label")
    assert labelled["transfers_complete"] == "Incomplete"
    assert project.import_records([{"study_instance_uid": "z"}], force_auto_number=True, return_content="auto_ids") == [
        "1,z"
    ]
    assert project.delete_records(["1.2.3"]) == 1
    assert [r["study_instance_uid"] for r in project.export_records()] == ["1"]


def test_refusals(project, sandbox):
    with pytest.raises(redcap.RedcapError, match="real data fields"):
        project.import_records([ROW | {"nonsense": 1}])
    with pytest.raises(redcap.RedcapError, match="permissions"):
        redcap.Project(sandbox.url, "0" * 32).export_records()
    with pytest.raises(redcap.RedcapError, match="privileges"):
        redcap.Project(sandbox.url, "E" * 32).import_records([ROW])
    with pytest.raises(redcap.RedcapError, match="filterLogic"):
        project.export_records(filter_logic="[transfer_date] = ''")
    with pytest.raises(redcap.RedcapError, match="classic"):
        project.export_events()


def test_a_single_object_is_not_a_list(project):
    assert project.import_records(ROW) == {"count": 0}


def test_the_program(tmp_path):
    state, token = tmp_path / "state.json", "A" * 32
    arguments = ["--port", "0", "--token", token, "--state", str(state), "--fail-next", "1:500"]
    command = [sys.executable, "-m", "airlock.redcap.sandbox", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[-1]
            with pytest.raises(redcap.RedcapError):
                redcap.Project(url, token).import_records([ROW])
            redcap.Project(url, token).import_records([ROW])
        finally:
            process.terminate()
        assert process.wait(10) == 0
    with RedcapSandbox(state=state) as again:
        assert again.records[0]["study_instance_uid"] == "1.2.3"


def test_files(tmp_path):
    document = {
        "title": "Files",
        "repeating": ["visits"],
        "fields": [
            {"field_name": "id", "form_name": "base", "field_type": "text"},
            {"field_name": "consent", "form_name": "base", "field_type": "file"},
            {"field_name": "scan", "form_name": "visits", "field_type": "file"},
        ],
    }
    (tmp_path / "d.json").write_text(json.dumps(document))
    content = bytes(range(256)) + b"\r\n--boundary\r\n"
    with RedcapSandbox(dictionary=tmp_path / "d.json", tokens={"E" * 32: {"export"}}) as running:
        project = redcap.Project(running.url, running.token)
        project.import_records([{"id": "7"}])
        project.import_file("7", "consent", "consent.bin", io.BytesIO(content))
        project.import_file("7", "scan", "scan.txt", io.BytesIO(b"second"), repeat_instance=2)
        found, headers = project.export_file("7", "consent")
        assert (found, headers["name"]) == (content, "consent.bin")
        assert project.export_file("7", "scan", repeat_instance=2)[0] == b"second"
        assert [(r["redcap_repeat_instance"], r["consent"], r["scan"]) for r in project.export_records()] == [
            ("", "[document]", ""),
            (2, "", "[document]"),
        ]
        project.delete_file("7", "consent")
        # PyCap takes a refusal for the file.
        assert b"no file to download" in project.export_file("7", "consent")[0]
        assert b"does not exist" in project.export_file("8", "consent")[0]
        with pytest.raises(redcap.RedcapError, match="cannot be imported"):
            project.import_records([{"id": "7", "consent": "x"}])
        reader = redcap.Project(running.url, "E" * 32)
        assert reader.export_file("7", "scan", repeat_instance=2)[0] == b"second"
        reader.import_file("7", "scan", "scan.txt", io.BytesIO(b"third"), repeat_instance=2)
        assert reader.export_file("7", "scan", repeat_instance=2)[0] == b"second", "it may not import"
        assert running.received[-2]["action"] == "import"
