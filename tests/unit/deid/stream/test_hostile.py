"""Hostile files are held or delivered in bounded time and memory; neither engine crashes."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.uid import ExplicitVRLittleEndian

from airlock.deid.batch import Refused, Task, deidentify_all, harvest_all
from airlock.deid.folder import FolderRun
from airlock.deid.instance import Deidentifier
from airlock.deid.recipe import Recipe, Written
from airlock.deid.stream import file as engine
from airlock.dicomio import copying, moving
from airlock.identity.evidence import Evidence
from airlock.identity.keys import KeyRing
from airlock.project import ProjectPolicy
from airlock.workers import Workers
from tests.synthetic import ct
from tests.unit.deid.stream.conftest import Both
from tests.unit.deid.stream.test_equal import element, encoded, part10

_IDENTITY = (
    element(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.2\0", implicit=False)
    + element(0x00080018, "UI", b"1.2.276.5\0", implicit=False)
    + element(0x0020000D, "UI", b"1.2.276.6\0", implicit=False)
    + element(0x0020000E, "UI", b"1.2.276.7\0", implicit=False)
)
_OPEN = b"\x00\x52\x29\x92SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
_CLOSE = b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"


def nested(levels: int, *, defined: bool) -> bytes:
    """Return a file with sequences in each other."""
    if not defined:
        return part10(_IDENTITY + _OPEN * levels + _CLOSE * levels, ExplicitVRLittleEndian)
    body = element(0x00100010, "PN", b"Quillfeather", implicit=False)
    for _ in range(levels):
        item = b"\xfe\xff\x00\xe0" + struct.pack("<I", len(body)) + body
        body = element(0x52009229, "SQ", item, implicit=False)
    return part10(_IDENTITY + body, ExplicitVRLittleEndian)


@pytest.mark.parametrize("defined", [False, True])
@pytest.mark.parametrize("levels", [20, 60, 1000, 5000])
def test_deep_nesting(both: Both, levels: int, defined: bool) -> None:
    outcome = both(nested(levels, defined=defined))
    assert len(outcome) > 1 or levels > 60, "held"
    assert b"Quillfeather" not in (outcome[0] if isinstance(outcome[0], bytes) else b"")


def test_deep_reports(both: Both) -> None:
    content = struct.pack("<HH", 0x0040, 0xA730)
    for levels in (60, 2000):
        outcome = both(nested(levels, defined=True).replace(b"\x00\x52\x29\x92SQ", content + b"SQ"))
        assert len(outcome) > 1 or levels > 60, "held"


def test_links_that_lead_to_no_file_are_held(tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    (source / "a").mkdir(parents=True)
    (source / "gone").symlink_to(tmp_path / "nothing")
    (source / "itself").symlink_to(source / "itself")
    (source / "folder").symlink_to(source / "a")
    outcomes = list(FolderRun(source, target, ProjectPolicy(name="P"), KeyRing(b"k" * 32)).run())
    assert {outcome.name: outcome.kind for outcome in outcomes} == dict.fromkeys(("gone", "itself", "folder"), "held")


def test_forty_thousand_elements(both: Both) -> None:
    private = b"".join(
        element(group << 16 | number, "LO", b"Zebedee ", implicit=False)
        for group in (0x0009, 0x0011)
        for number in range(0x1000, 0x6000)
    )
    assert len(private) > 1 << 19
    made = both(_in_order(private), streamed=True)[0]
    assert isinstance(made, bytes)
    assert b"Zebedee" not in made


def _in_order(private: bytes) -> bytes:
    start = _IDENTITY.index(b"\x20\0\x0d\0")
    return part10(_IDENTITY[:start] + private + _IDENTITY[start:], ExplicitVRLittleEndian)


@pytest.fixture
def recipe() -> Recipe:
    return Recipe(KeyRing(b"k" * 32), "P", "S-1", "", "2026d", (), -1, Evidence())


def test_workers_survive_hostile_files(tmp_path: Path, recipe: Recipe) -> None:
    files = {
        "good": encoded(ct(1)),
        "deep": nested(5000, defined=False),
        "long": _in_order(b"") + element(0x50003000, "OB", b"ab", implicit=False, length=3 << 30),
        "text": b"Zebedee Quillfeather",
        "other": encoded(ct(2)),
    }
    tasks = []
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        tasks.append(Task(name, tmp_path / name, name=f"{name}.dcm"))
    with Workers(1) as pool:
        harvested = {task.key: result for task, result in harvest_all(pool, tasks)}
        results = {task.key: result for task, result in deidentify_all(pool, recipe, tmp_path / "out", tasks)}
    assert {name for name, result in results.items() if isinstance(result, Written)} == {"good", "other"}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["good.dcm", "other.dcm"]
    reasons = " ".join(result.reason for result in results.values() if isinstance(result, Refused))
    assert "Zebedee" not in reasons
    assert {name for name, result in harvested.items() if isinstance(result, Evidence)} >= {"good", "other"}


def test_a_file_of_more_than_four_gigabytes_is_streamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: Recipe
) -> None:
    # Encapsulated, because a native length has 32 bits: two fragments, together longer than that.
    one = (2 << 30) + (1 << 19)
    with (tmp_path / "large").open("wb") as file:
        file.write(_in_order(b"") + element(0x7FE00010, "OB", b"", implicit=False, length=0xFFFFFFFF))
        file.write(b"\xfe\xff\x00\xe0\0\0\0\0")
        for _ in range(2):
            file.write(b"\xfe\xff\x00\xe0" + struct.pack("<I", one))
            file.seek(one, os.SEEK_CUR)
        file.write(b"\xfe\xff\xdd\xe0\0\0\0\0")
    moved: list[tuple[int, int]] = []

    def hole(_source: int, target: int, offset: int, size: int) -> None:
        moved.append((offset, size))
        os.ftruncate(target, os.lseek(target, size, os.SEEK_CUR))

    monkeypatch.setattr(engine, "move_bytes", hole)
    deidentifier = Deidentifier(recipe)
    written = deidentifier.process(tmp_path / "large", tmp_path, pixels_rewritten=False, name="out.dcm")
    assert deidentifier.left_to_plain == 0
    assert written.size == (tmp_path / "out.dcm").stat().st_size > 4 << 30
    assert moved[0][1] == 2 * one + 32
    assert sum(moved[-1]) == (tmp_path / "large").stat().st_size


@pytest.mark.parametrize("move", [moving.move_bytes, moving._move_through_memory])
def test_a_file_that_becomes_shorter_leaves_nothing(tmp_path: Path, move: Callable[..., None]) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    source = os.open(tmp_path / "a", os.O_RDONLY)
    with pytest.raises(OSError, match="shorter"), copying.NewFile(f"{tmp_path}/b") as target:
        move(source, target, 0, 10)
    os.close(source)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
