"""The gates of a transfer: what is asked, and what an answer changes in the workspace and the ledger."""

from __future__ import annotations

import json

import pytest
from pydicom import dcmread

from airlock.errors import HeldError
from airlock.findings import DISAGREEMENT_REASON, RESIDUE_FILE, RESIDUE_REASON, Findings, InstanceFindings
from airlock.ledger import InstanceState, InstanceUpdate
from airlock.review.asked import MASK, QUARANTINE, RELEASE, Asked
from airlock.review.corrections import Correction, Corrections
from airlock.review.merge import DETECTED
from airlock.review.show import shown
from airlock.review.step import HELD_BY_REVIEWER, HELD_IN_DOUBT, apply_review, prepare_review, take_corrections
from airlock.workspace import link_or_copy
from tests.component.review.conftest import BOX, PATIENT

DRAWN = (100, 100, 140, 130)


def rows(made) -> dict[str, InstanceUpdate]:
    return {row.id: row for row in made.ledger.instances(made.id)}


def answers(made) -> list[dict]:
    return [detail for _, step, kind, detail in made.ledger.events(made.id) if (step, kind) == ("review", "answered")]


def test_auto_asks_nothing_and_changes_nothing(transfer):
    made, *_ = transfer(10.0)
    before = rows(made)
    for gate in ("review_findings", "review_masked", "release_to_research"):
        assert prepare_review(made, gate) is None
    assert rows(made) == before
    assert not made.workspace.folder("review").exists()
    assert take_corrections(made) == {}


@pytest.mark.parametrize(
    ("confidence", "when", "doubts"),
    [
        (90.0, {}, {"ct": ["disagreement"]}),
        (49.0, {}, {"cine": ["low confidence"], "ct": ["disagreement"]}),
        (49.0, {"low_confidence": False, "disagreement": False}, {}),
        (90.0, {"modalities": ["US"], "disagreement": False}, {"cine": ["modality"]}),
        (90.0, {"modalities": ["MR"], "disagreement": False}, {}),
        (90.0, {"always": True}, {"cine": ["always"], "ct": ["disagreement"]}),
    ],
)
def test_the_policy_says_what_is_doubtful(transfer, confidence, when, doubts):
    made, cine, ct = transfer(confidence, mode="review", when=when)
    asked = prepare_review(made, "review_findings")
    names = {"cine": cine, "ct": ct}
    expected = {names[name]: kinds for name, kinds in doubts.items()}
    assert (asked.doubts if asked else {}) == expected
    if asked:
        assert cine in asked.instances
        assert asked.counts["doubtful"] == len(doubts)


def test_hold_holds_what_is_doubtful_without_asking(transfer):
    made, cine, ct = transfer(10.0, mode="hold")
    assert prepare_review(made, "review_findings") is None
    assert (rows(made)[cine].state, rows(made)[cine].reason) == (InstanceState.HELD, HELD_IN_DOUBT)
    assert rows(made)[ct].reason == DISAGREEMENT_REASON


def test_release_lets_go_what_a_person_saw(transfer):
    made, cine, ct = transfer(mode="review")
    prepare_review(made, "review_findings")
    assert apply_review(made, "review_findings", RELEASE, "dora", "nothing identifies")["released"] == 1
    assert rows(made)[ct].state is InstanceState.RECEIVED
    assert Findings.load(made.workspace).instances[cine].frames == {1: [BOX]}
    assert prepare_review(made, "review_masked") is None
    [answer] = answers(made)
    assert (answer["person"], answer["reason"]) == ("dora", "nothing identifies")
    # Cleared, the gate asks about the same again.
    assert ct in prepare_review(made, "review_findings").doubts


def test_release_lets_nothing_go_that_nobody_was_shown(transfer):
    made, _cine, ct = transfer(10.0, mode="review", when={"disagreement": False})
    assert ct not in prepare_review(made, "review_findings").instances
    assert apply_review(made, "review_findings", RELEASE, "dora")["released"] == 0
    assert rows(made)[ct].reason == DISAGREEMENT_REASON


