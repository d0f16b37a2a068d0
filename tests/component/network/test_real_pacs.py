"""Each real PACS as the staging and as the research one."""

import shutil
from dataclasses import replace

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from airlock.deliver.step import confirm_receipt, send_to_research
from airlock.dicomio.echo import echo
from airlock.dicomio.find import StudyKeys, find_instances, find_studies
from airlock.dicomio.header import read_header
from airlock.dicomio.store import Outgoing, send_files
from airlock.errors import AssociationRejected, StudyNotFound, TransferIncomplete
from airlock.ledger import InstanceState
from airlock.retrieve.step import pull_study, study_is_ready
from tests.pacs import PROGRAMS, START
from tests.peers import require
from tests.studies import make_study
from tests.transfers import NO_GUARD, make_ready, make_transfer

# dcmqrscp takes uncompressed syntaxes, or one compressed one that it is told on the command line.
COMPRESSED = ("JPEG2000.dcm", "SC_rgb_rle_2frame.dcm", "SC_rgb_jpeg_gdcm.dcm")


@pytest.fixture(scope="module", params=sorted(START))
def pacs(request, tmp_path_factory):
    require(*PROGRAMS[request.param])
    with START[request.param](tmp_path_factory.mktemp(request.param)) as peer:
        yield request.param, peer


def store(peer, files):
    outcomes = list(send_files(peer, [Outgoing.of(uid, path) for uid, path in files.items()]))
    assert [o.status for o in outcomes] == [0] * len(files)


def compressed_study(folder, study_uid):
    """Shipped compressed files, moved into one study; their pixel data stay as they are."""
    files = {}
    for name in COMPRESSED:
        dataset = dcmread(get_testdata_file(name, download=False))
        sop_uid = generate_uid()
        dataset.StudyInstanceUID, dataset.SOPInstanceUID = study_uid, sop_uid
        dataset.SeriesInstanceUID = generate_uid()
        dataset.PatientID = "P-4711"
        dataset.file_meta.MediaStorageSOPInstanceUID = sop_uid
        folder.mkdir(exist_ok=True)
        files[sop_uid] = folder / sop_uid
        dataset.save_as(files[sop_uid], enforce_file_format=True)
    return files


def test_answers(pacs):
    _, peer = pacs
    echo(peer)
    assert find_studies(peer, StudyKeys("1.2.3.4.5.6")) == []
    assert find_instances(peer, "1.2.3.4.5.6") == {}


@pytest.mark.parametrize("method", ["c-move", "c-get"])
def test_as_staging(pacs, method, tmp_path):
    name, peer = pacs
    study_uid = generate_uid()
    files = make_study(tmp_path / "made", study_uid, 2, 3)
    if name != "dcmqrscp":
        files |= compressed_study(tmp_path / "compressed", study_uid)
    transfer = make_transfer(tmp_path, study_uid=study_uid, source={"method": method, "connection": "staging"})
    assert not study_is_ready(transfer, peer)
    with pytest.raises(StudyNotFound):
        pull_study(transfer, peer)
    store(peer, files)
    store(peer, make_study(tmp_path / "other", generate_uid(), 1, 1))
    assert study_is_ready(transfer, peer)
    assert pull_study(transfer, peer).received == len(files)
    assert transfer.ledger.find(transfer.id).expected == len(files)
    folder = transfer.workspace.folder("incoming")
    assert {p.name for p in folder.iterdir()} == {f"{transfer.instance_id(uid)}.dcm" for uid in files}
    for uid, path in files.items():
        received = folder / f"{transfer.instance_id(uid)}.dcm"
        header = read_header(received, whole=True)
        assert header["sop_instance_uid"] == header.media_sop_instance_uid == uid
        original, copy = dcmread(path), dcmread(received)
        # What is compressed came as it was stored; explicit and implicit VR are the peer's choice.
        if original.file_meta.TransferSyntaxUID.is_compressed:
            assert copy.file_meta.TransferSyntaxUID == original.file_meta.TransferSyntaxUID
        assert copy.PixelData == original.PixelData


def test_as_research(pacs, tmp_path):
    _, peer = pacs
    study_uid = generate_uid()
    files = make_study(tmp_path / "made", study_uid, 2, 4)
    transfer = make_transfer(tmp_path)
    ids = make_ready(transfer, files)
    told = []
    send_to_research(transfer, peer, lambda done, total: told.append((done, total)))
    assert told == [(n, 8) for n in range(1, 9)]
    acknowledged = transfer.ledger.instances(transfer.id, InstanceState.ACKNOWLEDGED)
    assert sorted(i.id for i in acknowledged) == sorted(ids)
    assert {i.status for i in acknowledged} == {0}
    assert confirm_receipt(transfer, peer).sent == 8
    assert set(find_instances(peer, study_uid)) == set(files)
    # again: nothing happens
    assert send_to_research(transfer, peer).sent == 8
    assert confirm_receipt(transfer, peer).sent == 8
    events = [(step, kind) for _, step, kind, _ in transfer.ledger.events(transfer.id)]
    assert events.count(("send", "finished")) == 1


def test_only_what_is_missing_is_pulled(pacs, tmp_path):
    _, peer = pacs
    study_uid = generate_uid()
    files = make_study(tmp_path / "made", study_uid, 2, 3)
    store(peer, files)
    transfer = make_transfer(
        tmp_path, study_uid=study_uid, source={"method": "c-move", "connection": "staging"}, policy=NO_GUARD
    )
    partial = transfer.workspace.partial("incoming")
    partial.mkdir(parents=True)
    # One of each series: what is missing is asked for by lists of instances. qrscp doesn't understand these.
    present = list({path.parent: uid for uid, path in files.items()}.values())
    marks = {}
    for uid in present:
        target = partial / f"{transfer.instance_id(uid)}.dcm"
        shutil.copyfile(files[uid], target)
        marks[uid] = target.stat().st_ino
    assert pull_study(transfer, peer).received == 6
    for uid, inode in marks.items():
        path = transfer.workspace.folder("incoming") / f"{transfer.instance_id(uid)}.dcm"
        assert path.stat().st_ino == inode


def test_an_unknown_move_destination_is_told(pacs, tmp_path):
    _, peer = pacs
    study_uid = generate_uid()
    store(peer, make_study(tmp_path / "made", study_uid, 1, 1))
    transfer = make_transfer(
        tmp_path, study_uid=study_uid, source={"method": "c-move", "connection": "staging"}, policy=NO_GUARD
    )
    # Orthanc answers 0xC000 instead of 0xA801: then the advice is all there is.
    with pytest.raises((AssociationRejected, TransferIncomplete), match=r"knows? .*NOBODY"):
        pull_study(transfer, replace(peer, move_aet="NOBODY"))


def test_an_unknown_called_ae_is_rejected(pacs):
    name, peer = pacs
    stranger = replace(peer, called_aet="NOT-THERE")
    if name == "qrscp":
        echo(stranger)  # it answers to any title
        return
    with pytest.raises(AssociationRejected, match="Register our AE title"):
        echo(stranger)
