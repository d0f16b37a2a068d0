"""What is read quickly is what all settings say."""

from __future__ import annotations

import pytest

from airlock.errors import PolicyError
from airlock.places import load_places
from airlock.settings import Settings, load_settings


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"AIRLOCK_HOME": "/data"},
        {"AIRLOCK_HOME": "", "AIRLOCK_PROJECTS": ""},
        {"AIRLOCK_KEY_FILE": ""},
        {"AIRLOCK_HOME": "/data", "AIRLOCK_KEY_FILE": "/run/key", "AIRLOCK_WORKERS": "3", "AIRLOCK_ENGINE": "plain"},
        {"airlock_home": "/spelled/otherwise"},
        {"AIRLOCK_PROJECTS": "projects", "AIRLOCK_RETRIES": "2", "AIRLOCK_KEY": "ab"},
    ],
)
def test_the_same_as_all_settings(monkeypatch: pytest.MonkeyPatch, given: dict[str, str]) -> None:
    for name in (*Settings.model_fields, "key"):
        monkeypatch.delenv(f"AIRLOCK_{name.upper()}", raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    load_settings.cache_clear()
    quick, all_of_them = load_places(), load_settings()
    for name in ("projects", "key_path", "workers", "engine"):
        assert str(getattr(quick, name)) == str(getattr(all_of_them, name))
    load_settings.cache_clear()


@pytest.mark.parametrize(("name", "value"), [("WORKERS", "0"), ("ENGINE", "fast"), ("RETRIES", "many")])
def test_a_value_that_cannot_be_used_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"AIRLOCK_{name}", value)
    load_settings.cache_clear()
    with pytest.raises(PolicyError, match=f"AIRLOCK_{name}"):
        load_places()
