"""A plain `airlock send` is called without click, and means what click would have made of it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from airlock.cli import direct, send, sending
from airlock.dicomio.peer import Peer
from tests.commands import airlock

TO = ("--host", "pacs", "--port", "104")
DIRECT = (
    ["in", *TO],
    ["--host=pacs", "in", "--port=104"],
    ["file", *TO, "--called-aet", "PACS", "--calling-aet", "US"],
    ["in", *TO, "--port", "105"],
)
LEFT = (
    ["in"],
    ["in", "--host", "pacs"],
    ["in", "--host", "pacs", "--port", "0"],
    ["in", "--host", "pacs", "--port", "65536"],
    ["in", "--host", "pacs", "--port", "1e3"],
    ["in", "--host", "pacs", "--port", "٣"],
    ["in", "--host", "", "--port", "104"],
    ["in", "--port", "104", "--host"],
    ["in", "more", *TO],
    ["absent", *TO],
    ["in", *TO, "--tls"],
    ["in", *TO, "--associations", "2"],
    ["in", *TO, "--help"],
    ["in", *TO, "--unknown", "x"],
    ["in", "--host", "-h", "--port", "104"],
    [*TO],
)


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """Note what would be sent where, by either way, in place of sending it."""
    found = []

    def note(peer, source):
        found.append((peer, str(source)))
        return 0

    monkeypatch.setattr(sending, "send_folder", note)
    monkeypatch.setattr(send, "send_folder", note)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "file").touch()
    return found


@pytest.mark.parametrize("arguments", DIRECT, ids=" ".join)
def test_plain_arguments_mean_the_same_without_click(arguments, calls):
    work = direct.find_direct(["send", *arguments])
    assert work is not None
    assert work() == 0
    assert send.command.main(arguments, standalone_mode=False) is None
    assert calls[0] == calls[1]
    assert isinstance(calls[0][0], Peer)


@pytest.mark.parametrize("arguments", LEFT, ids=" ".join)
def test_the_rest_is_left_to_click(arguments, calls):
    assert direct.find_direct(["send", *arguments]) is None


def test_a_wrong_title_is_refused_by_either(calls):
    result = airlock("send", "in", *TO, "--called-aet", "a title that is too long")
    assert result.status == 2
    assert "called_aet is not an AE title" in result.stderr


def test_sending_imports_no_library_and_little_of_the_standard_one():
    code = (
        "import sys; from airlock.cli.direct import find_direct; "
        "assert find_direct(['send', '/', '--host', 'h', '--port', '1']); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    heavy = {"click", "pydicom", "pynetdicom", "sqlalchemy", "pydantic", "rich", "logging", "pathlib", "ssl", "queue"}
    assert "airlock.dicomio.wire.sender" in loaded
    assert not heavy & loaded


def test_files_are_in_order_of_path_and_links_are_followed_to_files_only(tmp_path):
    for name in ("b/2", "b/10", "b-c/1", "a"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "in" / "c").symlink_to(tmp_path / "in" / "a")
    (tmp_path / "in" / "d").symlink_to(tmp_path / "in" / "b")
    found = [path.removeprefix(f"{tmp_path}/in/") for path in sending._files(str(tmp_path / "in"))]
    assert found == ["a", "b/10", "b/2", "b-c/1", "c"]
    assert sending._files(str(tmp_path / "in" / "a")) == [str(tmp_path / "in" / "a")]
