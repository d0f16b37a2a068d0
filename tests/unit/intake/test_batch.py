"""Folders that hold a study and its request."""

from __future__ import annotations

import json
import os
import time

import pytest

from airlock.identity.keys import KeyRing
from airlock.intake import batch
from airlock.intake.batch import take_batches
from airlock.request.drop import settled_files, take
from airlock.retrieve.raw import RawStudy
from airlock.settings import Settings
from airlock.transfer import open_ledger
from tests.studies import make_study

STUDY = "1.2.826.0.1.3680043.8.498.4715"
FIELDS = {"transfer_project_name": "P", "transfer_name": "S-001"}


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "home", settle_seconds=5)


def make_batch(settings, name="b1", studies=(STUDY,), age=60, **fields):
    """Write a batch as another program does: under another name, then renamed."""
    parent = settings.proc_folder / "batches"
    writing = parent / f"{name}.part"
    for study in studies:
        make_study(writing / study, study, series=1, instances=2)
    (writing / "request.json").write_text(json.dumps({**FIELDS, **fields}))
    then = time.time() - age
    for path in (*writing.rglob("*"), writing):
        os.utime(path, (then, then))
    return writing.rename(parent / name) if name else writing


def look(settings):
    return take_batches(settings, open_ledger(settings), KeyRing.load(settings.key_path))


def dropped(settings):
    return [json.loads(path.read_text()) for path in settled_files(settings.drop_folder, 0)]


def test_a_batch_becomes_a_study_and_a_request(settings):
    folder = make_batch(settings)
    result = look(settings)
    assert (len(result.transfers), result.refused) == (1, {})
    (request,) = dropped(settings)
    assert (request["study_instance_uid"], request["source"]) == (STUDY, {"method": "raw"})
    assert len(RawStudy(settings.raw_folder, STUDY).entries()) == 2
    assert not folder.exists()
    assert look(settings).transfers == []


def test_one_that_is_written_or_still_changes_is_left_alone(settings):
    folder = make_batch(settings)
    for name in ("b2.part", "b2.tmp", ".b2"):
        folder = folder.rename(folder.with_name(name))
        assert look(settings).transfers == []
    folder = folder.rename(folder.with_name("b2"))
    os.utime(folder / "request.json")
    assert look(settings).transfers == []
    assert len(list(folder.rglob("*.*"))) > 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"studies": (STUDY, f"{STUDY}.1")}, "several studies"),
        ({"study_instance_uid": "1.2.3"}, "another study"),
        ({"transfer_name": "SECRET\\"}, "transfer_name"),
        ({"source": {"method": "c-move", "connection": "x"}}, "brings its study itself"),
    ],
)
def test_what_cannot_be_used_is_put_away_alone(settings, change, words):
    make_batch(settings, "bad", **change)
    make_batch(settings, "good", age=30)
    result = look(settings)
    assert len(result.transfers) == 1
    ((reason, count),) = result.refused.items()
    assert (words in reason, "SECRET" in reason, count) == (True, False, 1)
    failed = settings.proc_folder / "batches_fail" / "bad"
    assert json.loads((failed / "problem.json").read_text())["error"] == reason
    assert (failed / "request.json").exists()
    assert len(dropped(settings)) == 1


def test_without_a_request_or_with_half_of_one(settings):
    (make_batch(settings, "b1") / "request.json").unlink()
    (make_batch(settings, "b2") / "request.json").write_text('{"transfer_')
    for folder in (settings.proc_folder / "batches").iterdir():
        for path in (*folder.rglob("*"), folder):
            os.utime(path, (1, 1))
    assert sorted(len(reason) > 20 for reason in look(settings).refused) == [True, True]


def test_a_link_is_not_followed(settings, tmp_path):
    folder = make_batch(settings)
    (tmp_path / "elsewhere").write_text("x")
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    os.utime(folder / "link", (1, 1), follow_symlinks=False)
    os.utime(folder, (1, 1))
    assert "no file" in next(iter(look(settings).refused))


def test_killed_at_any_move_it_goes_on(settings, monkeypatch):
    """The process ends after the n-th step; the next look brings everything to its place, once."""
    move = batch._move
    for kill_at in range(3):
        name, study = f"k{kill_at}", f"{STUDY}.{kill_at}"
        make_batch(settings, name, studies=(study,), transfer_name=f"K-{kill_at}")
        moves = []

        def killed(file, place, moves=moves, kill_at=kill_at):
            if len(moves) == kill_at:
                raise KeyboardInterrupt
            moves.append(file)
            move(file, place)

        monkeypatch.setattr(batch, "_move", killed)
        if kill_at < 2:
            with pytest.raises(KeyboardInterrupt):
                look(settings)
        monkeypatch.setattr(batch, "_move", move)
        for path in (*(settings.proc_folder / "batches" / name).rglob("*"), settings.proc_folder / "batches" / name):
            os.utime(path, (1, 1))
        assert len(look(settings).transfers) == 1
        assert len(RawStudy(settings.raw_folder, study).entries()) == 2
    assert sorted(request["transfer_name"] for request in dropped(settings)) == ["K-0", "K-1", "K-2"]


def test_more_of_a_study_that_is_known_is_brought_and_not_requested_again(settings):
    """The late instances start the transfer again by themselves."""
    make_batch(settings)
    look(settings)
    (file,) = settled_files(settings.drop_folder, 0)
    take(file, settings)
    file.unlink()
    make_batch(settings, "b2", study_instance_uid=STUDY)
    assert len(look(settings).transfers) == 1
    assert dropped(settings) == []
    assert len(RawStudy(settings.raw_folder, STUDY).entries()) == 4
