"""Transfers that wait, or could wait, for a reviewer."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import dcmread

from airlock.findings import DISAGREEMENT_REASON, Findings, Found, InstanceFindings
from airlock.ledger import InstanceState, InstanceUpdate
from airlock.workspace import link_or_copy
from demo.phantoms import Patient, ct_series, ultrasound_cine
from tests.transfers import make_transfer

BOX = (5, 5, 60, 20)
PATIENT = Patient.invent(41)


@pytest.fixture(scope="session")
def study(tmp_path_factory) -> list[Path]:
    """A cine and a CT slice."""
    folder = tmp_path_factory.mktemp("study")
    return [
        *ultrasound_cine(folder, PATIENT, 4, rows=240, columns=320, size=13),
        *ct_series(folder, PATIENT, 1, side=64),
    ]


@pytest.fixture
def transfer(tmp_path, study):
    """`transfer(confidence, **review)`: a cine with one found box, and a CT whose header claims text, which is held."""

    def make(confidence: float = 90.0, **review):
        made = make_transfer(tmp_path, policy={"review": review})
        names = [made.instance_id(str(dcmread(f, stop_before_pixels=True).SOPInstanceUID)) for f in study]
        with made.workspace.writing("incoming") as folder:
            for name, file in zip(names, study, strict=True):
                link_or_copy(file, folder / f"{name}.dcm")
        found = InstanceFindings({1: [BOX]}, ["ocr"], {}, [Found(1, BOX, "ocr", confidence, matches_identifier=True)])
        with made.workspace.writing("findings") as folder:
            Findings(2, {names[0]: found}).write(folder / "findings.json")
        updates = [InstanceUpdate(names[0], boxes=1)]
        updates.append(InstanceUpdate(names[1], InstanceState.HELD, DISAGREEMENT_REASON))
        made.ledger.record(made.id, updates)
        return made, *names

    return make


class User:
    """Whoever is logged in."""

    def get_id(self) -> str:
        return "dora"

    def get_name(self) -> str:
        return "dora"


@pytest.fixture
def client(monkeypatch):
    """Calls of the page's app, as a user who may do everything."""
    from airflow.api_fastapi import app as api
    from airflow.api_fastapi.core_api.security import get_user
    from fastapi.testclient import TestClient

    from airlock_provider.pages import app as pages
    from airlock_provider.pages import review

    class Allows:
        def is_authorized_dag(self, **_: object) -> bool:
            return True

    monkeypatch.setattr(api, "get_auth_manager", Allows)
    for guard in (pages.may_read, review.may_answer, review.may_propose):
        monkeypatch.setitem(pages.app.dependency_overrides, guard.dependency, lambda: None)
    monkeypatch.setitem(pages.app.dependency_overrides, get_user, User)
    return TestClient(pages.app)
