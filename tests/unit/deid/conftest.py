"""Shorthand to run the engine over a dataset."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pydicom.dataset import Dataset

from airlock.deid.engine import Engine, Outcome
from airlock.deid.profile import Profile
from airlock.dicomio.quiet import quiet
from airlock.identity.harvest import harvest
from airlock.identity.identifiers import Identifiers
from airlock.identity.keys import KeyRing
from airlock.identity.uids import UidMap

Apply = Callable[..., Outcome]


@pytest.fixture
def apply() -> Apply:
    def run(dataset: Dataset, *options: str, days: int = -17) -> Outcome:
        with quiet():
            identifiers = Identifiers(harvest(dataset))
            return Engine(Profile("2026d", options), UidMap(KeyRing(b"k" * 32), "P"), identifiers, days).apply(dataset)

    return run
