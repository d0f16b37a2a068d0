"""What our receiver writes beside a series, and that it starts transfers."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager

import yaml

from airlock.dicomio.outgoing import Outgoing
from airlock.dicomio.peer import Peer
from airlock.dicomio.store import send_files
from airlock.dicomio.wire.acceptor import Admission
from airlock.dicomio.wire.counts import Counts
from airlock.dicomio.wire.server import StorageServer
from airlock.dicomio.wire.shelf import Shelf
from airlock.errors import UnexpectedFailure
from airlock.identity.keys import KeyRing
from airlock.intake.arrived import arrived_studies
from airlock.intake.index import note_arrival
from airlock.intake.route import route_arrived
from airlock.settings import Settings
from airlock.transfer import open_ledger
from tests.studies import make_instance

STUDY = "1.2.826.0.1.3680043.8.498.4714"


@contextmanager
def receiver(folder, arrived=note_arrival):
    counts = Counts()
    shelf = Shelf(folder, counts, sync=False, least_free_bytes=0, arrived=arrived)
    server = StorageServer(shelf, Admission("PROJ"), counts=counts)
    try:
        yield server
    finally:
        server.stop()


def send(server, *files):
    peer = Peer("127.0.0.1", server.port, called_aet="PROJ", calling_aet="MR1")
    return [o.status for o in send_files(peer, [Outgoing.of(str(n), file) for n, file in enumerate(files)])]


def instance(folder, number, **attributes):
    return make_instance(
        folder / str(number),
        STUDY,
        f"{STUDY}.1",
        f"{STUDY}.1.{number}",
        SpecificCharacterSet="ISO_IR 192",
        **attributes,
    )


def test_what_arrives_by_a_route_becomes_a_request(tmp_path):
    """A store to the AE title of a route writes the file that the drop folder needs, with the subject of the route."""
    settings = Settings(home=tmp_path / "home", projects=tmp_path / "projects", routing=tmp_path / "routing.yaml")
    settings.projects.mkdir()
    (settings.projects / "Trial.yaml").write_text(yaml.safe_dump({"name": "Trial"}))
    routes = [{"project": "Trial", "called": "PROJ", "calling": "MR1", "patient_name": "Trial-(0|1)[0-9]+"}]
    settings.routing.write_text(yaml.safe_dump({"routes": routes}))
    with receiver(settings.raw_folder) as server:
        assert send(server, instance(tmp_path, 1, PatientName="Trial-017")) == [0]
    for path in settings.raw_folder.rglob("*.json"):
        os.utime(path, (path.stat().st_mtime - 60,) * 2)
    result = route_arrived(settings, open_ledger(settings), KeyRing.load(settings.key_path))
    assert (len(result.transfers), result.refused) == (1, {})
    (dropped,) = settings.drop_folder.glob("*.json")
    request = json.loads(dropped.read_text())
    assert (request["study_instance_uid"], request["transfer_name"]) == (STUDY, "Trial-017")


def test_the_first_instance_says_whose_series_it_is(tmp_path):
    with receiver(tmp_path / "raw") as server:
        assert send(server, instance(tmp_path, 1, PatientName="Ærø^Åse", AccessionNumber="A1")) == [0]
        (index,) = (tmp_path / "raw").rglob("*.json")
        os.utime(index, (1, 1))
        assert send(server, instance(tmp_path, 2, PatientName="Other^One")) == [0]
    assert index.name == f"{STUDY}.1.json"
    assert index.stat().st_mtime > 1
    (study,) = arrived_studies(tmp_path / "raw")
    assert study.connections == {("MR1", "PROJ")}
    assert (study.patient_names, study.accession_numbers) == ({"Ærø^Åse"}, {"A1"})
    assert json.loads(index.read_text())["IncomingConnection"]["CallerIP"] == "127.0.0.1"


def test_an_index_that_cannot_be_written_loses_no_instance(tmp_path):
    def fails(_file, _caller):
        raise UnexpectedFailure("no room")

    with receiver(tmp_path / "raw", fails) as server:
        assert send(server, instance(tmp_path, 1)) == [0]
        assert (server.counts["stored"], server.counts["not_indexed"]) == (1, 1)


def test_without_an_index_nothing_is_read(tmp_path):
    with receiver(tmp_path / "raw", None) as server:
        assert send(server, instance(tmp_path, 1)) == [0]
    assert not list((tmp_path / "raw").rglob("*.json"))
