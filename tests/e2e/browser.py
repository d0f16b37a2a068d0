"""Debian's Chromium, driven by Playwright, logged in to Airflow."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, expect, sync_playwright

from demo.airflow import USER, Airflow
from tests.peers import require

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SOON = 180_000
"""What a page may take on a busy machine, in milliseconds."""
expect.set_options(timeout=SOON)


@contextmanager
def logged_in_page(airflow: Airflow) -> Iterator[Page]:
    """Open a browser page with the administrator's session in Airflow."""
    require("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS, env=dict(os.environ))
        try:
            yield log_in(browser, airflow, USER)
        finally:
            browser.close()


def log_in(browser: Browser, airflow: Airflow, user: str) -> Page:
    """Return a page with the session of a user, who shares nothing with the browser's other users."""
    page = browser.new_page(viewport={"width": 1500, "height": 1000})
    page.set_default_timeout(SOON)
    page.goto(f"{airflow.url}/auth/login")
    page.get_by_label("Username").fill(user)
    page.get_by_label("Password", exact=False).first.fill(password_of(airflow, user))
    page.get_by_role("button", name="Sign in", exact=False).click()
    page.wait_for_url(lambda url: "/auth/" not in url)
    page.wait_for_load_state("networkidle")
    return page


def password_of(airflow: Airflow, user: str) -> str:
    """Return the password of a user, as Airflow's simple auth manager wrote it."""
    file = airflow.home / "airflow" / "simple_auth_manager_passwords.json.generated"
    return str(json.loads(file.read_text())[user])
