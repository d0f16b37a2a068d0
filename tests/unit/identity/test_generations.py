"""Generations of the key: what was derived with one is derived with it for good."""

import multiprocessing
import stat

import pytest

from airlock.errors import PolicyError
from airlock.identity import keys as module
from airlock.identity.key_file import add_generation
from airlock.identity.keys import KEY_VARIABLE, KeyRing, load_keys, provide_keys
from airlock.identity.rotation import rotate_key
from airlock.settings import Settings

ONE, TWO = "11" * 32, "22" * 32


@pytest.fixture
def path(tmp_path):
    return tmp_path / "secret" / "airlock.key"


def test_a_generation_is_added_and_nothing_is_lost(path):
    first = KeyRing.load(path)
    assert first.newest == 1
    assert add_generation(path) == 2
    ring = KeyRing.load(path)
    assert (ring.newest, ring.at(1).master, ring.master) == (2, first.master, first.master)
    assert ring.at(2).master != first.master
    assert ring.token("transfer-id", "x") == first.token("transfer-id", "x"), "requests keep their ids"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["airlock.key"]
    with pytest.raises(PolicyError, match="Generation 3"):
        ring.at(3)


def test_nothing_is_rotated_before_there_is_a_key(path):
    path.parent.mkdir()
    with pytest.raises(PolicyError, match="no key file"):
        add_generation(path)


def test_processes_that_rotate_together_take_turns(path):
    load_keys(path)
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=add_generation, args=(path,)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(20)
    assert KeyRing.load(path).newest == 5


@pytest.mark.parametrize("text", [f"{ONE}\n{ONE}\n", f"{ONE}\nzz\n", f"{ONE} {TWO[:-1]}", f"{ONE}{TWO}"])
def test_a_damaged_generation_is_refused(path, text):
    path.parent.mkdir()
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(PolicyError, match="backup") as refused:
        load_keys(path)
    assert ONE[:8] not in str(refused.value)


class TestFromElsewhere:
    def test_the_environment(self, path, monkeypatch):
        monkeypatch.setenv(KEY_VARIABLE, f"{ONE}, {TWO}")
        ring = KeyRing.load(path)
        assert [ring.at(n).master.hex() for n in (1, 2)] == [ONE, TWO]
        assert not path.exists()

    def test_another_key_in_the_file_is_refused(self, path, monkeypatch):
        load_keys(path)
        monkeypatch.setenv(KEY_VARIABLE, ONE)
        with pytest.raises(PolicyError, match="different keys"):
            load_keys(path)

    def test_the_same_key_in_the_file_is_not(self, path, monkeypatch):
        first = load_keys(path)[0].hex()
        monkeypatch.setenv(KEY_VARIABLE, f"{first} {TWO}")
        assert KeyRing.load(path).newest == 2

    @pytest.mark.parametrize("text", ["nonsense", ONE[:-2], f"{ONE},{ONE}"])
    def test_something_else_is_refused(self, path, monkeypatch, text):
        monkeypatch.setenv(KEY_VARIABLE, text)
        with pytest.raises(PolicyError, match=KEY_VARIABLE) as refused:
            load_keys(path)
        assert text[:8] not in str(refused.value).replace(KEY_VARIABLE, "")

    def test_a_connection(self, path, monkeypatch):
        monkeypatch.setattr(module, "_provided", [])
        with pytest.raises(PolicyError):
            provide_keys("nonsense")
        provide_keys(TWO)
        assert KeyRing.load(path).master.hex() == TWO

    def test_it_is_not_rotated_here(self, tmp_path, monkeypatch):
        monkeypatch.setenv(KEY_VARIABLE, ONE)
        with pytest.raises(PolicyError, match="add a comma"):
            rotate_key(Settings(home=tmp_path))
