"""Lists and arrivals become request files, each once."""

from __future__ import annotations

import getpass
import json
import os
from datetime import date

import pytest
import yaml
from pydicom import dcmread
from pydicom.data import get_testdata_file

from airlock.errors import NotPossibleNow, PolicyError
from airlock.identity.keys import KeyRing
from airlock.intake.arrived import arrived_studies
from airlock.intake.ask import Ask
from airlock.intake.coupling import load_coupling
from airlock.intake.route import route_arrived
from airlock.ledger import Asked, TransferState
from airlock.request.again import again_of, ask_again, has_begun, note_begun
from airlock.request.drop import ask, settled_files, take
from airlock.request.model import validate_request
from airlock.settings import load_settings
from airlock.transfer import open_ledger
from airlock_provider.intake import archive_requests, read_requests
from tests.arrivals import arrive
from tests.commands import airlock

ROOT = "1.2.826.0.1.3680043.8.498"
TODAY = date(2026, 6, 15)


@pytest.fixture
def settings(tmp_path, monkeypatch):
    (tmp_path / "projects").mkdir()
    for name in ("P", "Q"):
        (tmp_path / "projects" / f"{name}.yaml").write_text(yaml.safe_dump({"name": name}))
    given = {"HOME": tmp_path, "PROJECTS": tmp_path / "projects", "RAW": tmp_path / "raw", "SETTLE_SECONDS": 0}
    given |= {"STUDY_IDLE_SECONDS": 0, "ROUTING": tmp_path / "routing.yaml", "COUPLING": tmp_path / "coupling.csv"}
    for name, value in given.items():
        monkeypatch.setenv(f"AIRLOCK_{name}", str(value))
    load_settings.cache_clear()
    yield load_settings()
    load_settings.cache_clear()


def dropped(settings):
    return [json.loads(path.read_text()) for path in settled_files(settings.drop_folder, 0)]


def route(settings):
    return route_arrived(settings, open_ledger(settings), KeyRing.load(settings.key_path))


class TestCoupling:
    def write(
        self, path, rows, head="cl_accessionnumber,cl_studyinstanceuid,cl_projectname,cl_subjectid,cl_eventname,cl_date"
    ):
        path.write_text("\n".join([head, *rows]))
        return path

    def test_a_thousand_rows_of_which_the_old_ones_are_not_used(self, tmp_path):
        rows = [f"A{n},,P,S-{n},e,2026-06-{15 if n % 2 else '01'}" for n in range(1000)]
        rows += [
            "A1000,,P,S-1000,e,2026-05-31",
            "A1001,,P,S-1001,e,",
            ",,P,S-1002,e,2026-06-15",
            "A1003,,P,,e,2026-06-15",
        ]
        found = load_coupling(self.write(tmp_path / "c.csv", rows), TODAY, 14)
        assert (len(found.by_accession), found.expired, found.unusable) == (1000, 1, (1003, 1004, 1005))
        for number in (1, 1000):
            arrive(tmp_path / "raw", f"{ROOT}.{number}", AccessionNumber=f"A{number}")
        asks = [found.asks(study) for study in arrived_studies(tmp_path / "raw")]
        assert [[ask.subject for ask in each] for each in asks] == [["S-1"], []]

    def test_several_projects_and_the_study_uid(self, tmp_path):
        rows = ["A4711,,P; Q,S-1,,2026-06-15", f",{ROOT}.1,R,S-2,late,2026-06-15 08:30"]
        found = load_coupling(self.write(tmp_path / "c.csv", rows), TODAY, 0)
        arrive(tmp_path / "raw", f"{ROOT}.1")
        (study,) = arrived_studies(tmp_path / "raw")
        asked = {(ask.project, ask.subject, ask.event) for ask in found.asks(study)}
        assert asked == {("P", "S-1", ""), ("Q", "S-1", ""), ("R", "S-2", "late")}

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("cl_projectname,cl_subjectid,cl_date\n", "cl_studyinstanceuid or cl_accessionnumber"),
            ("cl_accessionnumber,cl_subjectid,cl_date\nSECRET", "no column cl_projectname"),
            ('cl_accessionnumber,cl_projectname,cl_subjectid,cl_date\n"SECRET,P', ":2: not CSV"),
        ],
    )
    def test_no_such_table(self, tmp_path, text, words):
        (tmp_path / "c.csv").write_text(text)
        with pytest.raises(PolicyError, match=words) as caught:
            load_coupling(tmp_path / "c.csv", TODAY, 14)
        assert "SECRET" not in str(caught.value)


