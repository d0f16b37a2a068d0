"""The page of transfers in the Airflow UI."""

from __future__ import annotations

import csv
from dataclasses import replace

import requests
from playwright.sync_api import expect

from airlock.dicomio.store import Outgoing, send_files
from airlock.ledger import TransferState
from demo import phantoms
from demo.phantoms import Patient
from demo.services import free_port
from tests.e2e.browser import log_in, logged_in_page, password_of

SOON = 120_000
"""Milliseconds in which a transfer must have ended, on a busy machine too."""
PATHS = ("", "api/transfers", "api/me", "api/transfers/x", "api/transfers/x/report", "api/transfers/x/pictures")


def token(installation, user: str) -> dict[str, str]:
    body = {"username": user, "password": password_of(installation.airflow, user)}
    answer = requests.post(f"{installation.airflow.url}/auth/token", json=body, timeout=60)
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def test_a_transfer_by_the_page(installation, tmp_path):
    study = installation.ct_study(tmp_path)
    patient: Patient = installation.patients[-1]
    with logged_in_page(installation.airflow) as page:
        page.goto(f"{installation.airflow.url}/airlock/")
        page.get_by_role("button", name="New transfer").click()
        page.get_by_label("Study Instance UID").fill(study)
        page.locator("select[name=transfer_project_name]").select_option("demo")
        page.get_by_label("Research subject ID").fill("bad\\name")
        page.get_by_role("button", name="Write the request").click()
        expect(page.locator("#form-problem")).to_contain_text("transfer_name")
        page.get_by_label("Research subject ID").fill("PAGE-001")
        page.get_by_role("button", name="Write the request").click()
        transfer_id = page.locator("#detail h2").inner_text()
        assert installation.wait(transfer_id)[transfer_id] == "success"
        line = page.locator(f"tr[data-transfer='{transfer_id}']")
        expect(line.locator("td.state")).to_have_text("sent")
        timeline = page.locator("#detail tbody").first
        expect(timeline).to_contain_text("archive_request")
        expect(timeline.locator("tr")).to_have_count(12)
        expect(timeline.locator("tr").first).to_contain_text("admin")
        with page.expect_popup() as opened:
            page.get_by_role("link", name="Report").click()
        report = opened.value.content()
        assert "It was not changed" in report
        assert not [word for word in (study, *patient.identifiers()) if word in report + page.content()]
        page.goto(f"{installation.airflow.url}/plugin/airlock-transfers")
        expect(page.frame_locator("iframe").locator(f"tr[data-transfer='{transfer_id}']")).to_be_visible()


def test_cancel_again_and_withdraw_by_the_page(installation, tmp_path):
    """One transfer's whole life in a browser: asked for, stopped, done after all, taken back. A viewer only looks."""
    files = phantoms.ct_series(tmp_path / "ct", installation.patient(), slices=2, side=64)
    study = installation.patients[-1].study_uid
    # A PACS that is down: a transfer waits for it, for as long as that takes.
    installation.add_connection("far_pacs", replace(installation.stack.staging, port=free_port()))
    installation.add_project("far", source={"method": "c-move", "connection": "far_pacs"})
    with logged_in_page(installation.airflow) as page:
        page.on("dialog", lambda dialog: dialog.accept())
        page.goto(f"{installation.airflow.url}/airlock/")
        page.get_by_role("button", name="New transfer").click()
        page.get_by_label("Study Instance UID").fill(study)
        page.locator("select[name=transfer_project_name]").select_option("far")
        page.get_by_label("Research subject ID").fill("PAGE-002")
        page.screenshot(path=tmp_path / "form.png")
        page.get_by_role("button", name="Write the request").click()
        transfer_id = page.locator("#detail h2").inner_text()
        installation.wait_for_task(transfer_id, "wait_for_study", "deferred")
        buttons, state = page.locator("#detail .buttons"), page.locator(f"tr[data-transfer='{transfer_id}'] td.state")
        buttons.get_by_role("button", name="Cancel").click()
        expect(state).to_contain_text("cancelled")
        page.screenshot(path=tmp_path / "cancelled.png")
        look_as_a_viewer(installation, page.context.browser, transfer_id, tmp_path)

        sent = send_files(installation.stack.staging, [Outgoing.of(str(n), file) for n, file in enumerate(files)])
        assert [outcome.status for outcome in sent] == [0, 0]
        installation.add_connection("far_pacs", installation.stack.staging)
        buttons.get_by_role("button", name="Do it again from the start").click()
        expect(state).to_contain_text("sent")
        assert installation.find(transfer_id).counts.sent == 2
        assert installation.ledger.find(transfer_id).attempt == 2
        page.screenshot(path=tmp_path / "sent.png")
        buttons.get_by_role("button", name="Withdraw").click()
        expect(state).to_contain_text("withdrawn")
        page.screenshot(path=tmp_path / "withdrawn.png")
    with (installation.settings.home / "withdrawn" / f"{transfer_id}.csv").open() as listed:
        assert len(list(csv.DictReader(listed))) == 2
    by = {k: d["by"] for _, step, k, d in installation.ledger.events(transfer_id) if step == "request" and "by" in d}
    assert by == {"asked": "admin", "cancel": "admin", "again": "admin", "withdraw": "admin"}


