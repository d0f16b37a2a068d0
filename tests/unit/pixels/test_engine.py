from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest

from airlock.errors import DetectorUnavailable
from airlock.pixels.engine import DETECTION_MODEL, RECOGNITION_MODEL, RapidOcrEngine, Reading
from airlock.pixels.network import DetectionNetwork

MODELS = Path(importlib.util.find_spec("rapidocr_onnxruntime").origin).parent / "models"


@pytest.mark.parametrize("missing", [DETECTION_MODEL, RECOGNITION_MODEL])
def test_a_missing_model_is_said(tmp_path, missing):
    for name in {DETECTION_MODEL, RECOGNITION_MODEL} - {missing}:
        shutil.copyfile(MODELS / name, tmp_path / name)
    with pytest.raises(DetectorUnavailable, match=missing):
        RapidOcrEngine(tmp_path)


def test_a_broken_model_is_said(tmp_path):
    for name in (DETECTION_MODEL, RECOGNITION_MODEL):
        (tmp_path / name).write_bytes(b"not a model")
    with pytest.raises(DetectorUnavailable):
        RapidOcrEngine(tmp_path)


def test_a_failing_network_is_said(monkeypatch):
    engine = RapidOcrEngine()

    def fail(_self, _picture):
        raise RuntimeError("secret text")

    monkeypatch.setattr(DetectionNetwork, "candidates", fail)
    with pytest.raises(DetectorUnavailable) as raised:
        engine.find(np.zeros((64, 64, 3), np.uint8))
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("blind", [DetectionNetwork, RapidOcrEngine])
def test_a_model_that_sees_or_reads_nothing_is_said(monkeypatch, blind):
    """It loads, and would let everything pass."""
    if blind is DetectionNetwork:
        monkeypatch.setattr(DetectionNetwork, "candidates", lambda *_: [])
    else:
        monkeypatch.setattr(RapidOcrEngine, "read", lambda _self, _picture, boxes: [Reading("", 0.0)] * len(boxes))
    with pytest.raises(DetectorUnavailable, match="does not find text"):
        RapidOcrEngine()


@pytest.mark.parametrize(
    ("box", "said", "turns"),
    [
        pytest.param((0, 0, 100, 80), "", [0], id="nothing in a block"),
        pytest.param((0, 0, 100, 80), "c", [0, 2], id="something in a block"),
        pytest.param((0, 0, 200, 80), "", [0, 2], id="nothing in a line"),
        pytest.param((0, 0, 40, 40), "", [0, 2], id="nothing in a small box"),
        pytest.param((0, 0, 80, 200), "", [1, 3], id="nothing in an upright line"),
    ],
)
def test_what_is_turned_on_its_head(monkeypatch, box, said, turns):
    asked = []

    def read(_self, _picture, _boxes, given):
        asked.extend(turn for _, turn in given)
        return [(number, Reading(said, 20.0 if said else 0.0)) for number, _ in given]

    engine = RapidOcrEngine()
    monkeypatch.setattr(RapidOcrEngine, "_read_turned", read)
    engine.read(np.zeros((300, 300, 3), np.uint8), [box])
    assert asked == turns


def test_blanks_are_no_reading(monkeypatch):
    """A line on its head was once read as two blanks, without doubt, and not turned."""
    engine = RapidOcrEngine()
    answers = iter([([("  ", 0.94)], 0.0), ([("11 APR 1956", 0.9)], 0.0)])
    monkeypatch.setattr(engine, "_recognizer", lambda _crops: next(answers))
    [reading] = engine.read(np.zeros((40, 300, 3), np.uint8), [(0, 0, 300, 40)])
    assert reading.text == "11 APR 1956"
