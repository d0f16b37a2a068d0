"""What states and steps mean, for people who read a report and have never seen Airflow."""

from __future__ import annotations

from airlock.ledger import TransferState

STATES = {
    TransferState.REQUESTED: "It was asked for, and has not begun.",
    TransferState.RUNNING: "It is under way.",
    TransferState.REVIEW: "It waits for a person's answer.",
    TransferState.SENT: "Every instance that goes on was seen at each destination.",
    TransferState.EMPTY: "The project's rules left nothing to send.",
    TransferState.PREPARED: "It was prepared and not sent, as the request wished.",
    TransferState.HELD: "It was stopped, because a person must look at it first.",
    TransferState.FAILED: "An error stayed after it was tried again. It can go on where it stopped.",
    TransferState.REFUSED: "It may not be carried out as it was asked for.",
    TransferState.CANCELLED: "A person stopped it. Its files were removed.",
    TransferState.WITHDRAWN: (
        "A person took it back. Its files were removed here; what a destination had got must be deleted there. "
        "The list of it is withdrawn/{transfer}.csv below AIRLOCK_HOME, and `airlock reconcile` says when it is gone."
    ),
}
"""A sentence for each state; `{transfer}` stands for the id."""

STEPS = {
    "accept_request": "The request, the project's rules and its approval were checked.",
    "wait_for_study": "Until the study was complete at its source.",
    "pull_study": "Its files were fetched.",
    "screen_instances": "What the project does not want was left out.",
    "detect_burned_in_text": "Every picture was searched for text in its pixels.",
    "review_findings": "A person was asked about what was found.",
    "rewrite_pixels": "The text was painted over, in a sealed container.",
    "review_masked": "A person was asked about the masked pictures.",
    "deidentify": "Headers were de-identified.",
    "verify_output": "The result was searched for all that is known of the patient.",
    "release_to_research": "A person was asked whether it may be sent.",
    "send_to_research": "It was sent to the destinations.",
    "confirm_receipt": "Each destination had to show what it has.",
    "update_redcap": "REDCap was told.",
    "archive_request": "The request was archived, the files were removed.",
}


def meaning_of(state: str, transfer_id: str) -> str:
    """Return what a state means for a transfer."""
    return STATES[TransferState(state)].format(transfer=transfer_id)