def test_mask_merges_relinks_and_asks_again(transfer):
    made, cine, ct = transfer(mode="review")
    prepare_review(made, "review_findings")
    corrections = Corrections("dora", {cine: Correction({1: [], 2: [DRAWN]}), ct: Correction(hold=True)})
    digest = corrections.save(made.workspace)
    apply_review(made, "review_findings", MASK, "dora", digest=digest)
    workspace = made.workspace
    for name in ("findings", "flagged"):
        assert Findings.read(workspace.folder(name) / "findings.json").instances[cine].frames == {2: [DRAWN]}
    assert Findings.read(workspace.folder("findings") / DETECTED).instances[cine].frames == {1: [BOX]}
    assert [path.stem for path in workspace.folder("flagged").glob("*.dcm")] == [cine]
    assert (rows(made)[ct].state, rows(made)[ct].reason) == (InstanceState.HELD, HELD_BY_REVIEWER)
    [answer] = answers(made)
    counts = {name: answer[name] for name in ("drawn", "removed", "identifiers", "held", "digest")}
    assert counts == {"drawn": 1, "removed": 1, "identifiers": 1, "held": 1, "digest": digest}
    assert prepare_review(made, "review_masked").gate == "review_masked"


@pytest.mark.parametrize("mode", ["review", "hold"])
def test_a_new_detection_does_not_lose_what_was_drawn(transfer, mode):
    made, cine, _ct = transfer(mode=mode)
    original = Findings.load(made.workspace)
    Corrections("dora", {cine: Correction({1: [], 2: [DRAWN]})}).save(made.workspace)
    prepare_review(made, "review_findings")
    apply_review(made, "review_findings", MASK, "dora")
    made.workspace.remove("findings", "flagged", "rewritten")
    with made.workspace.writing("findings") as folder:
        original.write(folder / "findings.json")
    prepare_review(made, "review_findings")
    for folder_name in ("findings", "flagged"):
        found = Findings.read(made.workspace.folder(folder_name) / "findings.json")
        assert found.instances[cine].frames == {1: [BOX], 2: [DRAWN]}
    assert rows(made)[cine].boxes == 2


def test_quarantine_holds_and_names_nobody_when_nobody_answered(transfer):
    made, *_ = transfer(mode="review")
    for person, word in (("dora", "A reviewer"), ("", "Nobody answered")):
        with pytest.raises(HeldError, match=word):
            apply_review(made, "review_findings", QUARANTINE, person)
    assert [a["person"] for a in answers(made)] == ["dora", "nobody in time"]


def test_rectangles_that_nobody_saw_are_not_applied(transfer):
    made, cine, _ = transfer(mode="review")
    seen = Corrections("dora", {cine: Correction({1: [DRAWN]})}).save(made.workspace)
    Corrections("otto", {cine: Correction({1: []})}).save(made.workspace)
    with pytest.raises(HeldError, match="changed after"):
        apply_review(made, "review_findings", MASK, "dora", digest=seen)
    assert Findings.load(made.workspace).instances[cine].frames == {1: [BOX]}


@pytest.fixture
def masked(transfer):
    """A transfer that was masked, in which the detector still finds something."""
    made, cine, _ct = transfer(mode="review")
    prepare_review(made, "review_findings")
    apply_review(made, "review_findings", RELEASE, "dora")
    with made.workspace.writing("rewritten") as folder:
        link_or_copy(made.workspace.folder("incoming") / f"{cine}.dcm", folder / f"{cine}.dcm")
        Findings(1, {cine: InstanceFindings({3: [DRAWN]}, ["residue"])}).write(folder / RESIDUE_FILE)
    made.ledger.record(made.id, [InstanceUpdate(cine, InstanceState.HELD, RESIDUE_REASON)])
    return made, cine


def test_residue_is_asked_about_and_released(masked):
    made, cine = masked
    asked = prepare_review(made, "review_masked")
    assert "residue" in asked.doubts[cine]
    assert apply_review(made, "review_masked", RELEASE, "dora")["released"] == 1
    assert rows(made)[cine].state is InstanceState.RECEIVED


