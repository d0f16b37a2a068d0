"""Corrections are kept, found changed when they were, and merged into findings."""

from __future__ import annotations

from airlock.findings import Findings, Found, InstanceFindings
from airlock.review.corrections import Correction, Corrections
from airlock.review.merge import merge
from airlock.workspace import Workspace

A, B, C = (0, 0, 10, 10), (20, 20, 40, 30), (5, 50, 60, 70)


def findings() -> Findings:
    found = [
        Found(0, A, "ocr", 40.0, matches_identifier=True),
        Found(0, B, "ocr", 95.0),
        Found(3, B, "location", 100.0),
    ]
    return Findings(5, {"i-1": InstanceFindings({0: [A, B], 3: [B]}, ["ocr"], {}, found)}, ["i-9"])


def test_a_corrected_frame_is_replaced_and_others_stay():
    merged, change = merge(findings(), Corrections("dora", {"i-1": Correction({0: [B, C]})}))
    after = merged.instances["i-1"]
    assert after.frames == {0: sorted([B, C]), 3: [B]}
    assert Found(0, C, "reviewer", 100.0) in after.found
    assert not [f for f in after.found if f.box == A]
    assert (change.drawn, change.removed, change.identifiers, change.held) == (1, 1, 1, 0)
    assert (merged.examined, merged.not_rewritten) == (5, ["i-9"])


def test_an_instance_without_rectangles_is_no_longer_rewritten():
    merged, change = merge(findings(), Corrections("dora", {"i-1": Correction({0: [], 3: []})}))
    assert merged.instances == {}
    assert change.removed == 3


def test_overlays_stay_without_rectangles():
    only = Findings(1, {"i-1": InstanceFindings({0: [A]}, ["overlay"], {"6000": {0: [B]}})})
    merged, _ = merge(only, Corrections("dora", {"i-1": Correction({0: []})}))
    assert merged.instances["i-1"].overlays == {"6000": {0: [B]}}


def test_an_instance_without_findings_can_get_some():
    merged, change = merge(findings(), Corrections("dora", {"i-2": Correction({1: [C]})}))
    assert merged.instances["i-2"].frames == {1: [C]}
    assert list(merged.instances) == ["i-1", "i-2"]
    assert change.drawn == 1


def test_merging_twice_changes_nothing_more():
    corrections = Corrections("dora", {"i-1": Correction({0: [B, C]}), "i-2": Correction({1: [C]}, hold=True)})
    once, _ = merge(findings(), corrections)
    twice, change = merge(once, corrections)
    assert twice == once
    assert (change.drawn, change.removed) == (0, 0)


def test_the_digest_tells_one_drawing_from_another(tmp_path):
    workspace = Workspace(tmp_path)
    first = Corrections("dora", {"i-1": Correction({0: [A]})}).save(workspace)
    assert Corrections.load(workspace).digest == first
    assert Corrections.load(workspace).instances == {"i-1": Correction({0: [A]})}
    second = Corrections("dora", {"i-1": Correction({0: [B]})}).save(workspace)
    assert first != second
    Corrections.load(workspace).retire(workspace)
    assert Corrections.load(workspace) == Corrections()
    assert [path.name for path in (tmp_path / "review").iterdir()] == ["applied-001.json"]
