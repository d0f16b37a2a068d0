"""Moving bytes from file to file: complete, in order, and never mixed with those of another file."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from airlock.dicomio import copying, moving

_LONG = (3 << 20) + 77


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    """What the file `a` holds."""
    made = os.urandom(_LONG)
    (tmp_path / "a").write_bytes(made)
    return made


def _moved(folder: Path, name: str, offset: int, size: int, flags: int = 0) -> bytes:
    source = os.open(folder / "a", os.O_RDONLY)
    target = os.open(folder / name, os.O_WRONLY | os.O_CREAT | flags, 0o600)
    try:
        copying.write_all(target, b"head")
        moving.move_bytes(source, target, offset, size)
    finally:
        os.close(source)
        os.close(target)
    return (folder / name).read_bytes()


@pytest.mark.parametrize(("offset", "size"), [(0, _LONG), (5, _LONG - 9), (4096, 1 << 20), (1, 1), (7, 0)])
def test_bytes_are_moved_in_pieces(tmp_path: Path, content: bytes, offset: int, size: int) -> None:
    assert _moved(tmp_path, "b", offset, size) == b"head" + content[offset : offset + size]


def _moved_later(folder: Path, name: str, offset: int, size: int, flags: int = 0) -> bytes:
    source = os.open(folder / "a", os.O_RDONLY)
    target = os.open(folder / name, os.O_WRONLY | os.O_CREAT | flags, 0o600)
    try:
        copying.write_all(target, b"head")
        move = moving.moved_at_once(source, target, offset, size)
    finally:
        os.close(source)
        os.close(target)
    open_before = len([*Path("/proc/self/fd").iterdir()])
    try:
        move()
    finally:
        assert len([*Path("/proc/self/fd").iterdir()]) == open_before - 2
    return (folder / name).read_bytes()


@pytest.mark.parametrize("flags", [0, os.O_APPEND])
@pytest.mark.parametrize(("offset", "size"), [(0, _LONG), (5, _LONG - 9), (1, 1), (7, 0)])
def test_bytes_are_moved_when_both_files_are_closed(
    tmp_path: Path, content: bytes, offset: int, size: int, flags: int
) -> None:
    # To a file that is only appended to, the kernel sends nothing: that goes through memory.
    assert _moved_later(tmp_path, "b", offset, size, flags) == b"head" + content[offset : offset + size]


def test_what_is_moved_later_goes_on_where_the_kernel_stopped(
    tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    send, calls = os.sendfile, 0

    def some(target: int, source: int, offset: int, size: int) -> int:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise OSError(errno.EINVAL, "not here")
        return send(target, source, offset, min(size, 1000))

    monkeypatch.setattr(os, "sendfile", some)
    assert _moved_later(tmp_path, "b", 5, _LONG - 9) == b"head" + content[5:-4]


def test_a_source_that_became_shorter_is_no_success(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(OSError, match="shorter"):
        _moved_later(tmp_path, "b", 5, len(content))


def test_what_the_kernel_does_not_move_goes_through_memory(
    tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: int, **_named: int) -> int:
        raise OSError(errno.EINVAL, "not here")

    monkeypatch.setattr(os, "splice", refuse)
    assert _moved(tmp_path, "b", 5, _LONG - 9) == b"head" + content[5:-4]


def test_what_a_refusal_leaves_in_the_pipe_gets_into_no_other_file(tmp_path: Path, content: bytes) -> None:
    # The kernel takes bytes from the source, and then does not append them to a file that is only appended to.
    assert _moved(tmp_path, "b", 11, 5000, os.O_APPEND) == b"head" + content[11:5011]
    assert _moved(tmp_path, "c", 500, 9000) == b"head" + content[500:9500]


def test_it_goes_on_where_the_kernel_stopped(tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    splice, calls = os.splice, 0

    def some(*arguments: int, **named: int) -> int:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise OSError(errno.EINVAL, "no longer")
        return splice(*arguments, **named)

    monkeypatch.setattr(os, "splice", some)
    assert _moved(tmp_path, "b", 3, _LONG - 3) == b"head" + content[3:]
    assert calls == 4
    monkeypatch.undo()
    assert _moved(tmp_path, "c", 0, 10) == b"head" + content[:10]


def test_a_full_disk_is_told(tmp_path: Path, content: bytes) -> None:
    source = os.open(tmp_path / "a", os.O_RDONLY)
    target = os.open("/dev/full", os.O_WRONLY)
    try:
        with pytest.raises(OSError, match=r"."):
            moving.move_bytes(source, target, 0, len(content))
    finally:
        os.close(source)
        os.close(target)
    assert _moved(tmp_path, "c", 0, 10) == b"head" + content[:10]


def test_a_fork_has_a_pipe_of_its_own(tmp_path: Path, content: bytes) -> None:
    moving._pipe.cache_clear()
    assert _moved(tmp_path, "b", 0, 10) == b"head" + content[:10]
    pid = os.fork()
    if not pid:
        fine = _moved(tmp_path, "c", 0, 10) == b"head" + content[:10]
        os._exit(0 if fine and moving._pipe.cache_info().currsize == 2 else 1)
    assert os.waitpid(pid, 0)[1] == 0


def test_what_is_written_in_part_is_written_to_the_end(
    tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    splice = os.splice

    def short(source: int, target: int, size: int, **named: int) -> int:
        return splice(source, target, size if named else min(size, 1000), **named)

    monkeypatch.setattr(os, "splice", short)
    assert _moved(tmp_path, "b", 0, 9999) == b"head" + content[:9999]
    assert _moved(tmp_path, "c", 20, 500) == b"head" + content[20:520]


def test_pipes_are_closed(tmp_path: Path, content: bytes) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(5):
        assert _moved(tmp_path, f"b{number}", 0, 9, os.O_APPEND) == b"head" + content[:9]
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
