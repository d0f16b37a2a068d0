"""The step as the chain runs it, and the verification after it."""

from __future__ import annotations

import time
from pathlib import Path

import pydicom
import pytest

from airlock.deid.step import deidentify
from airlock.errors import HeldError, IdentifierFound, PixelsNotCleaned
from airlock.ledger import InstanceState
from airlock.transfer import Transfer
from airlock.verify.step import verify_output
from tests.component.deid.conftest import MakeTransfer
from tests.processes import start
from tests.synthetic import PLANTED, ct


def outputs(transfer: Transfer) -> list[Path]:
    return sorted(transfer.workspace.folder("deidentified").rglob("*.dcm"))


def test_everything_received_becomes_ready_and_passes_verification(make_transfer: MakeTransfer) -> None:
    transfer = make_transfer([ct(1), ct(2), ct(3)], rewritten=(1,), event="visit 2")
    calls: list[tuple[int, int | None]] = []
    counts = deidentify(transfer, lambda done, total: calls.append((done, total)))
    assert (counts.received, counts.held, counts.open) == (3, 0, 3)
    assert calls[-1] == (3, 3)
    rows = transfer.ledger.instances(transfer.id, InstanceState.READY)
    assert {row.path for row in rows} == {
        path.relative_to(transfer.workspace.folder("deidentified")).as_posix() for path in outputs(transfer)
    }
    for row in rows:
        path = transfer.workspace.folder("deidentified") / (row.path or "")
        ds = pydicom.dcmread(path)
        assert path.stat().st_size == row.size
        assert path.parts[-3:] == (ds.StudyInstanceUID, ds.SeriesInstanceUID, f"{ds.SOPInstanceUID}.dcm")
        assert ds.SOPInstanceUID == row.sop_instance_uid == ds.file_meta.MediaStorageSOPInstanceUID
        assert (ds.PatientID, str(ds.PatientName), ds.ClinicalTrialTimePointID) == ("ONE-001", "ONE-001", "visit 2")
        rewritten = row.id == transfer.instance_id("1.2.276.0.7230010.3.1.5.2")
        codes = [item.CodeValue for item in ds.DeidentificationMethodCodeSequence]
        assert codes == (["113100", "113101"] if rewritten else ["113100"])
        assert ds.get("BurnedInAnnotation") == ("NO" if rewritten else None)
        assert not [word for word in PLANTED if word.encode() in path.read_bytes().lower()]
    assert verify_output(transfer) == counts


def test_again_does_nothing(make_transfer: MakeTransfer) -> None:
    transfer = make_transfer([ct(1), ct(2)])
    counts = deidentify(transfer)
    before = {path: path.stat().st_mtime_ns for path in outputs(transfer)}
    assert deidentify(transfer) == counts
    assert {path: path.stat().st_mtime_ns for path in outputs(transfer)} == before


def test_two_patients_in_a_study_are_held(make_transfer: MakeTransfer) -> None:
    transfer = make_transfer([ct(1), ct(2, PatientID="somebody else")])
    with pytest.raises(HeldError, match="2 different PatientIDs") as caught:
        deidentify(transfer)
    assert "somebody" not in str(caught.value)
    assert not transfer.workspace.complete("deidentified")


def test_a_missing_rewritten_file_stops_everything(make_transfer: MakeTransfer) -> None:
    transfer = make_transfer([ct(1), ct(2)], rewritten=(0,))
    next(transfer.workspace.folder("rewritten").iterdir()).unlink()
    with pytest.raises(PixelsNotCleaned, match="Run the pixel rewrite step"):
        deidentify(transfer)
    assert not transfer.workspace.complete("deidentified")


def test_missing_findings_stop_everything(make_transfer: MakeTransfer) -> None:
    transfer = make_transfer([ct(1)])
    transfer.workspace.remove("findings")
    with pytest.raises(PixelsNotCleaned, match="detection"):
        deidentify(transfer)


