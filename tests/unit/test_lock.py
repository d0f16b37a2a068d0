"""The lock: it agrees with what was asked for, has hashes for everything, and installs for every supported Python."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import canonicalize_name, parse_wheel_filename

ROOT = Path(__file__).parents[2]
LOCKS = {
    "requirements.in": "requirements.txt",
    "requirements-dev.in": "requirements-dev.txt",
    "images/pixel-rewriter/requirements.in": "images/pixel-rewriter/requirements.txt",
}
MAIN, DEV, IMAGE = LOCKS.values()
INSTALLED_ON = [(MAIN, "3.11"), (MAIN, "3.12"), (DEV, "3.11"), (DEV, "3.12"), (IMAGE, "3.11")]
SHA256 = re.compile(r"--hash=sha256:([0-9a-f]{64})(?![0-9a-f])")

Locked = dict[Requirement, set[str]]


def direct(source: str) -> list[Requirement]:
    """What a person asked for."""
    lines = (line.split("#")[0].strip() for line in (ROOT / source).read_text().splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


def locked(lock: str) -> Locked:
    """Every entry of a lock, with its hashes."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / lock).read_text(), flags=re.MULTILINE)
    entries = [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    return {Requirement(entry.split(" --hash=")[0].strip()): set(SHA256.findall(entry)) for entry in entries}


def applies(entry: Requirement, python: str) -> bool:
    """Whether an entry is installed by this Python on this machine."""
    environment = {"python_version": python, "python_full_version": f"{python}.0"}
    return entry.marker is None or entry.marker.evaluate(environment)


def version(entry: Requirement) -> str:
    """The one version an entry admits."""
    (pin,) = entry.specifier
    assert pin.operator == "=="
    assert "*" not in pin.version
    return pin.version


def pins(lock: str, python: str) -> dict[str, str]:
    """Version by name, for one Python."""
    return {canonicalize_name(entry.name): version(entry) for entry in locked(lock) if applies(entry, python)}


@pytest.mark.parametrize(("source", "lock"), LOCKS.items())
def test_the_lock_has_what_was_asked_for(source, lock):
    asked = direct(source)
    assert asked
    for python in ("3.11", "3.12") if lock != IMAGE else ("3.11",):
        versions = pins(lock, python)
        for requirement in asked:
            found = versions.get(canonicalize_name(requirement.name))
            assert found, f"{requirement.name} is not in {lock} for Python {python}: run make lock"
            assert requirement.specifier.contains(found), f"{requirement} but {found} is locked: run make lock"


@pytest.mark.parametrize("lock", LOCKS.values())
def test_every_entry_has_one_version_and_hashes(lock):
    entries = locked(lock)
    assert len(entries) > 10
    for entry, hashes in entries.items():
        assert version(entry)
        assert hashes, f"{entry.name} has no hash in {lock}"


@pytest.mark.parametrize(("other", "python"), [(DEV, "3.11"), (DEV, "3.12"), (IMAGE, "3.11")])
def test_locks_agree_where_they_share_a_package(other, python):
    # The first is installed together with the main lock; what the second masks must decode as the detector saw it.
    main, others = pins(MAIN, python), pins(other, python)
    shared = main.keys() & others.keys()
    assert shared
    assert {name: others[name] for name in shared} == {name: main[name] for name in shared}


def test_every_supported_python_is_tried():
    supported = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    tried = {python for lock, python in INSTALLED_ON if lock == MAIN}
    python = Requirement(f"python{supported}").specifier
    assert tried == {f"3.{minor}" for minor in range(50) if python.contains(f"3.{minor}")}


# From here on a package index is needed, as `make setup` needs it.


def uv(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "uv", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def dry_run(target: Path, python: str, *what: str | Path) -> subprocess.CompletedProcess[str]:
    options = ("--dry-run", "--only-binary", ":all:", "--python", sys.executable, "--python-version", python)
    return uv("pip", "install", *options, "--target", target, *what)


@pytest.fixture(scope="module")
def index(tmp_path_factory) -> None:
    """Skip when no package index answers; fail when CI=true."""
    asked = dry_run(tmp_path_factory.mktemp("probe"), "3.11", "--no-deps", "--refresh", "pip")
    if asked.returncode == 0:
        return
    message = f"no package index answers: {asked.stderr.strip()[-300:]}"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(message)
    pytest.skip(message)


@pytest.mark.network
@pytest.mark.parametrize(("lock", "python"), INSTALLED_ON)
def test_the_lock_installs_from_wheels_and_lacks_nothing(index, tmp_path, lock, python):
    # Not --no-deps: with --require-hashes, a dependency that is not in the lock is an error.
    overrides = ("--override", "requirements-overrides.txt")
    done = dry_run(tmp_path / "target", python, "--require-hashes", *overrides, "-r", lock)
    assert done.returncode == 0, done.stderr
    entries = [entry for entry in locked(lock) if applies(entry, python)]
    planned = dict(re.findall(r"^ \+ (\S+)==(\S+)$", done.stderr, re.MULTILINE))
    assert planned == {canonicalize_name(entry.name): version(entry) for entry in entries}


@pytest.mark.network
@pytest.mark.parametrize("lock", LOCKS.values())
def test_the_index_offers_wheels_with_the_locked_hashes(index, tmp_path, lock):
    # A dry run doesn't download, so it doesn't compare hashes; this does.
    offers = offered(lock, tmp_path)
    for python in (python for name, python in INSTALLED_ON if name == lock):
        tags = tags_of(python)
        for entry, hashes in locked(lock).items():
            if applies(entry, python):
                wheels = offers[canonicalize_name(entry.name), version(entry)]
                fitting = {digest for name, digest in wheels.items() if tags & parse_wheel_filename(name)[3]}
                assert fitting & hashes, f"no wheel of {entry} for Python {python} has a locked hash"


def offered(lock: str, folder: Path) -> dict[tuple[str, str], dict[str, str]]:
    """What the index has of every locked version: SHA-256 by the wheel's file name."""
    (folder / "pins.in").write_text("".join(f"{entry}\n" for entry in locked(lock)))
    options = ("--universal", "--python-version", "3.11", "--no-deps", "--format", "pylock.toml", "--quiet")
    done = uv("pip", "compile", *options, folder / "pins.in", "--output-file", folder / "pylock.toml")
    assert done.returncode == 0, done.stderr
    packages = tomllib.loads((folder / "pylock.toml").read_text())["packages"]
    return {
        (canonicalize_name(package["name"]), package["version"]): {
            wheel.get("name") or wheel["url"].rsplit("/", 1)[1]: wheel["hashes"]["sha256"]
            for wheel in package.get("wheels", ())
        }
        for package in packages
    }


def tags_of(python: str) -> set[Tag]:
    """Tags of the wheels that this machine installs for a Python."""
    major_minor = tuple(map(int, python.split(".")))
    return {*cpython_tags(major_minor), *compatible_tags(major_minor, f"cp{python.replace('.', '')}")}
