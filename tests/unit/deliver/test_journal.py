import pytest

from airlock.deliver.files import path_of
from airlock.deliver.journal import Journal
from airlock.errors import TransferIncomplete
from airlock.ledger import InstanceUpdate
from airlock.workspace import Workspace


def test_what_the_ledger_does_not_know_is_left(tmp_path):
    path = tmp_path / "journal"
    with Journal(path, 1) as journal:
        assert journal.left.answered == {}
        for instance in ("a", "b", "c", "d"):
            journal.sending(instance)
            if instance != "d":
                journal.answered(instance, {"b": 0xA700, "c": None}.get(instance, 0))
    left = Journal(path, 1).left
    assert left.answered == {"a": 0, "b": 0xA700, "c": -1}
    assert left.unanswered == ["d"]
    assert Journal(path, 2).left.answered == {}


def test_answers_are_forgotten_when_recorded_and_doubts_are_not(tmp_path):
    path = tmp_path / "journal"
    with Journal(path, 1) as journal:
        journal.sending("a")
        journal.answered("a", 0)
        journal.sending("b")
        journal.recorded()
    left = Journal(path, 1).left
    assert left.answered == {}
    assert left.unanswered == ["b"]


def test_a_torn_line_is_ignored(tmp_path):
    path = tmp_path / "journal"
    path.write_text("1 sending a\n1 answered a 0\n1 sending b\n1 answ")
    left = Journal(path, 1).left
    assert (left.answered, left.unanswered) == ({"a": 0}, ["b"])


def test_paths_may_name_the_folder_or_not_and_lead_nowhere_else(tmp_path):
    workspace = Workspace(tmp_path)
    expected = tmp_path / "deidentified" / "1.2" / "3.4" / "5.6.dcm"
    assert path_of(workspace, InstanceUpdate("i", path="1.2/3.4/5.6.dcm")) == expected
    assert path_of(workspace, InstanceUpdate("i", path="deidentified/1.2/3.4/5.6.dcm")) == expected
    for path in (None, "", "/etc/passwd", "../incoming/x.dcm", "1.2/../../x"):
        with pytest.raises(TransferIncomplete):
            path_of(workspace, InstanceUpdate("i", path=path))
