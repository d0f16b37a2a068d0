"""What is called without click is what click would have called."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydicom.filewriter import dcmwrite

from airlock.cli import deidentify, direct, direct_verify, folder, verify, verifying
from tests.commands import airlock
from tests.synthetic import ct

Call = tuple[tuple[Any, ...], dict[str, Any]]


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """Note what the work is called with, by either way, in place of doing it."""
    found: list[Call] = []

    def note(*arguments: object, **options: object) -> int:
        def plain(value: object) -> object:
            return str(value) if isinstance(value, Path) else value

        found.append((tuple(map(plain, arguments)), {name: plain(value) for name, value in options.items()}))
        return 0

    monkeypatch.setattr(folder, "deidentify_folder", note)
    monkeypatch.setattr(deidentify, "deidentify_folder", note)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "file").touch()
    return found


DIRECT = (
    ["in", "out", "--project", "P"],
    ["--project=P", "in", "out"],
    ["in", "--project", "P", "--keep-paths", "out", "--subject", "S-1"],
    ["in", "out", "--project", "P", "--uid-map", "u.csv", "--patid-map=p.csv", "--report", "r"],
    ["in", "out", "--project", "A", "--project", "B"],
    ["in", "out", "--project", "P", "--dry-run"],
    ["in", "out", "--no-store", "--project", "P"],
)
LEFT = (
    ["in", "out"],
    ["in", "out", "--project", "P", "--no-store", "--dry-run"],
    ["in", "out", "--project"],
    ["in", "out", "--project", "P", "--help"],
    ["in", "out", "--project", "P", "--unknown"],
    ["in", "out", "more", "--project", "P"],
    ["absent", "out", "--project", "P"],
    ["in", "file", "--project", "P"],
    ["file", "out", "--project", "P"],
    ["in", "out", "--project", "P", "--report", "in"],
    ["in", "out", "--project", "-P"],
    ["in", "out", "--keep-paths=yes", "--project", "P"],
    ["in", "", "--project", "P"],
    ["--", "in", "out", "--project", "P"],
)


@pytest.mark.parametrize("arguments", DIRECT)
def test_both_ways_are_the_same(calls: list[Call], arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert direct.find_direct(["deidentify", *arguments]) is not None
    assert airlock("deidentify", *arguments).status == 0
    monkeypatch.setattr(direct, "find_direct", lambda _arguments, **_options: None)
    assert airlock("deidentify", *arguments).status == 0
    assert calls[0] == calls[1]


@pytest.mark.parametrize("arguments", LEFT)
@pytest.mark.usefixtures("calls")
def test_what_is_not_plainly_right_is_left(arguments: list[str]) -> None:
    assert direct.find_direct(["deidentify", *arguments]) is None


def test_every_option_is_known() -> None:
    options = {name: option for option in deidentify.command.params for name in option.opts if name.startswith("--")}
    assert set(options) == {*direct.VALUES, *direct.FLAGS}
    assert {name for name, option in options.items() if getattr(option, "is_flag", False)} == set(direct.FLAGS)


def test_other_commands_are_left() -> None:
    assert direct.find_direct([]) is None
    assert direct.find_direct(["--help"]) is None
    assert direct.find_direct(["project", "list"]) is None


@pytest.fixture
def verifications(calls: list[Call], monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """The same for `airlock verify`."""
    monkeypatch.setattr(verifying, "verify_folder", folder.deidentify_folder)
    monkeypatch.setattr(verify, "verify_folder", folder.deidentify_folder)
    Path("out").mkdir()
    return calls


@pytest.mark.parametrize(
    "arguments",
    [
        ["out", "--against", "in", "--project", "P"],
        ["--project=P", "--against=in", "out"],
        ["out", "--against", "in", "--project", "P", "--subject", "S-1", "--report", "r"],
    ],
)
def test_both_ways_to_verify_are_the_same(
    verifications: list[Call], arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert direct.find_direct(["verify", *arguments]) is not None
    assert airlock("verify", *arguments).status == 0
    monkeypatch.setattr(direct, "find_direct", lambda _arguments, **_options: None)
    assert airlock("verify", *arguments).status == 0
    assert verifications[0] == verifications[1]


@pytest.mark.parametrize(
    "arguments",
    [
        ["out", "--against", "in"],
        ["out", "--project", "P"],
        ["out", "more", "--against", "in", "--project", "P"],
        ["out", "--against", "absent", "--project", "P"],
        ["file", "--against", "in", "--project", "P"],
        ["out", "--against", "in", "--project", "P", "--help"],
        ["out", "--against", "in", "--project", "P", "--report", "file"],
        ["out", "--against", "in", "--project", "P", "--report", "absent/r"],
    ],
)
@pytest.mark.usefixtures("verifications")
def test_what_is_not_plainly_to_be_verified_is_left(arguments: list[str]) -> None:
    assert direct.find_direct(["verify", *arguments]) is None


def test_every_option_of_verification_is_known() -> None:
    options = {name for option in verify.command.params for name in option.opts if name.startswith("--")}
    assert options == set(direct_verify.VALUES)


def test_what_is_imported_late_is_there_when_it_is_used() -> None:
    code = (
        "import sys\nfrom airlock.cli.direct import _postpone\n_postpone('colorsys')\nimport colorsys\n"
        "print(type(colorsys).__name__)\nprint(colorsys.rgb_to_hsv(1, 1, 1)[2])\nimport colorsys\n"
        "print(type(colorsys).__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["_Postponed", "1", "module"]


@pytest.mark.parametrize("registered", [False, True])
def test_whoever_waits_for_the_end_is_told_of_it(tmp_path: Path, registered: bool) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x").write_text("no DICOM")
    program = "import atexit, sys; from airlock.cli import main\n"
    program += "atexit.register(print, 'told')\n" if registered else ""
    arguments = ["deidentify", str(tmp_path / "in"), str(tmp_path / "out"), "--project", "P"]
    environment = {**os.environ, "AIRLOCK_HOME": str(tmp_path / "home"), "AIRLOCK_PROJECTS": str(tmp_path / "none")}
    command = [sys.executable, "-c", program + "main()", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 3
    assert done.stdout.splitlines() == ["in 1 / out 0 / skipped 0 / held 1", *(["told"] if registered else [])]


def test_what_takes_long_to_import_is_not_imported(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    dcmwrite(tmp_path / "in" / "1.dcm", ct(), enforce_file_format=True)
    assert airlock_imports(tmp_path, ["deidentify", str(tmp_path / "in"), str(tmp_path / "out")]) == [
        "in 1 / out 1 / skipped 0 / held 0",
        "[]",
    ]
    assert airlock_imports(tmp_path, ["verify", str(tmp_path / "out"), "--against", str(tmp_path / "in")]) == [
        "in 1 / out 1 / pass 1 / review 0 / fail 0 / inputs without output 0",
        "[]",
    ]


def test_what_only_workers_need_is_not_imported_before_there_are_workers() -> None:
    program = "import sys, airlock.deid.folder, airlock.verify.folder\n"
    program += "print(sorted({'airlock.workers', 'mmap', 'select'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "['airlock.workers']\n"


def airlock_imports(root: Path, arguments: list[str]) -> list[str]:
    """Run a command twice; return what the second run says, and what was imported that takes long."""
    unwanted = "pathlib dataclasses ast logging pickle subprocess tempfile shutil click pydicom pydantic sqlalchemy"
    unwanted += " typing json datetime math"
    program = "import atexit, sys; from airlock.cli import main\n"
    program += f"atexit.register(lambda: print(sorted(set('{unwanted}'.split()) & sys.modules.keys())))\n"
    # Given arguments, it does not fork: what the fork imports would not be seen here.
    program += "main(sys.argv[1:])"
    environment = {**os.environ, "AIRLOCK_HOME": str(root / "home"), "AIRLOCK_PROJECTS": str(root / "none")}
    for _ in range(2):  # the first run makes the key
        command = [sys.executable, "-c", program, *arguments, "--project", "P"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert not [line for line in done.stderr.splitlines() if not line.startswith("No policy describes")]
    return done.stdout.splitlines()