class TestRouting:
    def test_what_arrived_is_requested_once(self, settings):
        settings.routing.write_text("routes: [{project: P, called: PROJ, patient_id: 'DEMO-[0-9]+'}]")
        arrive(settings.raw_folder, f"{ROOT}.1")
        arrive(settings.raw_folder, f"{ROOT}.2", PatientID="4711")
        assert (len(route(settings).transfers), route(settings).known) == (1, 1)
        (request,) = dropped(settings)
        assert (request["transfer_project_name"], request["transfer_name"]) == ("P", "DEMO-001")
        assert 1001 <= request["redcap_repeat_instance"] <= 32767
        (file,) = settled_files(settings.drop_folder, 0)
        take(file, settings)
        file.unlink()
        assert (route(settings).transfers, route(settings).known) == ([], 1)
        assert dropped(settings) == []

    def test_by_station_too_and_one_that_cannot_be_told_stops_no_other(self, settings):
        settings.routing.write_text("stations: {file: stations.json, subject: by-project}")
        rule = {"default": {"TagForStudy": "PatientID"}}
        (settings.routing.parent / "stations.json").write_text(json.dumps(rule))
        for number, project in enumerate(("p", "")):
            study = f"{ROOT}.{number + 1}"
            arrive(settings.raw_folder, study)
            dataset = dcmread(get_testdata_file("CT_small.dcm", download=False))
            dataset.PatientID = project
            dataset.save_as(settings.raw_folder / study / f"{study}.1" / "1.dcm")
        result = route(settings)
        assert (len(result.transfers), list(result.refused.values())) == (1, [1])
        (request,) = dropped(settings)
        assert (request["transfer_project_name"], request["transfer_name"]) == ("P", "by-project")
        ((*_, asked),) = open_ledger(settings).events(result.transfers[0])
        assert asked == {"door": "station"}

    def test_outside_its_approval_nothing_is_requested(self, settings):
        settings.routing.write_text("routes: [{project: P, called: PROJ, patient_id: 'DEMO-[0-9]+'}]")
        (settings.projects / "P.yaml").write_text("name: P\napproval: {end: 2020-01-01}\n")
        arrive(settings.raw_folder, f"{ROOT}.1")
        assert list(route(settings).refused.values()) == [1]
        assert dropped(settings) == []

    def test_the_command(self, settings):
        settings.routing.write_text(
            "routes: [{project: nobody, calling: MR1, subject: s}, {project: P, calling: MR1, subject: s}]"
        )
        arrive(settings.raw_folder, f"{ROOT}.1")
        ended = airlock("route", "--dry-run")
        assert "Would request transfer-" in ended.stdout
        assert "1 new, 0 known before, 1 not routed" in ended.stdout
        assert dropped(settings) == []
        assert "Requested transfer-" in airlock("route").stdout


class TestImport:
    def test_three_of_five_are_found(self, settings, tmp_path):
        for number, accession in ((1, "A1"), (2, "A2"), (3, "A3"), (4, "A3")):
            arrive(settings.raw_folder, f"{ROOT}.{number}", AccessionNumber=accession)
        table = tmp_path / "list.csv"
        lines = [f"{ROOT}.1;;S-1", ";A2;S-2", ";A3;S-3", f"{ROOT}.9;;S-9", ";A9;S-8", ";;S-7", f"{ROOT}.2;;bad\\name"]
        table.write_text("\n".join(["Study_Instance_UID;accession_number;transfer_name", *lines]))
        missing = tmp_path / "missing.csv"
        ended = airlock("request", "import", table, "--project", "P", "--missing", missing)
        assert ended.status == 2
        assert "2 requested, 0 known before; 2 not found, 1 ambiguous, 2 wrong." in ended.stdout
        assert "line 5: not found\nline 6: not found\nline 4: several" in ended.stdout
        assert ROOT not in ended.stdout + ended.stderr
        assert {(r["study_instance_uid"], r["transfer_name"]) for r in dropped(settings)} == {
            (f"{ROOT}.1", "S-1"),
            (f"{ROOT}.2", "S-2"),
        }
        assert missing.read_text().splitlines()[1:] == [lines[2], lines[3], lines[4], lines[5], lines[6]]
        again = airlock("request", "import", table, "--project", "P", "--all")
        assert "2 requested, 2 known before; 2 not found, 0 ambiguous, 2 wrong." in again.stdout

    def test_subjects_must_match_the_pattern(self, settings, tmp_path):
        (settings.projects / "P.yaml").write_text("name: P\nsubject_pattern: 'S-[0-9]'\n")
        arrive(settings.raw_folder, f"{ROOT}.1")
        (tmp_path / "list.csv").write_text(f"study_instance_uid,transfer_name\n{ROOT}.1,Jane Doe\n")
        ended = airlock("request", "import", tmp_path / "list.csv", "--project", "P")
        assert ended.status == 2
        assert "line 2: transfer_name does not match" in ended.stdout
        assert "Jane" not in ended.stdout + ended.stderr
        assert dropped(settings) == []


