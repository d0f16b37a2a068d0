"""Archives have FIONA's names, and keep what is there."""

import errno
import json
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from airlock.errors import RetryableError
from airlock.request.archive import archive_done, archive_duplicate, archive_failed, reject, safe_name
from airlock.request.store import StoredRequest

NAME = "1.2.3_Demo_S-1_1.json"
CONTENT = '{"study_instance_uid": "1.2.3", "unknown": "kept"}'


def stored(name=NAME, content=CONTENT):
    return StoredRequest(name, content, datetime(2026, 1, 31, tzinfo=UTC))


def listing(folder):
    return sorted(path.name for path in folder.iterdir())


def test_done(tmp_path):
    path = archive_done(tmp_path, stored())
    assert path.parent == tmp_path / "transfers_done"
    prefix, _, stamp = path.name.partition("_ok_")
    assert prefix == NAME
    datetime.strptime(stamp, "%Y-%m-%d_%H:%M.log").replace(tzinfo=UTC)
    assert path.read_text() == CONTENT
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_failed(tmp_path):
    path = archive_failed(tmp_path, stored(), {"error": "The PACS is full.", "storescu_return_code": -1})
    folder = tmp_path / "transfers_fail"
    assert listing(folder) == [f"{NAME}_fail.log", f"{NAME}_fail_messages.log"]
    assert path.read_text() == CONTENT
    assert json.loads((folder / f"{NAME}_fail_messages.log").read_text()) == {
        "error": "The PACS is full.",
        "storescu_return_code": -1,
        "request": json.loads(CONTENT),
    }


def test_nothing_is_overwritten(tmp_path):
    archive_failed(tmp_path, stored(), {"error": "first"})
    second = archive_failed(tmp_path, stored(content='{"second": 1}'), {"error": "second"})
    folder = tmp_path / "transfers_fail"
    assert second.name == f"{NAME}_fail_2.log"
    assert (folder / f"{NAME}_fail.log").read_text() == CONTENT
    errors = [json.loads((folder / f"{NAME}_fail_messages{n}.log").read_text())["error"] for n in ("", "_2")]
    assert errors == ["first", "second"]
    done = {archive_done(tmp_path, stored()) for _ in range(3)}
    assert len(done) == 3


def test_a_pair_keeps_its_number(tmp_path):
    folder = tmp_path / "transfers_fail"
    folder.mkdir()
    (folder / f"{NAME}_fail_messages.log").write_text("alone")
    path = archive_failed(tmp_path, stored(), {"error": "e"})
    assert path.name == f"{NAME}_fail_2.log"
    assert listing(folder) == [f"{NAME}_fail_2.log", f"{NAME}_fail_messages.log", f"{NAME}_fail_messages_2.log"]
    assert (folder / f"{NAME}_fail_messages.log").read_text() == "alone"


def test_reject_moves_the_file_as_it_is(tmp_path):
    file = tmp_path / "transfer_requests" / "bad.json"
    file.parent.mkdir()
    file.write_bytes(b"\xff\x00{")
    file.chmod(0o644)
    path = reject(tmp_path, file, "The request is not UTF-8 text.")
    assert path == tmp_path / "transfers_fail" / "bad.json_fail.log"
    assert path.read_bytes() == b"\xff\x00{"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not file.exists()
    beside = json.loads((path.parent / "bad.json_fail_messages.log").read_text())
    assert beside["error"] == "The request is not UTF-8 text."


def test_a_duplicate(tmp_path):
    file = tmp_path / NAME
    file.write_text(CONTENT)
    path = archive_duplicate(tmp_path, file)
    assert path is not None
    assert path.name.startswith(f"{NAME}_duplicate_")
    assert path.read_text() == CONTENT
    assert not file.exists()


def test_a_file_that_is_gone_leaves_nothing(tmp_path):
    assert reject(tmp_path, tmp_path / "gone.json", "r") is None
    assert archive_duplicate(tmp_path, tmp_path / "gone.json") is None
    assert listing(tmp_path / "transfers_fail") == []
    assert listing(tmp_path / "transfers_done") == []


def test_another_file_system(tmp_path, monkeypatch):
    file = tmp_path / NAME
    file.write_text(CONTENT)
    replace = Path.replace

    def refuse_first(self, target):
        if self == file:
            raise OSError(errno.EXDEV, "Invalid cross-device link", str(self))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuse_first)
    path = reject(tmp_path, file, "r")
    assert path is not None
    assert path.read_text() == CONTENT
    assert not file.exists()
    assert not list(path.parent.glob(".*"))


@pytest.mark.parametrize(
    "name",
    [
        "x" * 250 + ".json",
        "ø" * 125 + ".json",
        os.fsdecode(b"\xff" * 250 + b".json"),
        os.fsdecode(b"\xe6\xf8.json"),
        "two\nlines.json",
        "a b 'c' \"d\" $(e).json",
        "\u202e.json",
    ],
    ids=range(7),
)
def test_hostile_names(tmp_path, name):
    file = tmp_path / name
    file.write_text(CONTENT)
    path = reject(tmp_path, file, "r")
    assert path is not None
    assert path.parent == tmp_path / "transfers_fail"
    assert not any(ord(c) < 32 for c in path.name)
    for _ in range(2):
        assert archive_done(tmp_path, stored(name)).read_text() == CONTENT
        archive_failed(tmp_path, stored(name), {"error": "e"})


def test_a_name_from_elsewhere_cannot_leave_the_folder(tmp_path):
    assert archive_done(tmp_path, stored("../../x/\x00.json")).parent == tmp_path / "transfers_done"


def test_long_names_stay_different():
    names = {safe_name("x" * 250 + str(n)) for n in range(3)}
    assert len(names) == 3
    assert all(len(name) <= 215 for name in names)


def test_the_error_does_not_name_the_file(tmp_path):
    (tmp_path / "transfers_done").write_text("a file where the folder should be")
    with pytest.raises(RetryableError, match="AIRLOCK_PROC") as caught:
        archive_done(tmp_path, stored())
    assert "1.2.3" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_messages_that_are_not_json(tmp_path):
    path = archive_failed(tmp_path, stored(content="{broken \ud800"), {"error": Path("x")})
    messages = json.loads((path.parent / f"{NAME}_fail_messages.log").read_text())
    assert messages["error"] == "x"
    assert messages["request"].startswith("{broken")
