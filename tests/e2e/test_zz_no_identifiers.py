"""After all other transfers: nothing of any patient is where it doesn't belong."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import requests

from airlock.identity.keys import KeyRing
from demo import phantoms


def planted(installation) -> list[bytes]:
    """Everything by which the patients of all transfers could be known, in the spellings it was planted in."""
    found = set()
    for patient in installation.patients:
        found.update(patient.identifiers())
    assert len(found) > 10
    return sorted(value.encode() for value in found if len(value) >= 5)


def text_of(database) -> bytes:
    """Every value of every table of an SQLite database, as bytes."""
    parts = []
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        assert len(tables) > 2
        for table in tables:
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                parts += [value if isinstance(value, bytes) else str(value).encode() for value in row]
    return b"\n".join(parts)


def test_planted_identifiers_are_nowhere(installation, tmp_path):
    """Logs, Airflow's database, the ledger, REDCap's messages: searched for every planted value."""
    home = installation.stack.home
    files = phantoms.ultrasound_cine(tmp_path, installation.patient(), frames=2)
    transfer_id = installation.drop(installation.request(installation.put_into_raw(files)))
    refused = installation.drop(installation.request(installation.ct_study(tmp_path / "ct"), project="not known"))
    assert installation.wait(transfer_id, refused) == {transfer_id: "success", refused: "failed"}

    places = {path: path.read_bytes() for path in home.glob("log/*.log")}
    places |= {path: path.read_bytes() for path in home.glob("airflow/logs/**/*.log")}
    assert len(places) > 20
    places["metadata database"] = text_of(home / "airflow" / "airflow.db")
    places["ledger"] = text_of(home / "ledger.db")
    assert transfer_id.encode() in places["ledger"]
    assert transfer_id.encode() in places["metadata database"]
    data = {"token": installation.stack.state["token"], "content": "record", "format": "json", "type": "flat"}
    rows = requests.post(installation.stack.redcap_url, data=data, timeout=60).json()
    # REDCap's own record id is the original StudyInstanceUID.
    messages = [{k: v for k, v in row.items() if k != "study_instance_uid"} for row in rows]
    assert any(row.get("transfer_error_message") for row in messages)
    places["REDCap"] = json.dumps(messages).encode()

    # Who types a StudyInstanceUID into the form or sends it by REST leaves it in that run's configuration.
    typed = {uid.encode() for uid in installation.typed_study_uids}
    leaks = {
        (str(place), value.decode())
        for place, content in places.items()
        for value in planted(installation)
        if value in content and not (place == "metadata database" and value in typed)
    }
    assert leaks == set()


def test_the_key_is_nowhere(installation):
    path = installation.settings.key_path
    assert path.stat().st_mode & 0o777 == 0o600
    secret = path.read_text().strip().encode()
    assert KeyRing.load(path).master == bytes.fromhex(secret.decode())
    for log in installation.stack.home.rglob("*.log"):
        assert secret not in log.read_bytes()
