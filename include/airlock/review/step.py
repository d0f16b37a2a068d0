"""The two halves of every gate: what a person is asked, and what the answer changes.

A gate that must ask nobody changes nothing. Nothing here decides that a picture is clean; a person does, and the
ledger says who, when, and how many rectangles were drawn and removed.
"""

from __future__ import annotations

from dataclasses import asdict

from airlock.errors import HeldError
from airlock.findings import DISAGREEMENT_REASON, RESIDUE_FILE, RESIDUE_REASON, Findings
from airlock.ledger import InstanceState, InstanceUpdate
from airlock.review.asked import MASK, QUARANTINE, Asked, Gate
from airlock.review.corrections import Corrections, held_before
from airlock.review.doubts import Doubts, find_doubts
from airlock.review.merge import Change, merge, publish, with_earlier_drawings
from airlock.transfer import Transfer

LOOK_AGAIN = "look_again"
"""A file in the folder `review`: a person wants to see the masked pictures."""

HELD_BY_REVIEWER = "A reviewer held this instance."
HELD_IN_DOUBT = "The detector's finding is doubtful, and the project's policy holds what is. Look at the original."


def prepare_review(transfer: Transfer, gate: Gate) -> Asked | None:
    """Return what a person must be asked now; None when nothing."""
    prepare = {
        "review_findings": _before_masking,
        "review_masked": _after_masking,
        "release_to_research": _before_sending,
    }[gate]
    asked = prepare(transfer)
    if asked is not None:
        asked.save(transfer.workspace)
    return asked


def _before_masking(transfer: Transfer) -> Asked | None:
    findings = _draw_again(transfer)
    mode = transfer.policy.review.mode
    if mode == "auto":
        return None
    doubts = find_doubts(transfer, findings)
    if mode == "hold":
        _hold(transfer, doubts)
        return None
    earlier = Asked.load(transfer.workspace)
    if earlier is not None:
        # The gate was cleared: what was let go by the answer before is asked again.
        doubts = {**earlier.doubts, **doubts}
    return _ask("review_findings", findings, doubts) if doubts else None


def _draw_again(transfer: Transfer) -> Findings:
    """Return the findings; what was drawn before the detection was done anew is in them again."""
    findings = Findings.load(transfer.workspace)
    redone = with_earlier_drawings(transfer.workspace, findings)
    if redone is None:
        return findings
    publish(transfer.workspace, redone)
    boxes = {name: found.boxes for name, found in redone.instances.items()}
    transfer.ledger.record(transfer.id, [InstanceUpdate(name, boxes=number) for name, number in boxes.items()])
    transfer.ledger.event(transfer.id, "review", "drawn again", instances=len(boxes), boxes=sum(boxes.values()))
    return redone


def _after_masking(transfer: Transfer) -> Asked | None:
    review = transfer.workspace.folder("review")
    if transfer.policy.review.mode != "review":
        return None
    residue = transfer.workspace.folder("rewritten") / RESIDUE_FILE
    remains = Findings.read(residue).instances if residue.exists() else {}
    if not remains and not (review / LOOK_AGAIN).exists():
        return None
    earlier = Asked.load(transfer.workspace)
    doubts: Doubts = {name: list(kinds) for name, kinds in earlier.doubts.items()} if earlier else {}
    for name in remains:
        doubts[name] = [*(kind for kind in doubts.get(name, []) if kind != "residue"), "residue"]
    return _ask("review_masked", Findings.load(transfer.workspace), doubts)


def _before_sending(transfer: Transfer) -> Asked | None:
    options = transfer.request.options
    if not transfer.policy.review.release or options.dry_run or options.stop_before_send:
        return None
    earlier = Asked.load(transfer.workspace)
    return _ask("release_to_research", Findings.load(transfer.workspace), earlier.doubts if earlier else {})


def _ask(gate: Gate, findings: Findings, doubts: Doubts) -> Asked:
    boxes = sum(found.boxes for found in findings.instances.values())
    return Asked(gate, doubts, sorted({*findings.instances, *doubts}), boxes)


def _hold(transfer: Transfer, doubts: Doubts) -> None:
    fresh = [name for name, kinds in doubts.items() if "disagreement" not in kinds]
    updates = [InstanceUpdate(name, InstanceState.HELD, HELD_IN_DOUBT) for name in fresh]
    if updates:
        transfer.ledger.record(transfer.id, updates)
        transfer.ledger.event(transfer.id, "review", "held in doubt", instances=len(updates))