class TestAgain:
    def ended(self, settings, number, project="P", state=TransferState.SENT):
        document = {"study_instance_uid": f"{ROOT}.{number}", "transfer_project_name": project, "transfer_name": "S"}
        settings.drop_folder.mkdir(parents=True, exist_ok=True)
        path = settings.drop_folder / f"{number}.json"
        path.write_text(json.dumps(document))
        transfer_id = take(path, settings).transfer_id
        path.unlink()
        ledger = open_ledger(settings)
        ledger.describe(transfer_id, project=project)
        ledger.claim(transfer_id, transfer_id)
        if state is not TransferState.RUNNING:
            ledger.move(transfer_id, state)
        return transfer_id

    def test_the_intake_begins_it_again_and_removes_the_file(self, settings):
        transfer_id = self.ended(settings, 1)
        path = ask_again(transfer_id, "asked", open_ledger(settings), settings)
        assert again_of(path) == transfer_id
        (run,) = read_requests()
        assert run == {"run_id": transfer_id, "transfer_id": transfer_id, "again": True}
        archive_requests([transfer_id])
        assert len(dropped(settings)) == 1, "its run was left alone"
        note_begun(transfer_id, open_ledger(settings))
        archive_requests([transfer_id])
        assert dropped(settings) == []
        kinds = [kind for _, step, kind, _ in open_ledger(settings).events(transfer_id) if step == "request"]
        assert kinds == ["asked", "again", "begun again"]

    def test_an_earlier_beginning_is_no_answer_to_a_new_file(self, settings):
        transfer_id = self.ended(settings, 1)
        note_begun(transfer_id, open_ledger(settings))
        path = ask_again(transfer_id, "asked", open_ledger(settings), settings)
        assert not has_begun(transfer_id, path, open_ledger(settings))
        archive_requests([transfer_id])
        assert path.exists()

    def test_exactly_those_that_are_chosen(self, settings):
        first, other, failed = (
            self.ended(settings, 1),
            self.ended(settings, 2, "Q"),
            self.ended(settings, 3, state=TransferState.FAILED),
        )
        ended = airlock("request", "again", "--project", "P", "--state", "failed")
        assert ended.stdout.split() == [failed]
        assert [run["run_id"] for run in read_requests()] == [failed]
        ended = airlock("request", "again", other, "--dry-run")
        assert (ended.status, ended.stdout.split()) == (0, [other])
        assert airlock("request", "again", "--since", "2020-01-01", "--until", "2020-02-01").stdout == ""
        assert airlock("request", "again", "--since", "2020-01-01", "--dry-run").stdout.split() == [
            first,
            other,
            failed,
        ]

    def test_what_runs_is_left_alone(self, settings):
        transfer_id = self.ended(settings, 1, state=TransferState.RUNNING)
        with pytest.raises(NotPossibleNow, match="is running"):
            ask_again(transfer_id, "asked", open_ledger(settings), settings)
        (settings.drop_folder / f"{transfer_id}.again.json").write_text("{}")
        assert read_requests() == []
        assert dropped(settings) == []
        assert airlock("request", "again", transfer_id).status == 2


