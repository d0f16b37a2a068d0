"""Files appear complete or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from airlock.dicomio.copying import HiddenFile, NewFile, write_all


def break_off(file: HiddenFile | NewFile) -> None:
    with file as descriptor:
        write_all(descriptor, b"half of")
        raise OSError("broken")


def test_a_hidden_file_goes_when_it_fails(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="broken"):
        break_off(HiddenFile(str(tmp_path), "a/b.dcm", "1.dcm"))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_hidden_file_never_takes_the_place_of_another(tmp_path: Path) -> None:
    for content, expected in ((b"one", "a/b.dcm"), (b"two", "2.dcm")):
        with (new := HiddenFile(str(tmp_path), "a/b.dcm", "2.dcm")) as descriptor:
            write_all(descriptor, content)
        assert new.path == expected
    with pytest.raises(FileExistsError), HiddenFile(str(tmp_path), "a/b.dcm", "2.dcm"):
        pass
    assert [(tmp_path / name).read_bytes() for name in ("a/b.dcm", "2.dcm")] == [b"one", b"two"]


def test_a_new_file_has_no_other_name_when_it_fails(tmp_path: Path) -> None:
    (tmp_path / "b.dcm").write_bytes(b"before")
    with pytest.raises(OSError, match="broken"):
        break_off(NewFile(f"{tmp_path}/b.dcm"))
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("b.dcm", b"before")]
