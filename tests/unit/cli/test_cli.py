"""The command line: what scripts and people rely on."""

import json
import subprocess
import sys
from dataclasses import astuple
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest

from airlock import cli
from airlock.errors import AirlockError, InstanceNotUnderstood, InvalidRequest, PeerUnavailable
from airlock.ledger import InstanceState, InstanceUpdate, TransferState
from airlock.request.drop import settled_files, take
from airlock.settings import Settings, load_settings
from airlock.transfer import open_ledger
from tests.commands import airlock

PROJECTS = Path(__file__).parents[3] / "config" / "projects"
UID = "1.2.826.0.1.3680043.8.498.4713"


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRLOCK_HOME", str(tmp_path))
    monkeypatch.setenv("AIRLOCK_PROJECTS", str(PROJECTS))
    load_settings.cache_clear()
    yield load_settings()
    load_settings.cache_clear()


@pytest.fixture
def run(settings):
    return lambda *arguments: astuple(airlock(*arguments))


class TestFrame:
    def test_help_names_the_commands_and_the_exit_statuses(self, run):
        status, out, _ = run("--help")
        assert status == 0
        for word in ("request", "status", "Exit status: 0 done; 1 failed"):
            assert word in out

    def test_help_imports_no_command(self):
        code = (
            "import sys; from airlock import cli\ntry: cli.main(['--help'])\nexcept SystemExit: pass\n"
            "print(sorted(m for m in sys.modules if m in ('pydicom', 'sqlalchemy', 'numpy') or 'airlock.cli.' in m))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        needed = [f"airlock.cli.{name}" for name in ("direct", "group", "plain", "watched")]
        assert done.stdout.splitlines()[-1] == str(needed)
        assert all(name in done.stdout for name in cli.COMMANDS)

    @pytest.mark.parametrize(
        ("error", "status"), [(PeerUnavailable, 1), (AirlockError, 1), (InvalidRequest, 2), (InstanceNotUnderstood, 3)]
    )
    def test_an_error_is_one_line_and_a_status(self, run, monkeypatch, error, status):
        def fail(*_, **__):
            raise error("What happened.\nWhat to do [bold]next[/bold].")

        monkeypatch.setattr(cli.airlock, "main", fail)
        assert run("status") == (status, "", "What happened. What to do [bold]next[/bold].\n")

    def test_an_error_that_was_not_foreseen_quotes_nothing(self, run, monkeypatch):
        def fail(*_, **__):
            raise ValueError("Zebedee Quillfeather")

        monkeypatch.setattr(cli.airlock, "main", fail)
        status, out, err = run("status")
        assert (status, out, "ValueError (cli/group.py:" in err) == (1, "", True)
        assert "Zebedee" not in err
        assert "Traceback" not in err

    def test_wrong_usage(self, run):
        assert run("nonsense")[0] == 2
        assert run("status", "--nonsense")[0] == 2

    def test_a_command_that_is_not_there_is_not_listed(self, monkeypatch):
        monkeypatch.setattr("airlock.cli.group.COMMANDS", ("request", "neverwritten"))
        context = click.Context(cli.airlock)
        assert cli.airlock.list_commands(context) == ["request"]
        assert cli.airlock.get_command(context, "neverwritten") is None

    def test_a_command_is_loaded_when_it_is_used(self):
        program = "import sys; from airlock.cli import main\ntry: main(['nonsense'])\nexcept SystemExit: pass\n"
        program += "print(sorted(m for m in sys.modules if m.startswith(('airlock.cli.', 'sqlalchemy', 'pydicom'))))"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        needed = [f"airlock.cli.{name}" for name in ("direct", "group", "plain", "watched")]
        assert done.stdout.splitlines()[-1] == str(needed)


class TestRequest:
    def test_new_is_what_intake_takes(self, run, settings):
        given = ["--study", UID, "--project", "demo", "--name", "S 1", "--event", "V1", "--instance", "3"]
        status, out, _ = run("request", "new", *given, "--priority", "high", "--method", "c-get", "--dry-run")
        assert status == 0
        assert UID not in out
        (path,) = settled_files(settings.drop_folder, 0)
        assert path.name == f"{UID}_demo_S 1_3.json"
        accepted = take(path, settings)
        assert accepted.priority == "high"
        document = json.loads(path.read_text())
        assert document["source"] == {"method": "c-get"}
        assert document["options"] == {"dry_run": True, "stop_before_send": False, "priority": "high"}
        # The key exists now, so the next one can be named.
        _, out, _ = run("request", "new", "--study", "1.2.3", "--project", "demo", "--name", "S2")
        assert "transfer-" in out

    def test_what_is_not_given_is_asked_for(self, run, settings, monkeypatch):
        answers = iter([UID, "demo", "S1"])
        monkeypatch.setattr(click.termui, "visible_prompt_func", lambda _: next(answers))
        assert run("request", "new")[0] == 0
        assert len(settled_files(settings.drop_folder, 0)) == 1

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (["--study", "1.2.x"], "study_instance_uid"),
            (["--project", "nowhere"], "no policy"),
            (["--connection", "pacs"], "--connection needs --method"),
            (["--instance", "0"], "redcap_repeat_instance"),
        ],
    )
    def test_a_wrong_request_is_not_written(self, run, settings, change, words):
        given = ["--study", UID, "--project", "demo", "--name", "S1", *change]
        status, _, err = run("request", "new", *given)
        assert status == 2
        assert words in err
        assert settled_files(settings.drop_folder, 0) == []

    def test_validate(self, run, tmp_path):
        good, bad, unknown = (tmp_path / name for name in ("good.json", "bad.json", "unknown.json"))
        document = {"study_instance_uid": UID, "transfer_project_name": "demo", "transfer_name": "S1"}
        good.write_text(json.dumps(document))
        bad.write_text("{")
        unknown.write_text(json.dumps(document | {"transfer_project_name": "Xantippe"}))
        assert run("request", "validate", str(good)) == (0, f"{good}: valid\n", "")
        status, out, _ = run("request", "validate", str(bad), str(good), str(unknown))
        assert status == 2
        assert [line.split(": ")[1][:18] for line in out.splitlines()] == [
            "The request is not",
            "valid",
            "The request names ",
        ]
        assert "Xantippe" not in out

    def test_schema(self, run):
        status, out, _ = run("request", "schema")
        assert status == 0
        assert json.loads(out)["$schema"].endswith("2020-12/schema")