def test_rectangles_at_the_second_gate_are_masked_before_anything_is_released(masked):
    made, cine = masked
    prepare_review(made, "review_masked")
    Corrections("otto", {cine: Correction({3: [DRAWN]})}).save(made.workspace)
    with pytest.raises(HeldError, match="clear the task rewrite_pixels"):
        apply_review(made, "review_masked", RELEASE, "dora")
    assert made.workspace.complete("rewritten")
    assert take_corrections(made)["drawn"] == 1
    assert not made.workspace.complete("rewritten")
    assert rows(made)[cine].state is InstanceState.RECEIVED
    assert Findings.load(made.workspace).instances[cine].frames == {1: [BOX], 3: [DRAWN]}
    assert (answers(made)[-1]["person"], answers(made)[-1]["answer"]) == ("otto", MASK)
    assert take_corrections(made) == {}
    assert prepare_review(made, "review_masked") is not None


def test_an_instance_can_be_held_alone_at_a_later_gate(masked):
    made, cine = masked
    Corrections("dora", {cine: Correction(hold=True)}).save(made.workspace)
    apply_review(made, "review_masked", RELEASE, "dora")
    assert (rows(made)[cine].state, rows(made)[cine].reason) == (InstanceState.HELD, HELD_BY_REVIEWER)


def test_an_instance_that_was_held_stays_held_when_text_remains_in_it(transfer):
    made, cine, _ct = transfer(mode="review")
    prepare_review(made, "review_findings")
    Corrections("dora", {cine: Correction(hold=True)}).save(made.workspace)
    apply_review(made, "review_findings", MASK, "dora")
    made.ledger.record(made.id, [InstanceUpdate(cine, InstanceState.HELD, RESIDUE_REASON)])
    prepare_review(made, "review_masked")
    [entry] = [i for i in shown(made.workspace)["instances"] if i["id"] == cine]
    assert entry["held"]
    apply_review(made, "review_masked", RELEASE, "dora")
    assert rows(made)[cine].state is InstanceState.HELD
    Corrections("dora", {cine: Correction(hold=False)}).save(made.workspace)
    with pytest.raises(HeldError):
        apply_review(made, "review_masked", RELEASE, "dora")
    take_corrections(made)
    assert rows(made)[cine].state is InstanceState.RECEIVED


def test_what_was_de_identified_before_is_done_again(transfer):
    made, cine, _ = transfer(mode="review")
    made.ledger.record(made.id, [InstanceUpdate(cine, InstanceState.READY, path="a/b/c.dcm")])
    Corrections("dora", {cine: Correction({0: [DRAWN]})}).save(made.workspace)
    take_corrections(made)
    assert rows(made)[cine].state is InstanceState.RECEIVED


def test_the_release_gate_asks_when_the_policy_says_so(transfer):
    made, *_ = transfer(release=True)
    assert prepare_review(made, "review_findings") is None
    assert prepare_review(made, "release_to_research").gate == "release_to_research"


def test_nothing_of_the_patient_is_in_what_is_asked_or_shown(masked, tmp_path):
    made, cine = masked
    prepare_review(made, "review_masked")
    header = dcmread(made.workspace.folder("incoming") / f"{cine}.dcm", stop_before_pixels=True)
    told = json.dumps([shown(made.workspace), Asked.load(made.workspace).counts, answers(made)])
    uids = [header.SOPInstanceUID, header.SeriesInstanceUID, header.StudyInstanceUID]
    assert not [word for word in (*PATIENT.identifiers(), *uids) if word in told]
    [only] = [entry for entry in shown(made.workspace)["instances"] if entry["id"] == cine]
    assert (only["rows"], only["columns"], only["frames"], only["masked"]) == (240, 320, 4, True)
    assert only["boxes"] == {1: [[*BOX, "ocr", 90, True]]}
    assert only["residue"] == {3: [[*DRAWN, "ocr", 100, False]]}