def test_a_bad_file_between_two_good_ones_is_put_away_alone(settings):
    """FIONA appends the request that it read before, under the bad file's name, and reads the bad one for ever."""
    settings.drop_folder.mkdir(parents=True)
    good = {"study_instance_uid": f"{ROOT}.1", "transfer_project_name": "P", "transfer_name": "S"}
    for number, text in enumerate((json.dumps(good), '{"study_', json.dumps(good | {"transfer_name": "T"}))):
        path = settings.drop_folder / f"{number}.json"
        path.write_text(text)
        os.utime(path, (1e9 + number, 1e9 + number))
    runs = [run["run_id"] for run in read_requests()]
    assert len(set(runs)) == 2
    assert [path.name for path in settings.drop_folder.iterdir() if path.name == "1.json"] == []
    failed = sorted(path.name for path in (settings.proc_folder / "transfers_fail").iterdir())
    assert failed == ["1.json_fail.log", "1.json_fail_messages.log"]
    archive_requests(runs)
    assert not list(settings.drop_folder.iterdir())
    assert read_requests() == []


class TestWhoAsked:
    def asked(self, settings, transfer_id):
        events = open_ledger(settings).events(transfer_id)
        return [detail for _, step, kind, detail in events if (step, kind) == ("request", "asked")]

    def test_a_dropped_file_is_its_owners(self, settings):
        settings.drop_folder.mkdir(parents=True)
        document = {"study_instance_uid": f"{ROOT}.1", "transfer_project_name": "P", "transfer_name": "S"}
        (settings.drop_folder / "1.json").write_text(json.dumps(document))
        (run,) = read_requests()
        read_requests()
        transfer_id = run["run_id"]
        assert self.asked(settings, transfer_id) == [{"door": "file", "by": getpass.getuser()}]
        assert open_ledger(settings).events(transfer_id)[0][2] == "asked"
        archive_requests([transfer_id])
        (settings.drop_folder / "again.json").write_text(json.dumps(document))
        archive_requests([transfer_id])
        assert len(self.asked(settings, transfer_id)) == 2, "a duplicate is an event, too"

    def test_a_door_of_airlock_names_itself_and_the_intake_takes_its_file_for_no_other(self, settings):
        settings.routing.write_text("routes: [{project: P, called: PROJ, patient_id: 'DEMO-[0-9]+'}]")
        arrive(settings.raw_folder, f"{ROOT}.1")
        (transfer_id,) = route(settings).transfers
        assert [run["run_id"] for run in read_requests()] == [transfer_id]
        archive_requests([transfer_id])
        assert self.asked(settings, transfer_id) == [{"door": "route"}]
        assert dropped(settings) == []
        assert not list((settings.proc_folder / "transfers_done").glob("*duplicate*"))

    def test_a_person_at_the_page_asks_for_what_is_known(self, settings):
        request = validate_request(
            {"study_instance_uid": f"{ROOT}.1", "transfer_project_name": "P", "transfer_name": "S"}
        )
        for name in ("ann", "bob"):
            transfer_id = ask(request, settings, Asked("page", name))
            archive_requests([transfer_id])
        assert [one["by"] for one in self.asked(settings, transfer_id) if one["door"] == "page"] == ["ann", "bob"]


def test_two_projects_of_a_study_have_rows_of_their_own(settings):
    """REDCap's record is the study's: transfers that nobody gave a repeat instance must not write over each other."""
    keys = KeyRing.load(settings.key_path)
    asks = [Ask(f"{ROOT}.1", project, "S-001", event) for project in ("P", "Q") for event in ("", "late")]
    instances = [ask.request(keys).redcap_repeat_instance for ask in asks]
    assert len(set(instances)) == 4
    assert min(instances) > 1000
    assert [ask.request(keys).redcap_repeat_instance for ask in asks] == instances


def test_ten_of_twelve_start_by_priority_then_age(settings, monkeypatch):
    import os

    monkeypatch.setenv("AIRLOCK_MAX_STARTS", "10")
    load_settings.cache_clear()
    settings.drop_folder.mkdir(parents=True)
    ids = []
    for number in range(12):
        path = settings.drop_folder / f"{number}.json"
        document = {"study_instance_uid": f"{ROOT}.{number}", "transfer_project_name": "P", "transfer_name": "S"}
        path.write_text(json.dumps(document | ({"options": {"priority": "high"}} if number == 11 else {})))
        os.utime(path, (1_750_000_000 - number, 1_750_000_000 - number))
        ids.append(take(path, settings).transfer_id)
    assert [run["run_id"] for run in read_requests()] == [ids[11], *reversed(ids[2:11])]
