"""Which tasks of a transfer have nothing to do, told by the task before them.

A task that is started only to find that it is not needed costs as much as one that works. These functions say so
ahead. They say it only where it is certain; a task that is cleared by hand runs all the same, and decides for itself.
"""

from __future__ import annotations

from airlock.findings import Findings
from airlock.transfer import Transfer


def after_detection(transfer: Transfer) -> list[str]:
    """Return the gates at which nobody is asked, and the rewriting when there is nothing to mask.

    Where a person may draw, or has drawn before, each task is left to decide for itself.
    """
    if transfer.policy.review.mode != "auto" or transfer.workspace.folder("review").exists():
        return []
    gates = ["review_findings", "review_masked"]
    return gates if Findings.load(transfer.workspace).instances else [*gates, "rewrite_pixels"]


def after_verification(transfer: Transfer) -> list[str]:
    """Return the gate of release when the project has none."""
    return [] if transfer.policy.review.release else ["release_to_research"]