class TestStatus:
    @pytest.fixture
    def ledger(self, settings: Settings):
        ledger = open_ledger(settings)
        now = datetime.now(UTC)
        ledger.register("transfer-old", now - timedelta(days=30), "demo")
        ledger.register("transfer-new", now, "QC - [red]NH[/red]")
        ledger.claim("transfer-new", "transfer-new")
        states = [InstanceState.SENT, InstanceState.SENT, InstanceState.SKIPPED, InstanceState.HELD]
        ledger.record("transfer-new", [InstanceUpdate(f"i-{n}", s, boxes=n) for n, s in enumerate(states)])
        ledger.event("transfer-new", "send", "finished", sent=2)
        ledger.move("transfer-new", TransferState.HELD, "One instance was held.")
        return ledger

    def test_the_latest(self, run, ledger):
        status, out, _ = run("status")
        assert status == 0
        assert "transfer-old" not in out
        (line,) = [line for line in out.splitlines() if "transfer-new" in line]
        assert "QC - [red]NH[/red]" in line
        assert line.split("held", 1)[1].split()[3:8] == ["4", "2", "1", "1", "6"]
        assert "One instance was held." in line
        assert "transfer-old" in run("status", "--days", "60")[1]

    def test_as_json(self, run, ledger):
        (facts,) = json.loads(run("status", "--json")[1])
        assert (facts["transfer"], facts["state"]) == ("transfer-new", "held")
        assert facts["in"] == facts["sent"] + facts["skipped"] + facts["held"] == 4
        assert datetime.fromisoformat(facts["finished_at"]).tzinfo is not None

    def test_one(self, run, ledger):
        status, out, _ = run("status", "transfer-new")
        assert status == 0
        for words in ("One instance was held.", "send", "finished", "sent 2"):
            assert words in out
        facts = json.loads(run("status", "transfer-new", "--json")[1])
        assert [(e["step"], e["kind"], e["sent"]) for e in facts["events"] if e["step"] == "send"] == [
            ("send", "finished", 2)
        ]

    def test_none(self, run, settings):
        assert run("status")[1].startswith("No transfer")
        assert run("status", "--json")[1].strip() == "[]"
        status, _, err = run("status", "transfer-none")
        assert status == 2
        assert "knows no such transfer" in err
