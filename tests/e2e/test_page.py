"""The page of transfers in the Airflow UI."""

from __future__ import annotations

import json

import requests
from playwright.sync_api import expect

from demo.phantoms import Patient
from tests.e2e.browser import logged_in_page

PATHS = ("", "api/transfers", "api/me", "api/transfers/x", "api/transfers/x/report")


def token(installation, user: str) -> dict[str, str]:
    passwords = json.loads(
        (installation.stack.home / "airflow" / "simple_auth_manager_passwords.json.generated").read_text()
    )
    body = {"username": user, "password": passwords[user]}
    answer = requests.post(f"{installation.airflow.url}/auth/token", json=body, timeout=10)
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
        transfer_id = page.locator("#detail h2").inner_text(timeout=20_000)
        assert installation.wait(transfer_id)[transfer_id] == "success"
        line = page.locator(f"tr[data-transfer='{transfer_id}']")
        expect(line.locator("td.state")).to_have_text("sent", timeout=20_000)
        timeline = page.locator("#detail tbody").first
        expect(timeline).to_contain_text("archive_request", timeout=20_000)
        expect(timeline.locator("tr")).to_have_count(11)
        with page.expect_popup() as opened:
            page.get_by_role("link", name="Report").click()
        report = opened.value.content()
        assert "It was not changed" in report
        assert not [word for word in (study, *patient.identifiers()) if word in report + page.content()]
        page.goto(f"{installation.airflow.url}/plugin/airlock-transfers")
        expect(page.frame_locator("iframe").locator(f"tr[data-transfer='{transfer_id}']")).to_be_visible()


def test_every_route_asks_who_is_there(installation):
    base = f"{installation.airflow.url}/airlock/"
    for path in PATHS:
        assert requests.get(base + path, timeout=10).status_code == 401, path
    assert requests.post(f"{base}api/requests", json={}, timeout=10).status_code == 401
    for path in ("docs", "redoc", "openapi.json"):
        assert requests.get(base + path, timeout=10).status_code in (401, 404), path

    viewer = token(installation, "viewer")
    assert requests.get(f"{base}api/transfers", headers=viewer, timeout=10).status_code == 200
    assert not requests.get(f"{base}api/me", headers=viewer, timeout=10).json()["may_start"]
    assert requests.get(f"{base}api/transfers/none", headers=viewer, timeout=10).status_code == 404
    assert requests.post(f"{base}api/requests", json={}, headers=viewer, timeout=10).status_code == 403

    admin = token(installation, "admin")
    refused = requests.post(f"{base}api/requests", json={"transfer_name": "A"}, headers=admin, timeout=10)
    assert (refused.status_code, "study_instance_uid" in refused.json()["detail"]) == (400, True)
    foreign = {**admin, "Sec-Fetch-Site": "cross-site"}
    assert requests.post(f"{base}api/requests", json={}, headers=foreign, timeout=10).status_code == 403
    answer = requests.get(f"{base}api/transfers", headers=admin, timeout=10)
    assert answer.headers["Cache-Control"] == "no-store"
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