def test_a_broken_instance_is_held_and_the_others_go_on(make_transfer: MakeTransfer) -> None:
    transfer = make_transfer([ct(1), ct(2), ct(3)])
    broken = transfer.instance_id("1.2.276.0.7230010.3.1.5.2")
    path = transfer.workspace.folder("incoming") / f"{broken}.dcm"
    path.write_bytes(path.read_bytes()[:-40])
    counts = deidentify(transfer)
    assert (counts.held, counts.open) == (1, 2)
    (row,) = transfer.ledger.instances(transfer.id, InstanceState.HELD)
    assert (row.id, row.reason) == (broken, "De-identification: Its pixel data is cut short.")
    verify_output(transfer)


def test_killed_at_any_moment_it_goes_on_where_it_was(make_transfer: MakeTransfer) -> None:
    transfer = make_transfer([ct(number) for number in range(1, 81)])
    partial = transfer.workspace.partial("deidentified")
    kept: dict[Path, int] = {}
    for written in (1, 50):
        process = start(deidentify, transfer)
        deadline = time.monotonic() + 60
        while process.is_alive() and len(list(partial.rglob("*.dcm"))) < written and time.monotonic() < deadline:
            time.sleep(0.005)
        process.kill()
        process.join()
        ready = transfer.ledger.instances(transfer.id, InstanceState.READY)
        kept = {partial / row.path: (partial / row.path).stat().st_mtime_ns for row in ready if row.path}
    counts = deidentify(transfer)
    assert (counts.received, counts.held, counts.open) == (80, 0, 80)
    final = transfer.workspace.folder("deidentified")
    assert len(outputs(transfer)) == 80
    assert not list(final.rglob("*.part"))
    for path, modified in kept.items():
        assert (final / path.relative_to(partial)).stat().st_mtime_ns == modified
    verify_output(transfer)


@pytest.mark.parametrize("where", ["element", "nested", "private", "bytes", "uid", "date"])
def test_verification_finds_a_planted_leak(make_transfer: MakeTransfer, where: str) -> None:
    transfer = make_transfer([ct(1), ct(2)])
    deidentify(transfer)
    path = outputs(transfer)[0]
    ds = pydicom.dcmread(path)
    if where == "element":
        ds.StationName = "QUILLFEATHER"
    elif where == "nested":
        ds.ReferencedImageSequence[0].CodeMeaning = "scan of zebedee"
    elif where == "private":
        ds.private_block(0x0009, "MAKER", create=True).add_new(1, "LO", "harmless")
    elif where == "bytes":
        ds.RedPaletteColorLookupTableData = b"\1\2\3Quillfeather\0\1\2"
    elif where == "uid":
        ds.SynchronizationFrameOfReferenceUID = "1.2.276.0.7230010.3.1.4.300"
    else:
        ds.ContentDate = "20200112"
    ds.save_as(path)
    with pytest.raises(HeldError) as caught:
        verify_output(transfer)
    assert isinstance(caught.value, IdentifierFound) == (where != "private")
    message = str(caught.value)
    assert any(transfer.instance_id(f"1.2.276.0.7230010.3.1.5.{number}") in message for number in (1, 2))
    assert not [word for word in PLANTED if word in message.lower()]


def test_verification_compares_folder_and_ledger(make_transfer: MakeTransfer) -> None:
    transfer = make_transfer([ct(1), ct(2)])
    deidentify(transfer)
    outputs(transfer)[0].unlink()
    with pytest.raises(HeldError, match="2 outputs ready, the workspace 1"):
        verify_output(transfer)


def test_moved_dates_pass_even_when_one_becomes_another(make_transfer: MakeTransfer) -> None:
    days = [f"2020{month:02}{day:02}" for month in range(1, 13) for day in range(1, 29)]
    datasets = [ct(number, ContentDate=day) for number, day in enumerate(days[:60], start=1)]
    transfer = make_transfer(datasets, options=("retain_longitudinal_modified_dates",))
    deidentify(transfer)
    verify_output(transfer)
    path = outputs(transfer)[0]
    ds = pydicom.dcmread(path)
    ds.StudyDate = "20200110"
    ds.save_as(path)
    with pytest.raises(IdentifierFound, match="StudyDate"):
        verify_output(transfer)
