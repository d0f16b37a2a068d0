"""Both engines on the same bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from airlock.deid.instance import Deidentifier
from airlock.deid.recipe import EngineName, Recipe
from airlock.errors import InstanceNotUnderstood
from airlock.identity.evidence import Evidence
from airlock.identity.harvest import harvest
from airlock.identity.keys import KeyRing
from tests.synthetic import ct

OPTIONS = (
    (),
    (
        "retain_longitudinal_modified_dates",
        "clean_descriptors",
        "retain_device_identity",
        "retain_institution_identity",
        "retain_patient_characteristics",
    ),
    ("retain_longitudinal_full_dates", "retain_uids"),
)
Outcome = tuple[object, ...]
Both = Callable[..., Outcome]


@pytest.fixture
def both(tmp_path: Path) -> Both:
    """Return a function that de-identifies bytes with both engines, compares, and returns what came out.

    With `streamed`, the streaming engine must have done it alone.
    """

    known: dict[tuple[object, ...], Deidentifier] = {}

    def run(
        content: bytes,
        options: tuple[str, ...] = (),
        evidence: Evidence | None = None,
        streamed: bool | None = None,
        pixels_rewritten: bool = False,
    ) -> Outcome:
        source = tmp_path / "in.dcm"
        source.write_bytes(content)
        found = evidence or harvest(ct())

        def once(engine: EngineName) -> tuple[Outcome, int]:
            # One for all files of a test: what it remembers of one must not change another.
            deidentifier = known.get((engine, options, evidence is None))
            if deidentifier is None:
                recipe = Recipe(KeyRing(b"k" * 32), "P", "S-1", "visit", "2026d", options, -999, found, engine=engine)
                deidentifier = known[engine, options, evidence is None] = Deidentifier(recipe)
            deidentifier.left_to_plain = 0
            try:
                written = deidentifier.process(source, tmp_path, pixels_rewritten=pixels_rewritten, name=engine)
            except InstanceNotUnderstood as error:
                return (str(error),), deidentifier.left_to_plain
            made = (tmp_path / engine).read_bytes()
            return (made, written.place, written.sop_class_uid, written.unreadable_dates), deidentifier.left_to_plain

        plain, _ = once("plain")
        stream, left = once("stream")
        # What is held for two reasons may be held for either.
        assert stream == plain or len(stream) == len(plain) == 1
        if streamed is not None:
            assert (left == 0) == streamed
        return stream

    return run
