"""The reviewer's gates, with a person in a browser, with the API, and with nobody."""

from __future__ import annotations

from time import sleep

import numpy as np
import pytest
import requests
from playwright.sync_api import Page, expect

from airlock.ledger import TransferState
from airlock.pixels.decode import StoredImage
from demo import phantoms
from tests.e2e.browser import logged_in_page
from tests.e2e.test_page import token

"""Milliseconds in which a rewrite and the next question must have happened, on a busy machine too."""


def review_study(installation, tmp_path, project: str, **review) -> str:
    """Request a small ultrasound cine for a project with a review section; return the transfer's id."""
    installation.add_project(project, review={"mode": "review", "when": {"always": True}} | review)
    patient = installation.patient()
    files = phantoms.ultrasound_cine(tmp_path, patient, 3, text_frames=[0], rows=240, columns=320, size=13)
    return installation.drop(installation.request(installation.put_into_raw(files), project))


def wait_for_question(installation, run_id: str, gate: str) -> None:
    """Wait until a person could answer: Airflow asks again when the answer overtakes its executor's report."""
    installation.wait_for_task(run_id, gate, "awaiting_input", seconds=240)
    sleep(2)


def answer(installation, run_id: str, gate: str, option: str, **more) -> requests.Response:
    path = f"dags/transfer/dagRuns/{run_id}/taskInstances/{gate}/-1/hitlDetails"
    return installation.airflow.api("PATCH", path, json={"chosen_options": [option]}, check=False, **more)


def draw(page: Page, box: tuple[float, float, float, float]) -> None:
    """Drag over a part of the picture, given as fractions of its sides."""
    area = page.locator("#stages .stage").first.bounding_box()
    x, y, width, height = area["x"], area["y"], area["width"], area["height"]
    page.mouse.move(x + box[0] * width, y + box[1] * height)
    page.mouse.down()
    page.mouse.move(x + box[2] * width, y + box[3] * height, steps=4)
    page.mouse.up()


def is_masked(installation, transfer_id: str, box: tuple[float, float, float, float]) -> bool:
    """Whether the inside of a rectangle is of one colour in every frame of every rewritten instance."""
    folder = installation.settings.transfers_folder / transfer_id / "rewritten"
    images = [StoredImage(path) for path in folder.glob("*.dcm")]
    frames = [frame.pixels for image in images for frame in image.read()]
    parts = [
        f[int(box[1] * 240) + 3 : int(box[3] * 240) - 3, int(box[0] * 320) + 3 : int(box[2] * 320) - 3] for f in frames
    ]
    return bool(frames) and all(np.ptp(part.reshape(-1, part.shape[-1]), axis=0).max() == 0 for part in parts)


def shows_masked(page: Page, box: tuple[float, float, float, float]) -> bool:
    """Whether the masked picture on the page is of one colour in a rectangle: nobody must see an older one."""
    image = page.locator("#stages figure", has_text="masked").locator("img")
    image.evaluate("image => image.decode()")
    script = """(image, [x, y, width, height]) => {
        const canvas = Object.assign(document.createElement("canvas"), { width, height });
        const context = canvas.getContext("2d");
        context.drawImage(image, x, y, width, height, 0, 0, width, height);
        return [...context.getImageData(0, 0, width, height).data];
    }"""
    x, y = int(box[0] * 320) + 3, int(box[1] * 240) + 3
    area = [x, y, int(box[2] * 320) - 3 - x, int(box[3] * 240) - 3 - y]
    shown = np.array(image.evaluate(script, area)).reshape(-1, 4)
    return bool(np.ptp(shown, axis=0).max() == 0)


