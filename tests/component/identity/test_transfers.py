"""The steps and the identity store together: what is decided reaches the outputs, and verification expects it."""

from __future__ import annotations

import pickle
import pkgutil

import pydicom
import pytest

from airlock.deid.step import deidentify
from airlock.errors import HeldError, PeerUnavailable
from airlock.identity.fiona import fiona_study_id, fiona_uid
from airlock.identity.importer import import_mappings
from airlock.identity.keys import KeyRing
from airlock.identity.mappings import Mappings
from airlock.identity.rotation import rotate_key
from airlock.identity.store import open_store
from airlock.transfer import Transfer
from airlock.verify.step import verify_output
from tests.component.deid.conftest import fill
from tests.synthetic import ACCESSION, FRAME, PATIENT, PLANTED, STUDY, ct
from tests.transfers import make_transfer

MOVED = {"options": ["retain_longitudinal_modified_dates"]}


class InThisProcess:
    """Works on tasks without workers: starting those is most of what the tests here would wait for."""

    def __init__(self, *_, **__):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def run(self, make, argument, tasks, *_, **__):
        make = pkgutil.resolve_name(make) if isinstance(make, str) else make
        work = make(pickle.loads(pickle.dumps(argument)))
        return ((task, work(task)) for task in tasks)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr("airlock.deid.step.Workers", InThisProcess)
    monkeypatch.setattr("airlock.verify.step.Workers", InThisProcess)


@pytest.fixture
def transfer(tmp_path):
    def make(datasets=None, *, study_uid=STUDY, identity=None, options=None, **request):
        """Return a transfer of one study, up to the pixel step."""
        made = make_transfer(
            tmp_path,
            study_uid=study_uid,
            policy={"identity": identity or {}, "deidentify": MOVED},
            settings={"workers": 1},
            options=options or {},
            **request,
        )
        if not made.workspace.root.exists():
            fill(made, datasets or [ct(1), ct(2)])
        return made

    return make


def done(transfer: Transfer):
    """De-identify and verify; return the first output."""
    counts = deidentify(transfer)
    assert counts.held == 0
    assert verify_output(transfer) == counts
    paths = sorted(transfer.workspace.folder("deidentified").rglob("*.dcm"))
    assert not [word for path in paths for word in PLANTED if word.encode() in path.read_bytes().lower()]
    return pydicom.dcmread(paths[0])


def store_of(transfer: Transfer):
    return open_store(transfer.settings, KeyRing.load(transfer.settings.key_path))


def test_numbers_accessions_and_the_later_study(transfer):
    identity = {"patient": "running", "site": "5274", "accession": "keyed"}
    first = done(transfer(identity=identity))
    assert (first.PatientID, str(first.PatientName)) == ("5274-000001", "5274-000001")
    assert len(first.AccessionNumber) == 16
    later = ct(9, StudyInstanceUID=f"{STUDY}.9", SeriesInstanceUID=f"{STUDY}.9.1")
    second = transfer([later], study_uid=f"{STUDY}.9", identity=identity, transfer_name="T-002")
    rotate_key(second.settings)
    second = done(Transfer.open(second.id, second.settings))
    assert (second.PatientID, second.AccessionNumber) == (first.PatientID, first.AccessionNumber)
    assert (second.StudyDate, second.FrameOfReferenceUID) == (first.StudyDate, first.FrameOfReferenceUID)
    assert second.StudyInstanceUID != first.StudyInstanceUID


def test_what_was_imported_reaches_the_output(transfer):
    made = transfer()
    mappings = Mappings("rsna-lookup")
    mappings.add_patient(PATIENT, "T-001", offset_days=-3)
    mappings.add_uid(FRAME, "1.2.3.99")
    import_mappings(store_of(made), made.keys, made.policy, mappings)
    found = done(made)
    assert (found.FrameOfReferenceUID, found.StudyDate) == ("1.2.3.99", "20200107")


def test_fionas_project_goes_on(transfer):
    rule = {"uids": "fiona", "illegal_uids": "keep", "dates": "constant", "shift_days": 42, "accession": "fiona"}
    made = transfer(identity=rule)
    found = done(made)
    assert found.StudyInstanceUID == fiona_uid(STUDY, "Trial")
    assert found.StudyID == fiona_study_id(STUDY, "Trial")
    assert found.StudyDate == "20200221"
    assert found.AccessionNumber.isdigit()


def test_a_dry_run_leaves_no_row(transfer):
    made = transfer(identity={"patient": "running", "site": "S"}, options={"dry_run": True})
    assert done(made).PatientID == "S-000000"
    assert store_of(made).counts() == {}


def test_cut_ties_leave_no_row_and_every_try_makes_the_same(transfer):
    made = transfer(identity={"patient": "cut_ties"})
    first = done(made)
    made.workspace.remove("deidentified")
    again = done(made)
    assert (again.PatientID, again.SOPInstanceUID) == (first.PatientID, first.SOPInstanceUID)
    assert first.PatientID.startswith("P-")
    assert store_of(made).counts() == {}
    made.workspace.purge()
    other = done(transfer(identity={"patient": "cut_ties"}))
    assert other.PatientID != first.PatientID
    assert other.StudyInstanceUID != first.StudyInstanceUID


def test_a_conflict_is_held_before_anything_is_written(transfer):
    done(transfer())
    made = transfer(transfer_name="T-002", redcap_repeat_instance=2)
    with pytest.raises(HeldError, match="under another research subject id"):
        deidentify(made)
    assert not made.workspace.complete("deidentified")


def test_without_the_store_nothing_goes_on(transfer, monkeypatch):
    made = transfer()
    unreachable = made.settings.model_copy(update={"identity_url": "postgresql+psycopg://airlock@127.0.0.1:1/none"})
    with pytest.raises(PeerUnavailable, match="identity store cannot be used") as error:
        deidentify(Transfer.open(made.id, unreachable))
    assert error.value.__cause__ is None
    assert not made.workspace.complete("deidentified")


def test_what_the_lookup_table_needs_is_noted(transfer, tmp_path):
    from airlock.identity.exports import export

    made = transfer()
    done(made)
    assert export(store_of(made), "Trial", "lookup", tmp_path / "lookup.csv") == 1
    row = (tmp_path / "lookup.csv").read_text("utf-8").splitlines()[1]
    for value in ("T-001", PATIENT, "Quillfeather^Zebedee^X", "20200110", ACCESSION, STUDY):
        assert value in row
