"""The workspace: a folder is whole or not there."""

import os
import stat
import threading

import pytest

from airlock.workspace import Workspace, link_or_copy, write_atomically


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "transfer-x")


def test_a_folder_appears_when_it_is_complete(workspace):
    with workspace.writing("incoming") as folder:
        (folder / "a.dcm").write_bytes(b"a")
        assert not workspace.complete("incoming")
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert workspace.complete("incoming")
    assert (workspace.folder("incoming") / "a.dcm").read_bytes() == b"a"
    assert not workspace.partial("incoming").exists()


def test_what_a_failed_try_wrote_stays_apart_for_the_next(workspace):
    def fail():
        with workspace.writing("rewritten") as folder:
            (folder / "a").touch()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not workspace.complete("rewritten")
    with workspace.writing("rewritten") as folder:
        assert [path.name for path in folder.iterdir()] == ["a"]


def test_an_older_result_is_replaced_as_a_whole(workspace):
    for name in ("old", "new"):
        with workspace.writing("report") as folder:
            (folder / name).touch()
    assert [path.name for path in workspace.folder("report").iterdir()] == ["new"]


def test_remove_and_purge(workspace):
    for name in ("incoming", "findings"):
        with workspace.writing(name) as folder:
            (folder / "a").touch()
    workspace.partial("flagged").mkdir()
    workspace.remove("incoming", "flagged", "report")
    assert [path.name for path in workspace.root.iterdir()] == ["findings"]
    workspace.purge()
    assert not workspace.root.exists()
    workspace.purge()


def test_a_link_is_the_same_file(tmp_path):
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_bytes(b"x")
    target.write_bytes(b"older")
    (tmp_path / ".b.part").write_bytes(b"left by a killed try")
    link_or_copy(source, target)
    assert target.samefile(source)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_link_to_a_link_is_the_file_itself(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    link_or_copy(tmp_path / "link", tmp_path / "b")
    assert not (tmp_path / "b").is_symlink()
    assert (tmp_path / "b").read_bytes() == b"x"
    (tmp_path / "broken").symlink_to(tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        link_or_copy(tmp_path / "broken", tmp_path / "c")


def test_a_copy_where_links_are_not_possible(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "a").write_bytes(b"x")
    link_or_copy(tmp_path / "a", tmp_path / "b")
    assert not (tmp_path / "b").samefile(tmp_path / "a")
    assert (tmp_path / "b").read_bytes() == b"x"


def test_a_small_file_is_whole_and_private(tmp_path):
    target = tmp_path / ("n" * 250)
    contents = [str(n) * 20_000 for n in range(8)]
    threads = [threading.Thread(target=write_atomically, args=(target, content)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert target.read_text() in contents
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    write_atomically(target, b"\x00")
    assert target.read_bytes() == b"\x00"
