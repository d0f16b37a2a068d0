"""Which studies a request means, at which level they are asked for, and whether all of it came."""

import json

import pytest
from pydicom.uid import generate_uid

from airlock.dicomio.find import StudyKeys, find_studies
from airlock.errors import HeldError, StudyNotFound, TransferIncomplete
from airlock.request.store import RequestStore
from airlock.retrieve import sources
from airlock.retrieve.step import pull_study, study_is_ready
from airlock.transfer import Transfer
from tests.simulated_pacs import SimulatedPacs
from tests.studies import make_study
from tests.transfers import NO_GUARD, make_transfer

METHODS = ["c-move", "c-get"]


def transfer_for(tmp_path, method="c-get", study_uid="", **source):
    source = {"method": method, "connection": "staging", **source}
    return make_transfer(tmp_path, study_uid=study_uid, source=source, policy=NO_GUARD)


def hold(pacs, folder, count, **attributes):
    uids = [generate_uid() for _ in range(count)]
    for uid in uids:
        pacs.hold(make_study(folder / uid, uid, 1, 2, **attributes))
    return uids


@pytest.mark.parametrize("level", ["study", "series", "image"])
@pytest.mark.parametrize("method", METHODS)
def test_each_level_fetches_two_series(tmp_path, method, level):
    study_uid = generate_uid()
    transfer = transfer_for(tmp_path, method, study_uid, level=level)
    pacs = SimulatedPacs()
    pacs.hold(make_study(tmp_path / "made", study_uid, 2, 3))
    with pacs.running() as peer:
        assert pull_study(transfer, peer).received == 6
    asked = [r.QueryRetrieveLevel for r in pacs.retrievals]
    expected = {"study": ["STUDY"], "series": ["SERIES"] * 2, "image": ["IMAGE"] * 2}[level]
    # What a busy machine lost on its way is asked for once more.
    assert asked[: len(expected)] == expected
    assert len(set(pacs.retrieved)) == 6


def test_all_studies_of_an_accession_number(tmp_path):
    pacs = SimulatedPacs(matches_parts=True)
    uids = hold(pacs, tmp_path / "made", 2, AccessionNumber="AC1")
    hold(pacs, tmp_path / "other", 1, AccessionNumber="AC12")
    transfer = transfer_for(tmp_path, accession_number="AC1")
    with pacs.running() as peer:
        assert study_is_ready(transfer, peer)
        assert pull_study(transfer, peer).received == 4
    # from now on the request means these, and every step knows the study
    kept = RequestStore(transfer.settings.proc_folder).get(transfer.id).request
    assert set(kept.studies) == set(uids)
    again = Transfer.open(transfer.id, transfer.settings)
    assert again.request.study_instance_uid == min(uids)
    expected = json.loads((transfer.workspace.root / sources.EXPECTED_FILE).read_text())
    assert set(expected) == set(uids)
    (told,) = [d for _, _, kind, d in transfer.ledger.events(transfer.id) if kind == "expected"]
    assert (told["instances"], told["listed"], told["studies"]) == (4, 4, 2)
    assert not any(uid in json.dumps(told) for uid in uids)


def test_several_studies_of_a_patient_and_a_date_are_held_unless_the_request_wants_all(tmp_path):
    pacs = SimulatedPacs()
    hold(pacs, tmp_path / "made", 2, PatientID="P1")
    keys = {"patient_id": "P1", "study_date": "20240102"}
    with pacs.running() as peer:
        with pytest.raises(HeldError, match="2 studies") as caught:
            pull_study(transfer_for(tmp_path / "a", **keys), peer)
        assert "P1" not in str(caught.value)
        assert pull_study(transfer_for(tmp_path / "b", several="all", **keys), peer).received == 4
        with pytest.raises(HeldError):
            pull_study(transfer_for(tmp_path / "c", accession_number="ACC123", several="hold"), peer)
        assert not study_is_ready(transfer_for(tmp_path / "d", accession_number="NONE"), peer)
        with pytest.raises(StudyNotFound):
            pull_study(transfer_for(tmp_path / "d", accession_number="NONE"), peer)


def test_a_range_of_dates_and_answers_out_of_it(tmp_path):
    pacs = SimulatedPacs()
    (uid,) = hold(pacs, tmp_path / "made", 1, PatientID="P1")
    with pacs.running() as peer:
        assert [s.study_instance_uid for s in find_studies(peer, StudyKeys(patient_id="P1"))] == [uid]
        assert not find_studies(peer, StudyKeys(patient_id="P1", study_date="20250101"))


def test_several_patients_in_a_study_are_held(tmp_path):
    study_uid = generate_uid()
    pacs = SimulatedPacs()
    files = make_study(tmp_path / "made", study_uid, 1, 3)
    pacs.hold(files)
    pacs.instances[min(files)].PatientID = "SOMEBODY"
    transfer = transfer_for(tmp_path, study_uid=study_uid)
    with pacs.running() as peer:
        with pytest.raises(HeldError, match=r"2 different patient IDs \(2 \+ 1 instances\)") as caught:
            pull_study(transfer, peer)
        assert "SOMEBODY" not in str(caught.value)
        assert not transfer.workspace.complete("incoming")
        # corrected at the source: the next try sees that
        pacs.instances[min(files)].PatientID = "P-4711"
        assert pull_study(transfer, peer).received == 3


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("quirk", [{"limit": 2}, {"image_level": False}])
def test_what_is_counted_but_not_listed_comes_too(tmp_path, method, quirk):
    study_uid = generate_uid()
    transfer = transfer_for(tmp_path, method, study_uid)
    pacs = SimulatedPacs(tells_count=True, **quirk)
    files = make_study(tmp_path / "made", study_uid, 3, 4)
    pacs.hold(files)
    with pacs.running() as peer:
        assert pull_study(transfer, peer).received == 12
    assert transfer.ledger.find(transfer.id).expected == 12


def test_what_is_counted_but_not_listed_and_does_not_come_is_told(tmp_path):
    study_uid = generate_uid()
    transfer = transfer_for(tmp_path, "c-move", study_uid)
    files = make_study(tmp_path / "made", study_uid, 1, 4)
    pacs = SimulatedPacs(tells_count=True, image_level=False, withhold={min(files)})
    pacs.hold(files)
    with pacs.running() as peer:
        with pytest.raises(TransferIncomplete, match=r"3 of 4 .* Missing: 1 that it counts but doesn't list"):
            pull_study(transfer, peer)
        assert [r.QueryRetrieveLevel for r in pacs.retrievals] == ["STUDY", "SERIES"]
        pacs.withhold = set()
        assert pull_study(transfer, peer).received == 4


def test_a_series_that_does_not_come_is_asked_for_by_series_then_by_image(tmp_path):
    study_uid = generate_uid()
    transfer = transfer_for(tmp_path, "c-move", study_uid)
    files = make_study(tmp_path / "made", study_uid, 2, 2)
    lost = set(sorted(files, key=lambda uid: files[uid].parent)[:2])
    pacs = SimulatedPacs(withhold=lost)
    pacs.hold(files)
    with pacs.running() as peer, pytest.raises(TransferIncomplete, match="2 of 4") as caught:
        pull_study(transfer, peer)
    assert [r.QueryRetrieveLevel for r in pacs.retrievals] == ["STUDY", "SERIES", "IMAGE", "IMAGE"]
    assert all(transfer.instance_id(uid) in str(caught.value) for uid in lost)
    (told,) = [d for _, _, kind, d in transfer.ledger.events(transfer.id) if kind == "missing"]
    assert told["ids"] == sorted(transfer.instance_id(uid) for uid in lost)
