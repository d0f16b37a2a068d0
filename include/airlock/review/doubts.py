"""Which instances of a transfer are doubtful, by the words of its project's policy."""

from __future__ import annotations

from typing import Literal

from airlock.findings import DISAGREEMENT_REASON, Findings, InstanceFindings
from airlock.ledger import InstanceState
from airlock.review.pictures import picture_of
from airlock.review_policy import ReviewWhen
from airlock.transfer import Transfer

Doubt = Literal["disagreement", "low confidence", "modality", "always", "residue"]
Doubts = dict[str, list[Doubt]]
"""By instance id."""


def find_doubts(transfer: Transfer, findings: Findings) -> Doubts:
    """Return every doubtful instance that is not held for another reason."""
    when = transfer.policy.review.when
    doubts: Doubts = {}
    for row in transfer.ledger.instances(transfer.id, InstanceState.RECEIVED, InstanceState.HELD):
        declared = row.state is InstanceState.HELD and row.reason == DISAGREEMENT_REASON
        if row.state is InstanceState.HELD and not declared:
            continue
        found: list[Doubt] = []
        if declared and when.disagreement and picture_of(transfer.workspace, row.id):
            found = ["disagreement"]
        if not declared:
            found = _of_findings(when, findings.instances.get(row.id)) + _of_picture(transfer, when, row.id)
        if found:
            doubts[row.id] = found
    return doubts


def _of_findings(when: ReviewWhen, found: InstanceFindings | None) -> list[Doubt]:
    if found is None or not when.low_confidence:
        return []
    return ["low confidence"] if any(f.confidence < when.below_confidence for f in found.found) else []


def _of_picture(transfer: Transfer, when: ReviewWhen, instance_id: str) -> list[Doubt]:
    if not (when.always or when.modalities):
        return []
    picture = picture_of(transfer.workspace, instance_id)
    if picture is None:
        return []
    if when.always:
        return ["always"]
    return ["modality"] if picture.modality in when.modalities else []
