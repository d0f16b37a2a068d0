"""Outputs come where they belong: by the folder where all of it may go out, one by one where not."""

from __future__ import annotations

from pathlib import Path

import pytest

from airlock.deid.places import Places, remove
from airlock.deid.recipe import Written


@pytest.fixture
def pending(tmp_path: Path) -> Path:
    for name in ("pending/1.2/1.3", "out"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path / "pending"


def made(pending: Path, place: str, path: str | None = None, content: str = "") -> Written:
    (pending / (path or place)).write_text(content or place)
    return Written(path or place, place, "1.2.840", "1.4", 1, 0)


def files(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_goes_as_a_whole(pending: Path) -> None:
    outputs = [made(pending, f"1.2/1.3/{n}.dcm") for n in range(3)]
    places = Places(str(pending), str(pending.parent / "out"))
    places.put_folders(outputs)
    expected = {output.place: output.place for output in outputs}
    assert files(pending.parent / "out") == expected
    assert [places.put("in", output, output.place).kind for output in outputs] == ["out"] * 3
    assert files(pending.parent / "out") == expected
    remove(str(pending))
    assert not pending.exists()


def test_what_nobody_told_of_stays_behind(pending: Path) -> None:
    output = made(pending, "1.2/1.3/1.dcm")
    made(pending, "1.2/1.3/2.dcm", content="half of")
    places = Places(str(pending), str(pending.parent / "out"))
    places.put_folders([output])
    assert places.put("in", output, output.place).kind == "out"
    assert files(pending.parent / "out") == {"1.2/1.3/1.dcm": "1.2/1.3/1.dcm"}
    remove(str(pending))
    assert not pending.exists()


def test_what_stays_behind_is_not_counted_for_what_is_elsewhere(pending: Path) -> None:
    outputs = [made(pending, "1.2/1.3/1.dcm"), made(pending, "1.2/1.3/2.dcm", "7.dcm")]
    made(pending, "1.2/1.3/3.dcm", content="half of")
    places = Places(str(pending), str(pending.parent / "out"))
    places.put_folders(outputs)
    assert [places.put("in", output, output.place).kind for output in outputs] == ["out", "out"]
    assert sorted(files(pending.parent / "out")) == ["1.2/1.3/1.dcm", "1.2/1.3/2.dcm"]


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("other_first", [True, False])
def test_of_two_of_one_place_the_first_goes_out(pending: Path, same: bool, other_first: bool) -> None:
    outputs = [made(pending, "1.2/1.3/1.dcm", content="a")]
    outputs.append(made(pending, "1.2/1.3/1.dcm", "7.dcm", "a" if same else "b"))
    if other_first:
        outputs.reverse()
    content = (pending / outputs[0].path).read_text()
    places = Places(str(pending), str(pending.parent / "out"))
    places.put_folders(outputs)
    kinds = [places.put("in", output, output.place).kind for output in outputs]
    assert kinds == ["out", "skipped" if same else "held"]
    assert files(pending.parent / "out") == {"1.2/1.3/1.dcm": content}


def test_a_folder_that_is_there_is_added_to(pending: Path) -> None:
    (pending.parent / "out/1.2/1.3").mkdir(parents=True)
    (pending.parent / "out/1.2/1.3/0.dcm").write_text("before")
    output = made(pending, "1.2/1.3/1.dcm")
    places = Places(str(pending), str(pending.parent / "out"))
    places.put_folders([output])
    assert places.put("in", output, output.place).kind == "out"
    assert files(pending.parent / "out") == {"1.2/1.3/0.dcm": "before", "1.2/1.3/1.dcm": "1.2/1.3/1.dcm"}