def apply_review(
    transfer: Transfer, gate: Gate, option: str, person: str, reason: str = "", digest: str = ""
) -> dict[str, int]:
    """Do what a person decided; return numbers of what changed.

    :param person: user name in Airflow; empty when nobody answered in time.
    :param reason: one of `airlock.review.asked.REASONS`.
    :param digest: of the saved rectangles that the person saw; empty when the answer doesn't say.
    :raises HeldError: when the answer is to quarantine, or it can't be what the person meant.
    """
    corrections = Corrections.load(transfer.workspace)
    answer = {"gate": gate, "answer": option, "person": person or "nobody in time", "reason": reason}
    if option == QUARANTINE:
        transfer.ledger.event(transfer.id, "review", "answered", **answer)
        who = "A reviewer" if person else "Nobody answered in time, and the default"
        raise HeldError(f"{who} put this transfer into quarantine. Clear the task {gate} to be asked again.")
    if digest and digest != corrections.digest:
        raise HeldError(f"The rectangles were changed after they were seen. Clear the task {gate} and look again.")
    if gate != "review_findings":
        return _answer_later(transfer, corrections, option, answer)
    return _take(transfer, corrections, answer, look_again=option == MASK)


def _answer_later(transfer: Transfer, corrections: Corrections, option: str, answer: dict[str, str]) -> dict[str, int]:
    before = held_before(transfer.workspace)
    # An instance that was held at the first gate may be let go only after it was shown masked.
    changed = any(c.frames or (name in before and not c.hold) for name, c in corrections.instances.items())
    if changed or option == MASK:
        raise HeldError(
            "There are rectangles to mask, or a wish for them: clear the task rewrite_pixels with downstream. "
            "It masks what was saved on the review page, and this gate asks again."
        )
    held = {name for name, correction in corrections.instances.items() if correction.hold}
    updates = [InstanceUpdate(name, InstanceState.HELD, HELD_BY_REVIEWER) for name in sorted(held)]
    transfer.ledger.record(transfer.id, updates)
    released = _let_go(transfer, held | before, RESIDUE_REASON)
    (transfer.workspace.folder("review") / LOOK_AGAIN).unlink(missing_ok=True)
    transfer.ledger.event(transfer.id, "review", "answered", **answer, held=len(held), released=released)
    corrections.retire(transfer.workspace)
    return {"held": len(held), "released": released}


def take_corrections(transfer: Transfer) -> dict[str, int]:
    """Before a rewrite: apply rectangles that a reviewer saved at a later gate; nothing when there are none."""
    corrections = Corrections.load(transfer.workspace)
    if not corrections.digest:
        return {}
    answer = {"gate": "review_masked", "answer": MASK, "person": corrections.person, "reason": ""}
    return _take(transfer, corrections, answer, look_again=True)


def _take(transfer: Transfer, corrections: Corrections, answer: dict[str, str], *, look_again: bool) -> dict[str, int]:
    """Apply corrections; every part of it can be done twice, and the file is retired last."""
    workspace, change = transfer.workspace, Change()
    review = workspace.folder("review")
    if corrections.digest:
        findings, change = merge(Findings.load(workspace), corrections)
        publish(workspace, findings)
        _record(transfer, findings, corrections)
    held = {name for name, correction in corrections.instances.items() if correction.hold}
    held |= held_before(workspace) - corrections.instances.keys()
    released = _let_go(transfer, held, DISAGREEMENT_REASON, RESIDUE_REASON)
    marker = review / LOOK_AGAIN
    marker.touch() if look_again else marker.unlink(missing_ok=True)
    transfer.ledger.event(
        transfer.id, "review", "answered", **answer, **asdict(change), released=released, digest=corrections.digest
    )
    corrections.retire(workspace)
    return {**asdict(change), "released": released}


def _record(transfer: Transfer, findings: Findings, corrections: Corrections) -> None:
    rows = {row.id: row for row in transfer.ledger.instances(transfer.id)}
    updates = []
    for name, correction in corrections.instances.items():
        found = findings.instances.get(name)
        state, reason = rows[name].state, rows[name].reason
        if correction.hold:
            state, reason = InstanceState.HELD, HELD_BY_REVIEWER
        elif state is InstanceState.READY or (state is InstanceState.HELD and reason == HELD_BY_REVIEWER):
            # What was de-identified before is not what is wanted now.
            state, reason = InstanceState.RECEIVED, ""
        updates.append(InstanceUpdate(name, state, reason, boxes=found.boxes if found else 0))
    transfer.ledger.record(transfer.id, updates)


def _let_go(transfer: Transfer, held: set[str], *reasons: str) -> int:
    """Let instances go on that were held for these reasons until a person had looked; return how many.

    Only those that were shown: the policy may leave some kind of doubt held without asking.
    """
    asked = Asked.load(transfer.workspace)
    seen = set(asked.instances) if asked else set()
    rows = transfer.ledger.instances(transfer.id, InstanceState.HELD)
    names = [row.id for row in rows if row.reason in reasons and row.id in seen - held]
    transfer.ledger.record(transfer.id, [InstanceUpdate(name, InstanceState.RECEIVED, "") for name in names])
    return len(names)
