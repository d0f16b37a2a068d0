"""Nothing that a step says holds what a file says."""

import logging
import warnings

import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid

from airlock.deliver.step import confirm_receipt, send_to_research
from airlock.errors import AirlockError
from airlock.retrieve.step import pull_study
from airlock.screen.step import screen_instances
from tests.simulated_pacs import SimulatedPacs
from tests.studies import make_study
from tests.transfers import NO_GUARD, make_ready, make_transfer


@pytest.mark.parametrize("method", ["c-move", "c-get"])
def test_no_log_no_warning_no_error_and_no_event_quotes_a_dataset(tmp_path, method, caplog, capfd):
    study_uid = generate_uid()
    files = make_study(tmp_path / "made", study_uid, 2, 2, PatientName="Planted^Name", PatientID="PLANTED-ID")
    for path in files.values():
        dataset = dcmread(path)
        # Values that the DICOM libraries warn about, and quote.
        dataset.PatientBirthDate = "PLANTED-DATE"
        dataset.save_as(path)
    transfer = make_transfer(
        tmp_path, study_uid=study_uid, source={"method": method, "connection": "staging"}, policy=NO_GUARD
    )
    withheld = sorted(files)[0]
    pacs = SimulatedPacs(withhold={withheld}, store_statuses={1: 0xC000, 2: 0xA700}, abort_at=6)
    pacs.hold(files)
    said = []

    def attempt(step, *arguments):
        try:
            step(*arguments)
        except AirlockError as error:
            said.append(str(error))

    capfd.readouterr()
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings(record=True) as warned, pacs.running() as peer:
        warnings.simplefilter("always")
        attempt(pull_study, transfer, peer)
        pacs.withhold = set()
        attempt(pull_study, transfer, peer)
        attempt(screen_instances, transfer)
        make_ready(transfer, files)
        attempt(send_to_research, transfer, peer)
        attempt(send_to_research, transfer, peer)
        attempt(send_to_research, transfer, peer)
        attempt(confirm_receipt, transfer, peer)
    assert len(said) >= 3
    said += [record.getMessage() for record in caplog.records] + [str(w.message) for w in warned]
    said += [*capfd.readouterr(), repr(transfer.ledger.events(transfer.id))]
    said += [f"{i.id} {i.reason}" for i in transfer.ledger.instances(transfer.id)]
    series = {path.parent.name for path in files.values()}
    for planted in ["Planted", "PLANTED", study_uid, *series, *files]:
        assert not [text for text in said if planted in text]
