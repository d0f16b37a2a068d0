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
    "accept_request": "Checking the request, the project's rules and its approval.",
    "wait_for_study": "Waiting until the study is complete at its source.",
    "pull_study": "Fetching its files.",
    "screen_instances": "Leaving out what the project does not want.",
    "detect_burned_in_text": "Searching every picture for text in its pixels.",
    "review_findings": "Asking a person about what was found.",
    "rewrite_pixels": "Painting over the text, in a sealed container.",
    "review_masked": "Asking a person about the masked pictures.",
    "deidentify": "De-identifying headers.",
    "verify_output": "Searching the result for all that is known of the patient.",
    "release_to_research": "Asking a person whether it may be sent.",
    "send_to_research": "Sending to the destinations.",
    "confirm_receipt": "Asking each destination to show what it has.",
    "update_redcap": "Telling REDCap.",
    "archive_request": "Archiving the request, removing the files.",
}
"""What each step is for, whether or not it went well."""


def meaning_of(state: str, transfer_id: str) -> str:
    """Return what a state means for a transfer."""
    return STATES[TransferState(state)].format(transfer=transfer_id)