def look_as_a_viewer(installation, browser, transfer_id, tmp_path):
    """Who may only look sees the transfer, and can change nothing: not by a button, not by a call of the browser's."""
    before = installation.ledger.history(transfer_id)
    page = log_in(browser, installation.airflow, "viewer")
    page.goto(f"{installation.airflow.url}/airlock/#{transfer_id}")
    expect(page.locator("#detail .buttons").get_by_role("button")).to_have_text(["Close"])
    expect(page.get_by_role("button", name="New transfer")).to_be_hidden()
    page.screenshot(path=tmp_path / "viewer.png")
    of_transfer = [f"api/transfers/{transfer_id}/{what}" for what in ("again", "cancel", "withdraw")]
    for path in (*of_transfer, "api/requests"):
        call = "path => fetch(path, {method: 'POST', body: '{}', headers: {'Content-Type': 'application/json'}})"
        assert page.evaluate(f"{call}.then(answer => answer.status)", path) == 403, path
    page.close()
    assert installation.ledger.history(transfer_id) == before
    assert installation.ledger.find(transfer_id).state is TransferState.CANCELLED


def test_every_route_asks_who_is_there(installation):
    base = f"{installation.airflow.url}/airlock/"
    for path in PATHS:
        assert requests.get(base + path, timeout=60).status_code == 401, path
    assert requests.post(f"{base}api/requests", json={}, timeout=60).status_code == 401
    for path in ("docs", "redoc", "openapi.json"):
        assert requests.get(base + path, timeout=60).status_code in (401, 404), path

    viewer = token(installation, "viewer")
    assert requests.get(f"{base}api/transfers", headers=viewer, timeout=60).status_code == 200
    assert not requests.get(f"{base}api/me", headers=viewer, timeout=60).json()["may_start"]
    assert requests.get(f"{base}api/transfers/none", headers=viewer, timeout=60).status_code == 404
    assert requests.get(f"{base}api/transfers/none/pictures", headers=viewer, timeout=60).status_code == 403
    assert requests.post(f"{base}api/requests", json={}, headers=viewer, timeout=60).status_code == 403

    admin = token(installation, "admin")
    refused = requests.post(f"{base}api/requests", json={"transfer_name": "A"}, headers=admin, timeout=60)
    assert (refused.status_code, "study_instance_uid" in refused.json()["detail"]) == (400, True)
    foreign = {**admin, "Sec-Fetch-Site": "cross-site"}
    assert requests.post(f"{base}api/requests", json={}, headers=foreign, timeout=60).status_code == 403
    answer = requests.get(f"{base}api/transfers", headers=admin, timeout=60)
    assert answer.headers["Cache-Control"] == "no-store"
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