@pytest.mark.timeout(900)
def test_mask_look_again_release(installation, tmp_path):
    transfer_id = review_study(installation, tmp_path, "reviewed", release=True)
    patient = installation.patients[-1]
    wait_for_question(installation, transfer_id, "review_findings")
    # It holds no worker: others run on.
    other = installation.drop(installation.request(installation.ct_study(tmp_path / "ct"), "demo"))
    assert installation.wait(other) == {other: "success"}
    assert installation.airflow.tasks_of(transfer_id)["review_findings"]["state"] == "awaiting_input"
    first, second = (0.3, 0.4, 0.5, 0.6), (0.6, 0.7, 0.8, 0.9)
    with logged_in_page(installation.airflow) as page:
        page.goto(f"{installation.airflow.url}/airlock/#{transfer_id}")
        expect(page.locator(f"tr[data-transfer='{transfer_id}'] td.state")).to_have_text("in review")
        page.locator("#review").click()
        expect(page.locator(".tile")).not_to_have_count(0)
        page.locator("#stages img").first.evaluate("image => image.decode()")
        draw(page, first)
        page.keyboard.press("a")
        expect(page.locator(".tile")).to_have_count(1)
        expect(page.locator("#changed")).to_contain_text("3 frames")
        page.screenshot(path=tmp_path / "first.png")
        page.locator("#viewer [data-do=propose]").click()
        expect(page.locator("#told")).to_contain_text("proposals/")
        page.get_by_role("button", name="Mask and check again").click()

        expect(page.locator("#stages figcaption", has_text="masked")).to_be_visible()
        assert is_masked(installation, transfer_id, first)
        assert not is_masked(installation, transfer_id, second)
        assert (shows_masked(page, first), shows_masked(page, second)) == (True, False)
        draw(page, second)
        page.keyboard.press("s")
        page.get_by_role("button", name="Release").click()
        expect(page.locator("#problem")).to_contain_text("not masked yet")
        page.screenshot(path=tmp_path / "second.png")
        page.get_by_role("button", name="Mask and check again").click()
        expect(page.locator("#told")).to_contain_text("Answered")
        expect(page.locator("#told")).to_be_hidden()
        assert is_masked(installation, transfer_id, second)
        assert shows_masked(page, second)
        page.screenshot(path=tmp_path / "third.png")
        page.locator("#reason").select_option("everything is masked")
        page.get_by_role("button", name="Release").click()
        expect(page.locator("#told")).to_contain_text("Answered")

        wait_for_question(installation, transfer_id, "release_to_research")
        details = installation.airflow.api("GET", f"dags/transfer/dagRuns/{transfer_id}/hitlDetails").text
        assert not [word for word in patient.identifiers() if word in details + page.content()]
    assert answer(installation, transfer_id, "release_to_research", "Release").status_code == 200
    assert installation.wait(transfer_id) == {transfer_id: "success"}
    assert installation.find(transfer_id).state is TransferState.SENT
    answers = [detail for _, step, kind, detail in installation.ledger.events(transfer_id) if kind == "answered"]
    assert [a["answer"] for a in answers] == ["Mask and check again", "Mask and check again", "Release", "Release"]
    assert {a["person"] for a in answers} == {"admin"}
    assert (answers[0]["drawn"], answers[1]["drawn"], answers[2]["reason"]) == (3, 3, "everything is masked")


def test_quarantine_and_rights(installation, tmp_path):
    transfer_id = review_study(installation, tmp_path, "quarantined")
    wait_for_question(installation, transfer_id, "review_findings")
    base = f"{installation.airflow.url}/airlock"
    facts = requests.get(f"{base}/api/review/{transfer_id}", headers=token(installation, "admin"), timeout=60).json()
    picture = f"{base}/api/review/{transfer_id}/{facts['instances'][0]['id']}/0.png"
    for url in (picture, f"{base}/review/{transfer_id}", f"{base}/api/review/{transfer_id}"):
        assert requests.get(url, timeout=60).status_code == 401
    viewer = token(installation, "viewer")
    assert requests.get(picture, headers=viewer, timeout=60).status_code == 403
    put = {"json": {"instances": {}}, "headers": viewer, "timeout": 60}
    assert requests.put(f"{base}/api/review/{transfer_id}/rectangles", **put).status_code == 403
    body = {"instance": facts["instances"][0]["id"], "boxes": [[0, 0, 9, 9]]}
    proposed = requests.post(f"{base}/api/review/{transfer_id}/proposals", json=body, headers=viewer, timeout=60)
    assert proposed.status_code == 403
    path = f"dags/transfer/dagRuns/{transfer_id}/taskInstances/review_findings/-1/hitlDetails"
    given = {"json": {"chosen_options": ["Release"]}, "headers": viewer, "timeout": 60}
    assert requests.patch(f"{installation.airflow.url}/api/v2/{path}", **given).status_code == 403

    shown = requests.get(picture, headers=token(installation, "admin"), timeout=60)
    assert (shown.headers["Cache-Control"], shown.content[:4]) == ("no-store", b"\x89PNG")
    assert answer(installation, transfer_id, "review_findings", "Quarantine").status_code == 200
    assert installation.wait(transfer_id)[transfer_id] == "failed"
    assert installation.find(transfer_id).state is TransferState.HELD


def test_nobody_answers(installation, tmp_path):
    transfer_id = review_study(installation, tmp_path, "unanswered", timeout_days=5 / 86400)
    assert installation.wait(transfer_id)[transfer_id] == "failed"
    summary = installation.find(transfer_id)
    assert (summary.state, "Nobody answered" in summary.message) == (TransferState.HELD, True)


def test_cancel_while_a_person_is_asked(installation, tmp_path):
    transfer_id = review_study(installation, tmp_path, "given-up")
    wait_for_question(installation, transfer_id, "review_findings")
    with logged_in_page(installation.airflow) as page:
        page.on("dialog", lambda dialog: dialog.accept())
        page.goto(f"{installation.airflow.url}/airlock/#{transfer_id}")
        page.locator("#detail .buttons").get_by_role("button", name="Cancel").click()
        state = page.locator(f"tr[data-transfer='{transfer_id}'] td.state")
        expect(state).to_contain_text("cancelled")
    assert not [event for event in installation.ledger.events(transfer_id) if event[2] == "answered"]
