"""`airlock identity`: only for those who may, noted in the ledger, and without a value in what it says."""

import json
import pwd
import re

import pytest
import yaml

from airlock.cli import HELD, REFUSED
from airlock.identity.access import who
from airlock.identity.keys import KeyRing
from airlock.identity.question import Question
from airlock.identity.service import IdentityService
from airlock.ledger.acts import Acts
from airlock.project import find_policy
from airlock.settings import load_settings
from tests import old_stores
from tests.commands import airlock

PROJECT = ("--project", "Trial")


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRLOCK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AIRLOCK_PROJECTS", str(tmp_path / "projects"))
    monkeypatch.setenv("AIRLOCK_IDENTITY_USERS", f"somebody, {who()}")
    (tmp_path / "projects").mkdir()
    text = yaml.safe_dump({"name": "Trial", "identity": {"patient": "running", "site": old_stores.SITE}})
    (tmp_path / "projects" / "Trial.yaml").write_text(text)
    load_settings.cache_clear()
    yield load_settings()
    load_settings.cache_clear()


def identify(settings, patient="PAT-NEW", uid="1.2.3"):
    policy = find_policy(settings.projects, "Trial")
    service = IdentityService.open(settings, KeyRing.load(settings.key_path), policy)
    return service.identify(Question({(patient, "")}, uid, "", [uid]))


def acts(settings):
    return [(act.kind, act.project, act.actor, act.detail) for act in Acts(settings.ledger).all()]


@pytest.mark.parametrize(
    "command", [("import", __file__, *PROJECT), ("export", "x.csv", *PROJECT), ("rotate-key",), ("forget", *PROJECT)]
)
def test_others_may_not(settings, monkeypatch, tmp_path, command):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIRLOCK_IDENTITY_USERS", "somebody-else")
    load_settings.cache_clear()
    ended = airlock("identity", *command)
    assert ended.status == REFUSED
    assert "AIRLOCK_IDENTITY_USERS" in ended.stderr
    assert not (tmp_path / "x.csv").exists()


def test_the_person_is_an_account():
    assert who() in {entry.pw_name for entry in pwd.getpwall()} or re.fullmatch("uid-[0-9]+", who())


def test_import_and_export(settings, tmp_path):
    source = old_stores.write_v17(tmp_path / "AnonymizerModel.pkl")
    dry = airlock("identity", "import", source, *PROJECT, "--dry-run")
    assert dry.stdout.startswith("rsna-v17: 2 new patients, 3 new studies, 3 new accessions, 9 new uids\n")
    assert json.loads(airlock("identity", "show").stdout) == {}
    done = airlock("identity", "import", source, *PROJECT)
    assert (done.status, done.stdout) == (0, dry.stdout)
    assert identify(settings).subject == f"{old_stores.SITE}-000003"
    ended = airlock("identity", "export", tmp_path, *PROJECT)
    assert (ended.status, ended.stdout) == (0, "4 rows\n")
    exported = (tmp_path / f"{old_stores.SITE}_Trial_PHI_4.csv").read_text()
    assert "PAT-A" in exported
    for kind, name, rows in (("uid-map", "uid_mapping.csv", 10), ("patid-map", "patid_mapping.csv", 3)):
        assert airlock("identity", "export", tmp_path, *PROJECT, "--kind", kind).stdout == f"{rows} rows\n"
        assert (tmp_path / name).read_text().startswith("id_old,id_new")
    counts = json.loads(airlock("identity", "show", "--counts").stdout)
    assert counts == {"Trial": {"patients": 3, "studies": 4, "accessions": 3, "uids": 10}}
    noted = acts(settings)
    assert ("identity import", "Trial", who(), {"patients": 2, "studies": 3, "accessions": 3, "uids": 9,
            "format": "rsna-v17", "dry_run": False}) in noted  # fmt: skip
    assert ("identity export", "Trial", who(), {"table": "lookup", "rows": 4, "of_one_subject": False}) in noted
    said = airlock("identity", "show", "--acts").stdout + dry.stdout + done.stderr
    assert not any(value in said for value in ("PAT-", "Quill", "1.2.276", "ACC-", old_stores.SITE))


def test_a_contradiction_is_held_and_noted(settings, tmp_path):
    identify(settings, "PAT-A")
    ended = airlock("identity", "import", old_stores.write_v18(tmp_path / "anonymizer.db"), *PROJECT)
    assert ended.status == HELD
    assert acts(settings)[-1] == ("identity import failed", "Trial", who(), {"error": "HeldError"})


def test_rotation(settings):
    before = identify(settings)
    assert airlock("identity", "rotate-key", "--yes").status == 0
    after, new = identify(settings), identify(settings, "PAT-2", "1.2.4")
    assert (before.subject, before.offset_days, before.uids("1.2.9")) == (
        after.subject, after.offset_days, after.uids("1.2.9"),
    )  # fmt: skip
    assert new.uids("1.2.9") != after.uids("1.2.9")
    rows = json.loads(airlock("identity", "show", "--keys").stdout)
    assert [(row["generation"], row["patients"]) for row in rows] == [(1, 1), (2, 1)]
    assert ("key rotation", None, who(), {"generation": 2}) in acts(settings)


def test_forget(settings, monkeypatch):
    subject = identify(settings).subject
    ended = airlock("identity", "forget", *PROJECT, "--subject", subject, "--yes")
    assert (ended.status, ended.stdout) == (0, "1 patients, 1 studies, 0 accessions, 1 uids, 0 further ids\n")
    identify(settings)
    monkeypatch.setattr("click.prompt", lambda *_, **__: "PAT-NEW")
    assert airlock("identity", "forget", *PROJECT, "--yes").status == 0
    assert airlock("identity", "forget", *PROJECT, "--yes").status == REFUSED
    assert [kind for kind, *_ in acts(settings)].count("identity withdrawal") == 2
