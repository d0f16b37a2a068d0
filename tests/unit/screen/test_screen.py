import shutil
import struct

import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from airlock.errors import TransferIncomplete
from airlock.ledger import InstanceState
from airlock.retrieve.step import pull_study
from airlock.screen.step import screen_instances
from tests.studies import CT, MR, PRESENTATION_STATE, SECONDARY_CAPTURE, make_instance
from tests.transfers import make_transfer

STUDY = "1.2.826.0.1.3680043.8.498.4712"
REMOVE_ALL = {"screen": {"remove_presentation_states": True, "remove_secondary_captures": True}}
US = "1.2.840.10008.5.1.4.1.1.6.1"
PDF = "1.2.840.10008.5.1.4.1.1.104.1"


def screened(tmp_path, build, policy=None):
    """Pull and screen what `build` puts into the raw folder; return the transfer and (state, reason) by file name."""
    transfer = make_transfer(tmp_path, study_uid=STUDY, policy=policy)
    raw = tmp_path / "raw" / STUDY
    raw.mkdir(parents=True)
    uids = build(raw) or {}
    pull_study(transfer, None)
    screen_instances(transfer)
    found = {i.id: (i.state, i.reason or "") for i in transfer.ledger.instances(transfer.id)}
    return transfer, {p.name: found[transfer.instance_id(uids.get(p.name, p.name))] for p in raw.iterdir()}


def put(raw, name, **options):
    uid = options.pop("sop_uid", None) or generate_uid()
    make_instance(raw / name, options.pop("study", STUDY), "1.2.3.9", uid, **options)
    return uid


OBJECTS = {
    "ct": {"sop_class": CT},
    "derived": {"sop_class": MR, "ImageType": ["DERIVED", "SECONDARY", "MPR"]},
    "pr": {"sop_class": PRESENTATION_STATE, "size": 0, "Modality": "PR"},
    "blending": {"sop_class": "1.2.840.10008.5.1.4.1.1.11.8", "size": 0, "Modality": "PR"},
    "sc": {"sop_class": SECONDARY_CAPTURE},
    "sc multi-frame": {"sop_class": f"{SECONDARY_CAPTURE}.4"},
    "ct as sc": {"sop_class": SECONDARY_CAPTURE, "Modality": "CT"},
    "screen save": {"sop_class": CT, "ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]},
    "workstation": {"sop_class": US, "ConversionType": "WSD"},
    "other": {"sop_class": US, "Modality": "OT", "ImageType": ["DERIVED", "SECONDARY"]},
    "interface": {"sop_class": US, "Modality": "US", "ConversionType": "DI"},
    "pdf": {"sop_class": PDF, "size": 0, "ConversionType": "WSD", "Modality": "DOC", "ImageType": None},
}


def test_without_flags_everything_goes_on(tmp_path):
    _, found = screened(tmp_path, lambda raw: {name: put(raw, name, **o) for name, o in OBJECTS.items()})
    assert {state for state, _ in found.values()} == {InstanceState.RECEIVED}


def test_flags_remove_by_what_the_object_is(tmp_path):
    transfer, found = screened(
        tmp_path, lambda raw: {name: put(raw, name, **o) for name, o in OBJECTS.items()}, REMOVE_ALL
    )
    state_reason = (InstanceState.SKIPPED, "presentation state (policy)")
    capture_reason = (InstanceState.SKIPPED, "secondary capture (policy)")
    kept = (InstanceState.RECEIVED, "")
    assert found == {
        "ct": kept,
        "derived": kept,
        "pr": state_reason,
        "blending": state_reason,
        "sc": capture_reason,
        "sc multi-frame": capture_reason,
        "ct as sc": capture_reason,
        "screen save": capture_reason,
        "workstation": capture_reason,
        "other": capture_reason,
        "interface": kept,
        "pdf": kept,
    }
    event = transfer.ledger.events(transfer.id)[-1]
    assert event[1:3] == ("screen", "finished")
    assert event[3]["reasons"] == {state_reason[1]: 2, capture_reason[1]: 6}
    counts = transfer.ledger.counts(transfer.id)
    assert (counts.received, counts.skipped, counts.open) == (12, 8, 4)


def test_one_flag_leaves_the_other_kind(tmp_path):
    policy = {"screen": {"remove_presentation_states": True}}
    _, found = screened(tmp_path, lambda raw: {n: put(raw, n, **OBJECTS[n]) for n in ("pr", "sc")}, policy)
    assert [found[n][0] for n in ("pr", "sc")] == [InstanceState.SKIPPED, InstanceState.RECEIVED]


def test_what_is_not_understood_is_held(tmp_path):
    def build(raw):
        uids = {"good": put(raw, "good")}
        (raw / "empty").touch()
        (raw / "report.pdf").write_bytes(b"%PDF-1.7 ...")
        (raw / "archive.dcm").write_bytes(b"PK\x03\x04" + bytes(300))
        shutil.copyfile(get_testdata_file("DICOMDIR", download=False), raw / "DICOMDIR")
        shutil.copyfile(get_testdata_file("no_meta.dcm", download=False), raw / "headless")
        uids["foreign"] = put(raw, "foreign", study="1.2.99")
        uids["private"] = put(raw, "private", sop_class="1.3.12.2.1107.5.9.1")
        put(raw, "nameless", SOPInstanceUID=None)
        uids["seriesless"] = put(raw, "seriesless", SeriesInstanceUID=None)
        uids["cut"] = put(raw, "cut")
        (raw / "cut").write_bytes((raw / "cut").read_bytes()[:-100])
        uids["liar"] = put(raw, "liar", size=0)
        with (raw / "liar").open("ab") as stream:
            stream.write(b"\xe0\x7f\x10\x00OW\0\0" + struct.pack("<L", 3 << 30) + bytes(10))
        return uids

    transfer, found = screened(tmp_path, build)
    assert found.pop("good") == (InstanceState.RECEIVED, "")
    assert {state for state, _ in found.values()} == {InstanceState.HELD}
    categories = {name: reason.split(":")[0] for name, (_, reason) in found.items()}
    assert categories == {
        "empty": "Invalid_DICOM",
        "report.pdf": "Invalid_DICOM",
        "archive.dcm": "Invalid_DICOM",
        "DICOMDIR": "Invalid_Storage_Class",
        "headless": "Invalid_DICOM",
        "foreign": "Invalid_DICOM",
        "private": "Invalid_Storage_Class",
        "nameless": "Missing_Attributes",
        "seriesless": "Missing_Attributes",
        "cut": "DICOM_Read_Error",
        "liar": "DICOM_Read_Error",
    }
    assert not any(STUDY in reason or "1.2.99" in reason for _, reason in found.values())
    # again: the same
    before = transfer.ledger.instances(transfer.id)
    screen_instances(transfer)
    assert transfer.ledger.instances(transfer.id) == before


def test_a_missing_file_is_held_and_a_missing_pull_is_told(tmp_path):
    transfer, _ = screened(tmp_path, lambda raw: {"a": put(raw, "a")})
    (instance,) = transfer.ledger.instances(transfer.id)
    (transfer.workspace.folder("incoming") / f"{instance.id}.dcm").unlink()
    assert screen_instances(transfer).held == 1
    transfer.workspace.remove("incoming")
    with pytest.raises(TransferIncomplete, match="not pulled"):
        screen_instances(transfer)
