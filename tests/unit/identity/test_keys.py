"""The deployment key: made once, for its owner only, and never shown."""

import multiprocessing
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from airlock.errors import PolicyError
from airlock.identity.keys import KeyRing, load_master_key


def test_it_is_made_once_and_for_its_owner_only(tmp_path):
    path = tmp_path / "secret" / "key"
    key = load_master_key(path)
    assert len(key) == 32
    assert load_master_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert load_master_key(tmp_path / "other") != key


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777])
def test_a_key_that_others_can_read_is_refused(tmp_path, mode):
    path = tmp_path / "key"
    load_master_key(path)
    path.chmod(mode)
    with pytest.raises(PolicyError, match="chmod 600"):
        load_master_key(path)


@pytest.mark.parametrize("content", ["", "ab" * 31, "ab" * 33, "zz" * 32, "ø" * 64])
def test_something_else_is_refused_and_kept(tmp_path, content):
    path = tmp_path / "key"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(PolicyError, match="backup"):
        load_master_key(path)
    assert path.read_text() == content


def _load(path, barrier, queue):
    barrier.wait(20)
    queue.put(load_master_key(path))


def test_processes_that_start_together_get_the_same_key(tmp_path):
    context = multiprocessing.get_context("fork")
    for attempt in range(5):
        path = tmp_path / str(attempt) / "key"
        barrier, queue = context.Barrier(2), context.Queue()
        processes = [context.Process(target=_load, args=(path, barrier, queue)) for _ in range(2)]
        for process in processes:
            process.start()
        keys = {queue.get(timeout=20) for _ in processes}
        for process in processes:
            process.join(20)
        assert keys == {load_master_key(path)}
        assert [p.name for p in path.parent.iterdir()] == ["key"]


def test_threads_that_start_together_get_the_same_key(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        for attempt in range(5):
            path = tmp_path / str(attempt) / "key"
            assert len(set(pool.map(load_master_key, [path] * 8))) == 1


def test_every_use_has_its_own_key():
    ring = KeyRing(bytes(range(32)))
    keys = [ring.derive(*use) for use in (("a",), ("b",), ("a", "p"), ("a", "q"), ("ap",))]
    assert len(set(keys)) == len(keys)
    assert all(len(key) == 32 for key in keys)
    assert ring.derive("a", "p") == KeyRing(bytes(range(32))).derive("a", "p")


def test_tokens_are_repeatable_and_say_nothing():
    ring = KeyRing(bytes(range(32)))
    token = ring.token("use", "1.2.3")
    assert token == ring.token("use", "1.2.3")
    assert len(token) == 16
    assert set(token) <= set("abcdefghijklmnopqrstuvwxyz234567")
    assert token not in (ring.token("use", "1.2.4"), ring.token("other", "1.2.3"))
    assert KeyRing(bytes(32)).token("use", "1.2.3") != token


def test_the_key_is_not_shown():
    ring = KeyRing(b"K" * 32)
    assert "K" * 4 not in repr(ring) + str(ring)
