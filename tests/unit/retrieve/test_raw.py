import os
import shutil
import subprocess
import time

import pytest
from pydicom.uid import generate_uid

from airlock.errors import StudyNotFound, TransferIncomplete
from airlock.ledger import InstanceState
from airlock.retrieve.step import pull_study, study_is_ready
from tests.studies import make_instance, make_study
from tests.transfers import make_transfer

STUDY = "1.2.826.0.1.3680043.8.498.4711"


@pytest.fixture
def transfer(tmp_path):
    return make_transfer(tmp_path, study_uid=STUDY, settings={"study_idle_seconds": 5})


@pytest.fixture
def raw(tmp_path):
    return tmp_path / "raw" / STUDY


def states(transfer):
    return {i.id: (i.state, i.reason) for i in transfer.ledger.instances(transfer.id)}


def incoming(transfer):
    return {p.name for p in transfer.workspace.folder("incoming").iterdir()}


def test_a_study_of_links_is_brought_in_without_its_indexes(transfer, raw, tmp_path):
    files = make_study(tmp_path / "archive", STUDY)
    for sop_uid, path in files.items():
        link = raw / path.parent.name / sop_uid
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)
        (raw / f"{path.parent.name}.json").write_text("{}")
    told = []
    counts = pull_study(transfer, None, lambda done, total: told.append((done, total)))
    assert (counts.received, counts.held, counts.skipped) == (6, 0, 0)
    assert incoming(transfer) == {f"{transfer.instance_id(uid)}.dcm" for uid in files}
    for uid, path in files.items():
        assert (transfer.workspace.folder("incoming") / f"{transfer.instance_id(uid)}.dcm").samefile(path)
    assert transfer.ledger.find(transfer.id).expected == 6
    assert told[-1] == (6, 6)
    sizes = {i.id: i.size for i in transfer.ledger.instances(transfer.id)}
    assert sizes == {transfer.instance_id(uid): path.stat().st_size for uid, path in files.items()}
    # again: nothing is done
    shutil.rmtree(raw)
    assert pull_study(transfer, None) == counts


def test_what_has_no_uid_is_brought_in_under_its_path(transfer, raw):
    make_study(raw, STUDY, 1, 1)
    (raw / "notes.txt").write_text("hello")
    (raw / "empty.dcm").touch()
    (raw / "report.json").write_text("{}")  # not a series index
    assert pull_study(transfer, None).received == 4
    for name in ("notes.txt", "empty.dcm", "report.json"):
        assert f"{transfer.instance_id(name)}.dcm" in incoming(transfer)


def test_a_link_that_leads_nowhere_is_named_and_can_be_listed(transfer, raw, tmp_path):
    files = make_study(raw, STUDY, 1, 2)
    lost = next(iter(files.values()))
    lost.rename(tmp_path / "moved")
    lost.symlink_to(tmp_path / "gone")
    with pytest.raises(TransferIncomplete) as caught:
        pull_study(transfer, None)
    text = str(caught.value)
    relative = str(lost.relative_to(raw))
    assert transfer.instance_id(relative) in text
    assert "1 of 2" in text
    assert not any(uid in text for uid in (STUDY, lost.name, lost.parent.name))
    # the command of the message, run as an operator would
    command = text[text.index("find -L") :]
    listed = subprocess.run(["bash", "-c", command], cwd=raw, capture_output=True, text=True, check=True).stdout
    assert listed.splitlines() == [f"./{relative}"]
    assert not transfer.workspace.complete("incoming")
    lost.unlink()
    (tmp_path / "moved").rename(lost)
    assert pull_study(transfer, None).received == 2


def test_duplicates(transfer, raw):
    same, other = generate_uid(), generate_uid()
    a = make_instance(raw / "a", STUDY, "1.2.1", same)
    shutil.copyfile(a, raw / "b")
    make_instance(raw / "c", STUDY, "1.2.1", other)
    make_instance(raw / "d", STUDY, "1.2.1", other, size=64)
    make_instance(raw / "e", STUDY, "1.2.1", generate_uid())
    counts = pull_study(transfer, None)
    assert (counts.received, counts.skipped, counts.held) == (5, 1, 2)
    found = states(transfer)
    assert found[transfer.instance_id(same)][0] == InstanceState.RECEIVED
    assert found[transfer.instance_id("b")] == (InstanceState.SKIPPED, "duplicate")
    for conflicting in (other, "d"):
        assert found[transfer.instance_id(conflicting)][0] == InstanceState.HELD
        assert f"{transfer.instance_id(conflicting)}.dcm" in incoming(transfer)


def test_a_pipe_is_held_and_not_read(transfer, raw):
    make_study(raw, STUDY, 1, 1)
    os.mkfifo(raw / "pipe")
    assert pull_study(transfer, None).held == 1
    assert states(transfer)[transfer.instance_id("pipe")][0] == InstanceState.HELD


def test_a_circle_of_links_ends(transfer, raw):
    make_study(raw, STUDY, 1, 2)
    (raw / "again").symlink_to(raw)
    assert pull_study(transfer, None).received == 2


def test_what_a_killed_try_left_is_not_trusted(transfer, raw):
    files = make_study(raw, STUDY, 1, 1)
    (uid,) = files
    partial = transfer.workspace.partial("incoming")
    partial.mkdir(parents=True)
    (partial / f"{transfer.instance_id(uid)}.dcm").write_bytes(b"older")
    pull_study(transfer, None)
    assert (transfer.workspace.folder("incoming") / f"{transfer.instance_id(uid)}.dcm").samefile(files[uid])


def test_a_study_that_is_not_there(transfer, raw):
    assert not study_is_ready(transfer, None)
    with pytest.raises(StudyNotFound) as caught:
        pull_study(transfer, None)
    assert STUDY not in str(caught.value)
    raw.mkdir(parents=True)
    assert not study_is_ready(transfer, None)


def test_a_study_is_ready_when_nothing_changed_for_a_while(transfer, raw, tmp_path):
    file = next(iter(make_study(raw, STUDY, 1, 1).values()))
    now = time.time()

    def age(path, seconds, **options):
        os.utime(path, (now - seconds, now - seconds), **options)

    paths = [file, file.parent, raw]
    assert not study_is_ready(transfer, None)
    for path in paths:
        age(path, 60)
    assert study_is_ready(transfer, None)
    for path in paths:
        age(path, 1)
        assert not study_is_ready(transfer, None)
        age(path, 60)
    # an old link to a file that still grows
    growing = tmp_path / "growing"
    growing.write_bytes(b"x")
    (raw / "link").symlink_to(growing)
    age(raw / "link", 60, follow_symlinks=False)
    age(raw, 60)
    assert not study_is_ready(transfer, None)
    age(growing, 60)
    assert study_is_ready(transfer, None)
    age(growing, -3600)  # a wrong clock
    assert study_is_ready(transfer, None)
