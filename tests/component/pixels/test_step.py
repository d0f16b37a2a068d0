from __future__ import annotations

import json
import logging
import shutil

import numpy as np
import pytest
from pydicom import dcmread

from airlock.errors import DetectorUnavailable, PixelsNotCleaned
from airlock.findings import Findings, InstanceFindings
from airlock.ledger import InstanceState, InstanceUpdate
from airlock.pixels import step
from airlock.pixels.decode import StoredImage
from airlock.pixels.detect import examine
from airlock.pixels.engine import load_engine
from airlock.pixels.pool import worker_environment
from airlock.pixels.rewrite import rewrite_file
from airlock.pixels.step import detect_burned_in_text, finish_rewrite, prepare_rewrite, run_locally
from demo.phantoms import Patient, ct_series, presentation_state, secondary_capture, ultrasound_cine

SMALL = {"rows": 240, "columns": 320, "size": 13}


@pytest.fixture
def study(tmp_path):
    """CT without text, a cine with text on frame 1, a presentation state."""
    folder, patient = tmp_path / "study", Patient.invent(3)
    ct = ct_series(folder, patient, 1, side=64)
    return [
        *ultrasound_cine(folder, patient, 2, text_frames=[1], **SMALL),
        *ct,
        presentation_state(folder, patient, ct[0]),
    ]


def states(transfer) -> dict[str, InstanceUpdate]:
    return {i.id: i for i in transfer.ledger.instances(transfer.id)}


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> InstanceFindings:
    """What the detector finds in the study's cine."""
    [cine] = ultrasound_cine(tmp_path_factory.mktemp("cine"), Patient.invent(3), 2, text_frames=[1], **SMALL)
    return InstanceFindings(
        {n: [f.box for f in b] for n, b in examine(StoredImage(cine), load_engine(), 20) if b}, ["ocr"]
    )


@pytest.fixture
def detected(transfer, study, found):
    """A transfer whose detection is finished."""
    opened = transfer(study)
    instance = opened.instance_id(dcmread(study[0], stop_before_pixels=True).SOPInstanceUID)
    with opened.workspace.writing("findings") as folder:
        Findings(2, {instance: found}, []).write(folder / "findings.json")
    assert detect_burned_in_text(opened) == 1
    return opened, prepare_rewrite(opened, attempt=1), instance


@pytest.fixture
def rewritten(detected, found):
    """A transfer whose rewriter has run; its output is not checked yet."""
    opened, job, instance = detected
    output, _ = rewrite_file(job.input / f"{instance}.dcm", job.output, found.frames)
    return opened, job, instance, output


