"""The steps that wait for a study and bring it into the transfer's workspace."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from airlock.dicomio.header import UnreadableInstance, read_header
from airlock.dicomio.progress import Progress, no_progress
from airlock.errors import HeldError
from airlock.ledger import Counts
from airlock.retrieve.links import Remote
from airlock.retrieve.sources import source_of
from airlock.transfer import Transfer
from airlock.workspace import disk_trouble_told


def study_is_ready(transfer: Transfer, peer: Remote | None) -> bool:
    """Whether the study can be pulled now.

    Raw folder: it exists, and nothing in it changed for `study_idle_seconds`. PACS: it knows an instance of it.

    :param peer: the staging PACS; None for the raw folder.
    :raises PeerUnavailable: the PACS doesn't answer.
    :raises AssociationRejected: the PACS refuses us.
    """
    return source_of(transfer, peer).is_ready()


def pull_study(transfer: Transfer, peer: Remote | None, progress: Progress | None = None) -> Counts:
    """Fill `incoming` with `<instance id>.dcm` and note every instance in the ledger.

    :param peer: the staging PACS; None for the raw folder.
    :raises StudyNotFound: the source doesn't have the study.
    :raises TransferIncomplete: instances are missing, or the study changed meanwhile.
    :raises TurnAwaited: as many as may pull from the PACS already.
    :raises PeerUnavailable: the PACS doesn't answer.
    :raises AssociationRejected: the PACS refuses us, or its C-MOVE doesn't lead to us.
    :raises AssociationAborted: an association ended in the middle.
    :raises HeldError: several studies match a request that means one, or several patients are in what came.
    """
    if transfer.workspace.complete("incoming"):
        return transfer.ledger.counts(transfer.id)
    source = source_of(transfer, peer)
    with disk_trouble_told(), transfer.workspace.writing("incoming") as folder:
        updates = source.bring(folder, progress or no_progress)
        transfer.ledger.record(transfer.id, updates)
        try:
            _one_patient(folder)
        except HeldError:
            # The next try must see what was corrected, not what is here.
            transfer.workspace.remove("incoming")
            raise
    counts = transfer.ledger.counts(transfer.id)
    transfer.ledger.event(
        transfer.id, "pull", "finished", received=counts.received, skipped=counts.skipped, held=counts.held
    )
    return counts


def _one_patient(folder: Path) -> None:
    """Hold a transfer in which there are instances of several patients: one pseudonym would join them for good.

    :raises HeldError: when there are.
    """
    patients: dict[str, int] = {}
    for path in folder.glob("*.dcm"):
        # What cannot be read is held by the step that screens.
        with suppress(UnreadableInstance, OSError):
            patient = read_header(path)["patient_id"]
            if patient:
                patients[patient] = patients.get(patient, 0) + 1
    if len(patients) > 1:
        parts = " + ".join(str(count) for count in sorted(patients.values(), reverse=True))
        raise HeldError(
            f"What came has {len(patients)} different patient IDs ({parts} instances). Have the study corrected at its "
            "source (wrong patient, or a merge that was not finished), then clear this task."
        )
