"""Pictures of what was masked, from the report: whoever may not answer reviews sees none, and nothing keeps them."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from airlock.ledger import InstanceState, InstanceUpdate, TransferState
from airlock.report.audit import as_html, audit
from tests.component.review.conftest import BOX, PATIENT


@pytest.fixture
def masked(transfer, monkeypatch):
    """A transfer whose cine was masked in its second frame."""
    from airlock_provider.pages import app, masked, review

    made, cine, ct = transfer()
    for module in (app, masked, review):
        monkeypatch.setattr(module, "load_settings", lambda: made.settings)
    made.ledger.record(made.id, [InstanceUpdate(cine, InstanceState.READY, boxes=1)])
    made.ledger.claim(made.id, made.id)
    return made, cine, ct


def mask(made, cine) -> None:
    """Write the cine with the box painted over, as the rewriter does."""
    ds = dcmread(made.workspace.folder("incoming") / f"{cine}.dcm")
    pixels = ds.pixel_array.copy()
    x0, y0, x1, y1 = BOX
    pixels[1, y0:y1, x0:x1] = 0
    ds.set_pixel_data(pixels, ds.PhotometricInterpretation, ds.BitsStored)
    with made.workspace.writing("rewritten") as folder:
        ds.save_as(folder / f"{cine}.dcm")


def pixels_of(answer):
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store"), answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)).convert("L"))


def test_before_and_after(client, masked):
    made, cine, _ = masked
    mask(made, cine)
    report = client.get(f"/api/transfers/{made.id}/report").text
    assert "1 area with burned-in text in 1 instance" in report
    assert '<a href="pictures">Before and after</a>' in report
    assert "<img" not in report
    page = client.get(f"/api/transfers/{made.id}/pictures")
    assert page.headers["cache-control"] == "no-store"
    assert f"<code>{cine}</code>, frame 2, 1 area" in page.text
    # In percent of 320 x 240.
    assert 'style="left:1.56%;top:2.08%;width:17.19%;height:6.25%"' in page.text
    addresses = re.findall(r'src="([^"]+)"', page.text)
    before, after = (pixels_of(client.get(f"/api/transfers/{made.id}/{address}")) for address in addresses)
    assert max(before.shape) <= 240
    # The box in the small picture, a little inside of it.
    inside = np.s_[6:13, 6:43]
    assert before[inside].max() > 60
    assert after[inside].max() < 5
    assert np.abs(before[60:].astype(int) - after[60:]).max() <= 2


def test_the_history_says_who_looked_and_has_no_picture(client, masked):
    made, cine, _ = masked
    mask(made, cine)
    made.ledger.move(made.id, TransferState.HELD, "look at it")
    client.get(f"/api/transfers/{made.id}/pictures")
    facts = audit(made.ledger, made.id)
    assert [(one["by"], one["did"], one["count"]) for one in facts["people"] if one["step"] == "report"] == [
        ("dora", "pictures seen", 1)
    ]
    assert not facts["chain"]["problem"]
    for page in (as_html(facts), as_html(facts, pictures="pictures"), str(facts)):
        assert "data:" not in page
        assert not re.search(r"\bsrc=", page)
    assert "Before and after" not in as_html(facts)


def test_whoever_may_not_answer_reviews_sees_none(client, masked, monkeypatch):
    from airflow.api_fastapi.core_api import security

    from airlock_provider.pages import app, review

    class Viewer:
        def is_authorized_dag(self, *, method, access_entity=None, **_: object) -> bool:
            return method == "GET" and access_entity is None

    made, cine, _ = masked
    mask(made, cine)
    monkeypatch.setattr(security, "get_auth_manager", Viewer)
    monkeypatch.setattr(security.DagModel, "get_team_name", lambda _: None)
    for guard in (app.may_read, review.may_answer):
        monkeypatch.delitem(app.app.dependency_overrides, guard.dependency)
    assert client.get(f"/api/transfers/{made.id}/report").status_code == 200
    before = made.ledger.history(made.id)
    for address in ("", f"/{cine}/1.png", f"/{cine}/1.png?which=after"):
        answer = client.get(f"/api/transfers/{made.id}/pictures{address}")
        assert answer.status_code == 403
        assert b"PNG" not in answer.content
    assert made.ledger.history(made.id) == before


@pytest.mark.parametrize("what", ["{cine}/0.png", "{ct}/0.png", "i-other/1.png", "..%2F..%2Fkey/1.png"])
def test_only_frames_with_masked_areas_are_shown(client, masked, what):
    made, cine, ct = masked
    mask(made, cine)
    answer = client.get(f"/api/transfers/{made.id}/pictures/{what.format(cine=cine, ct=ct)}")
    assert answer.status_code == 404


def test_before_it_is_masked(client, masked):
    made, cine, _ = masked
    page = client.get(f"/api/transfers/{made.id}/pictures").text
    assert "not masked yet" in page
    assert "which=after" not in page
    assert client.get(f"/api/transfers/{made.id}/pictures/{cine}/1.png?which=after").status_code == 404


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (TransferState.SENT, "removed as soon as a transfer is sent"),
        (TransferState.CANCELLED, "cancelled takes its originals along"),
        (TransferState.FAILED, "are kept 14 days (AIRLOCK_KEEP_FAILED_DAYS)"),
    ],
)
def test_when_the_originals_are_gone_it_says_why(client, masked, state, words):
    made, _, _ = masked
    made.ledger.move(made.id, state)
    made.workspace.purge()
    page = client.get(f"/api/transfers/{made.id}/pictures").text
    assert "Areas that were masked: 1. They cannot be shown any more" in page
    assert words in page
    assert "<img" not in page


def test_many_frames_are_shown_a_page_at_a_time(client, masked, monkeypatch):
    from airlock.findings import Findings, InstanceFindings
    from airlock_provider.pages import masked as page_module

    made, cine, _ = masked
    monkeypatch.setattr(page_module, "AT_ONCE", 3)
    Findings(2, {cine: InstanceFindings({n: [BOX] for n in range(4)})}).write(
        made.workspace.folder("findings") / "findings.json"
    )
    first = client.get(f"/api/transfers/{made.id}/pictures").text
    assert (first.count("which=before"), "4 frames with masked areas, 1 to 3 shown" in first) == (3, True)
    assert '<a href="pictures?start=3">More</a>' in first
    last = client.get(f"/api/transfers/{made.id}/pictures?start=3").text
    assert (last.count("which=before"), "start=6" in last) == (1, False)
    assert '<a href="pictures?start=0">Earlier</a>' in last


def test_the_page_names_no_patient(client, masked):
    made, cine, _ = masked
    header = dcmread(made.workspace.folder("incoming") / f"{cine}.dcm", stop_before_pixels=True)
    page = client.get(f"/api/transfers/{made.id}/pictures").text
    assert not [word for word in (*PATIENT.identifiers(), header.SOPInstanceUID) if word in page]
