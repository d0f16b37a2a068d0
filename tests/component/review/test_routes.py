"""The routes of the review page, without Airflow's login, which the end-to-end tests have."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import numpy as np
import pytest
from PIL import Image

from airlock.ledger import TransferState
from airlock.review.corrections import Corrections
from airlock.review.step import prepare_review
from airlock.workspace import link_or_copy


@pytest.fixture
def waiting(transfer, monkeypatch):
    """A transfer that waits for an answer."""
    from airlock_provider.pages import review

    made, cine, ct = transfer(mode="review", when={"always": True})
    monkeypatch.setattr(review, "load_settings", lambda: made.settings)
    prepare_review(made, "review_findings")
    made.ledger.move(made.id, TransferState.RUNNING)
    made.ledger.move(made.id, TransferState.REVIEW)
    return made, cine, ct


def put(client, made, cine, frames) -> int:
    body = {"instances": {cine: {"frames": frames}}}
    return client.put(f"/api/review/{made.id}/rectangles", json=body).status_code


def test_what_is_asked(client, waiting, monkeypatch):
    made, cine, ct = waiting
    facts = client.get(f"/api/review/{made.id}").json()
    assert facts["waiting"] is False  # nobody asked yet
    made.ledger.event(made.id, "review", "asked", gate="review_findings")
    assert client.get(f"/api/review/{made.id}").json()["waiting"] is False  # an answer could be lost
    monkeypatch.setattr("airlock_provider.pages.review.SETTLED", timedelta(0))
    facts = client.get(f"/api/review/{made.id}").json()
    assert (facts["waiting"], facts["gate"], facts["may_answer"]) == (True, "review_findings", True)
    assert {i["id"] for i in facts["instances"]} == {cine, ct}
    assert client.get("/api/review/unknown").status_code == 404


def test_pictures_are_png_that_no_cache_keeps(client, waiting):
    made, cine, ct = waiting
    answer = client.get(f"/api/review/{made.id}/{cine}/1.png")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    picture = Image.open(io.BytesIO(answer.content))
    assert picture.size == (320, 240)
    assert np.ptp(np.asarray(picture)) > 100
    small = client.get(f"/api/review/{made.id}/{ct}/0.png?small=true")
    assert max(Image.open(io.BytesIO(small.content)).size) <= 240


@pytest.mark.parametrize("what", ["{cine}/4.png", "{cine}/-1.png", "i-other/0.png", "..%2F..%2Fsecret/0.png"])
def test_there_is_no_other_picture(client, waiting, what):
    made, cine, _ = waiting
    assert client.get(f"/api/review/{made.id}/{what.format(cine=cine)}").status_code in (404, 422)


def test_there_is_no_masked_picture_before_masking(client, waiting):
    made, cine, _ = waiting
    path = f"/api/review/{made.id}/{cine}/1.png?which=masked"
    assert client.get(path).status_code == 404
    with made.workspace.writing("rewritten") as folder:
        link_or_copy(made.workspace.folder("incoming") / f"{cine}.dcm", folder / f"{cine}.dcm")
    assert client.get(path).status_code == 200


def test_rectangles_are_kept_with_their_digest(client, waiting):
    made, cine, _ = waiting
    body = {"instances": {cine: {"frames": {"2": [[1, 2, 30, 40]]}, "hold": True}}}
    answer = client.put(f"/api/review/{made.id}/rectangles", json=body)
    saved = Corrections.load(made.workspace)
    assert answer.json() == {"digest": saved.digest}
    assert (saved.person, saved.instances[cine].frames, saved.instances[cine].hold) == (
        "dora",
        {2: [(1, 2, 30, 40)]},
        True,
    )
    [entry] = [i for i in client.get(f"/api/review/{made.id}").json()["instances"] if i["id"] == cine]
    assert entry["saved"] == {"frames": {"2": [[1, 2, 30, 40]]}, "hold": True}


@pytest.mark.parametrize(
    "frames", [{"4": []}, {"0": [[0, 0, 321, 5]]}, {"0": [[5, 5, 5, 9]]}, {"0": [[-1, 0, 5, 5]]}, {"0": [[1, 2, 3]]}]
)
def test_rectangles_outside_the_image_are_refused(client, waiting, frames):
    made, cine, _ = waiting
    assert put(client, made, cine, frames) in (400, 422)
    assert Corrections.load(made.workspace) == Corrections()


def test_rectangles_are_kept_while_somebody_is_asked_only(client, waiting):
    made, cine, _ = waiting
    assert put(client, made, "i-other", {}) == 404
    made.ledger.move(made.id, TransferState.RUNNING)
    assert put(client, made, cine, {"0": []}) == 409


def test_a_proposal_is_a_file_for_the_location_library(client, waiting):
    made, cine, _ = waiting
    answer = client.post(f"/api/review/{made.id}/proposals", json={"instance": cine, "boxes": [[0, 0, 320, 30]]})
    assert answer.status_code == 201, answer.text
    text = (made.settings.home.absolute() / answer.json()["file"]).read_text()
    assert "(0, 0, 320, 30)" in text
    assert 'Rows.equals("240")' in text


def test_no_answer_names_the_patient(client, waiting):
    from pydicom import dcmread

    from tests.component.review.conftest import PATIENT

    made, cine, _ = waiting
    header = dcmread(made.workspace.folder("incoming") / f"{cine}.dcm", stop_before_pixels=True)
    uids = (header.SOPInstanceUID, header.SeriesInstanceUID, header.StudyInstanceUID)
    told = json.dumps(client.get(f"/api/review/{made.id}").json()) + client.get(f"/review/{made.id}").text
    assert not [word for word in (*PATIENT.identifiers(), *uids) if word in told]