def test_from_detection_to_published_files(transfer, study, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    opened = transfer(study, workers=2)
    told = []
    assert detect_burned_in_text(opened, lambda done, total: told.append((done, total))) == 1
    assert told[-1] == (3, 3)
    findings = Findings.load(opened.workspace)
    [(instance, found)] = findings.instances.items()
    assert findings.examined == 2
    assert list(found.frames) == [1]
    assert {"ocr", "Ultrasound"} <= set(found.reasons)
    assert [p.name for p in opened.workspace.folder("findings").iterdir()] == ["findings.json"]
    flagged = opened.workspace.folder("flagged")
    assert {p.name for p in flagged.iterdir()} == {f"{instance}.dcm", "findings.json"}

    job = prepare_rewrite(opened, attempt=1)
    assert "/input/findings.json" in job.arguments
    run_locally(job)
    assert finish_rewrite(opened, job) == found.boxes
    assert opened.ledger.counts(opened.id).boxes == found.boxes
    [path] = opened.workspace.folder("rewritten").iterdir()
    assert path.name == f"{instance}.dcm"
    original = dcmread(opened.workspace.folder("incoming") / path.name)
    assert (dcmread(path).pixel_array[0] == original.pixel_array[0]).all()
    assert not (dcmread(path).pixel_array[1] == original.pixel_array[1]).all()
    assert not job.output.exists()

    assert detect_burned_in_text(opened) == 1
    assert prepare_rewrite(opened, attempt=2) is None
    assert finish_rewrite(opened, job) == found.boxes

    told_values = (
        caplog.text + "".join(capfd.readouterr()) + json.dumps([str(e) for e in opened.ledger.events(opened.id)])
    )
    told_values += (opened.workspace.folder("findings") / "findings.json").read_text()
    for identifier in Patient.invent(3).identifiers():
        assert identifier not in told_values


def test_nothing_to_rewrite(transfer, tmp_path):
    opened = transfer(ct_series(tmp_path / "ct", Patient(), 1, side=64))
    assert detect_burned_in_text(opened) == 0
    assert prepare_rewrite(opened, attempt=1) is None
    assert not opened.workspace.complete("flagged")


def test_policy_leaves_text_and_says_so(transfer, study):
    opened = transfer(study, rewrite=False)
    assert detect_burned_in_text(opened) == 0
    findings = Findings.load(opened.workspace)
    assert findings.instances == {}
    assert len(findings.not_rewritten) == 1
    assert prepare_rewrite(opened, attempt=1) is None


def test_skipped_instances_are_not_examined(transfer, study):
    opened = transfer(study)
    names = sorted(states(opened))
    opened.ledger.record(opened.id, [InstanceUpdate(n, InstanceState.SKIPPED, "rule") for n in names])
    assert detect_burned_in_text(opened) == 0
    assert Findings.load(opened.workspace).examined == 0


def test_what_cannot_be_decoded_is_held(transfer, study, tmp_path):
    broken = tmp_path / "broken.dcm"
    ds = dcmread(study[1])
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4.5"
    ds.PixelData = ds.PixelData[: len(ds.PixelData) // 2]
    ds.save_as(broken)
    opened = transfer([*study, broken])
    assert detect_burned_in_text(opened) == 1
    held = [i for i in states(opened).values() if i.state is InstanceState.HELD]
    assert [i.id for i in held] == [opened.instance_id("1.2.3.4.5")]
    assert "could not be examined" in held[0].reason
    assert held[0].id not in Findings.load(opened.workspace).instances


def test_declared_text_that_is_not_found_is_held(transfer, tmp_path):
    opened = transfer([secondary_capture(tmp_path / "sc", Patient(), text=[], rows=120, columns=160)])
    assert detect_burned_in_text(opened) == 0
    [instance] = states(opened).values()
    assert instance.state is InstanceState.HELD


def test_without_a_detector_nothing_goes_on(transfer, study, tmp_path, monkeypatch):
    """The worker finds another, empty package of models first."""
    fake = tmp_path / "fake"
    (fake / "rapidocr_onnxruntime").mkdir(parents=True)
    (fake / "rapidocr_onnxruntime" / "__init__.py").touch()
    environment = step_environment(fake)
    monkeypatch.setattr("airlock.pixels.pool.worker_environment", lambda: environment)
    opened = transfer(study)
    with pytest.raises(DetectorUnavailable, match="missing"):
        detect_burned_in_text(opened)
    assert not opened.workspace.complete("findings")
    assert all(i.state is InstanceState.RECEIVED for i in states(opened).values())


def step_environment(first) -> dict[str, str]:
    environment = worker_environment()
    return {**environment, "PYTHONPATH": f"{first}:{environment['PYTHONPATH']}"}


def test_a_killed_try_is_continued(transfer, study, monkeypatch):
    opened = transfer(study)
    survey = step.survey

    def interrupted(files, search, workers):
        yield next(iter(survey(files, search, workers)))
        raise KeyboardInterrupt

    monkeypatch.setattr(step, "survey", interrupted)
    with pytest.raises(KeyboardInterrupt):
        detect_burned_in_text(opened)
    asked = []

    def counted(files, search, workers):
        asked.extend(files)
        return survey(files, search, workers)

    monkeypatch.setattr(step, "survey", counted)
    assert detect_burned_in_text(opened) == 1
    assert len(asked) == 2


# What finish_rewrite must catch, whatever the program said of itself


def test_a_missing_output_is_caught(rewritten):
    opened, job, instance, output = rewritten
    output.unlink()
    with pytest.raises(PixelsNotCleaned, match=f"{instance}: it has no output"):
        finish_rewrite(opened, job)
    assert not opened.workspace.complete("rewritten")


def test_an_unchanged_file_is_caught(rewritten):
    opened, job, instance, output = rewritten
    shutil.copyfile(opened.workspace.folder("flagged") / f"{instance}.dcm", output)
    with pytest.raises(PixelsNotCleaned, match=instance):
        finish_rewrite(opened, job)


def test_an_unchanged_picture_that_says_no_is_caught(rewritten):
    opened, job, instance, output = rewritten
    ds = dcmread(opened.workspace.folder("flagged") / f"{instance}.dcm")
    ds.BurnedInAnnotation = "NO"
    ds.save_as(output)
    with pytest.raises(PixelsNotCleaned, match=f"{instance}: the pixels of frame 1"):
        finish_rewrite(opened, job)


def change(output, edit) -> None:
    ds = dcmread(output)
    pixels = ds.pixel_array.copy()
    edit(ds, pixels)
    ds.PixelData = np.ascontiguousarray(pixels).tobytes()
    ds.save_as(output)


@pytest.mark.parametrize(
    "edit",
    [
        lambda ds, pixels: pixels.__setitem__((0, 200, 100), 99),
        lambda ds, pixels: pixels.__setitem__((1, 12, 15), 99),
        lambda ds, pixels: setattr(ds, "BurnedInAnnotation", "YES"),
        lambda ds, pixels: setattr(ds, "PhotometricInterpretation", "YBR_FULL"),
        lambda ds, pixels: setattr(ds, "PatientID", "other"),
    ],
    ids=["pixel outside", "pixel inside", "annotation", "colour space", "header"],
)
def test_a_changed_output_is_caught(rewritten, edit):
    opened, job, instance, output = rewritten
    change(output, edit)
    with pytest.raises(PixelsNotCleaned, match=instance):
        finish_rewrite(opened, job)


def test_missing_frames_are_caught(rewritten):
    opened, job, instance, output = rewritten
    ds = dcmread(output)
    ds.PixelData, ds.NumberOfFrames = ds.PixelData[: len(ds.PixelData) // 2], 1
    ds.save_as(output)
    with pytest.raises(PixelsNotCleaned, match=instance):
        finish_rewrite(opened, job)


def test_garbage_and_strangers_are_caught(rewritten, study):
    opened, job, _, output = rewritten
    (output.parent / "garbage.dcm").write_bytes(b"DICM?")
    with pytest.raises(PixelsNotCleaned):
        finish_rewrite(opened, job)
    shutil.copyfile(study[1], output.parent / "garbage.dcm")
    with pytest.raises(PixelsNotCleaned):
        finish_rewrite(opened, job)


def test_what_the_program_wrote_is_published(rewritten, found):
    opened, job, _, _ = rewritten
    assert finish_rewrite(opened, job) == found.boxes


def test_a_failing_program_is_an_error_that_names_the_instance(detected):
    _, job, instance = detected
    (job.input / f"{instance}.dcm").unlink()
    with pytest.raises(PixelsNotCleaned, match=f"exit code 1.*{instance}: missing"):
        run_locally(job)


def test_each_try_has_its_own_output(detected):
    opened, first, _ = detected
    (first.output / "leftover.dcm").touch()
    second = prepare_rewrite(opened, attempt=2)
    assert not first.output.exists()
    assert list(second.output.iterdir()) == []
