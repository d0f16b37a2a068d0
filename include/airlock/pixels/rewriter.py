"""The program in the pixel-rewriter image: masks burned-in text in DICOM files.

Its command line is that of FIONA's `rewritepixel`, with `--findings` and `--report` added. It says how many files it
wrote and nothing of what is in them; it ends with 0 only when every input file has its output.
"""

from __future__ import annotations

import argparse
import errno
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from airlock.errors import AirlockError
from airlock.findings import Findings, InstanceFindings
from airlock.pixels.harvest import header_words
from airlock.pixels.judge import SAFE_WORDS
from airlock.pixels.pool import Answer, Task, WorkerPool
from airlock.pixels.survey import Search, survey
from airlock.workspace import write_atomically

DONE, INCOMPLETE, UNUSABLE = 0, 1, 2


@dataclass
class Outcome:
    """What became of one input file, as the report has it.

    :param outcome: `rewritten`, `residue` (written, but text is still found in it), `held` (with a reason), `no pixels`
        or `missing`.
    :param output: path below the output folder.
    :param residue: boxes that were found again in changed frames; None when nobody looked, as with `--findings`: who
        decides what is masked looks again.
    """

    outcome: str
    reason: str = ""
    output: str | None = None
    frames: int = 0
    boxes: int = 0
    residue: int | None = None


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    result = argparse.ArgumentParser(
        prog="rewritepixel",
        description="Mask burned-in text in DICOM files. Writes <output>/<SeriesInstanceUID>/<SOPInstanceUID>.dcm.",
    )
    add = result.add_argument
    add("--input", "-i", type=Path, required=True, help="file, or folder that is searched at any depth")
    add("--output", "-o", type=Path, required=True, help="folder for the masked files")
    add("--confidence", "-c", type=_percent, default=0, metavar="0..100", help="leave text read with less (default 0)")
    add("--numthreads", "-t", type=_positive, default=4, metavar="N", help="number of processes (default 4)")
    add("--storemapping", "-m", type=Path, metavar="FILE", help="write the boxes to a JSON file, without their words")
    add("--findings", type=Path, metavar="FILE", help="mask these boxes instead of looking for text")
    add("--report", type=Path, metavar="FILE", help="write what became of each input file to a JSON file")
    return result


def _percent(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError("must be from 0 to 100")
    return value


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code: 0 done, 1 not every file has its output, 2 cannot work at all."""
    options = parser().parse_args(arguments)
    try:
        files = input_files(options.input, options.findings)
        options.output.mkdir(parents=True, exist_ok=True)
        outcomes = run(options, files)
    except (AirlockError, OSError, ValueError, KeyError) as error:
        # What Airlock raises on purpose is free of patient data; the text of anything else may not be.
        print(f"Cannot work: {_told(error)}", file=sys.stderr)
        return UNUSABLE
    if options.report:
        write_report(options.report, outcomes)
    boxes, written = sum(o.boxes for o in outcomes.values()), sum(o.output is not None for o in outcomes.values())
    print(f"{written} of {len(outcomes)} files written, {boxes} boxes masked")
    failed = Counter(_why(o) for o in outcomes.values() if o.outcome != "rewritten")
    for why, count in sorted(failed.items()):
        print(f"{count} {why}", file=sys.stderr)
    return DONE if outcomes and not failed else INCOMPLETE


def _told(error: Exception) -> str:
    if isinstance(error, AirlockError):
        return str(error)
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else type(error).__name__


def _why(outcome: Outcome) -> str:
    if outcome.outcome == "residue":
        return "written, but text is still found after masking"
    return f"not written: {outcome.outcome}, {outcome.reason}" if outcome.reason else f"not written: {outcome.outcome}"


def input_files(source: Path, findings: Path | None) -> dict[str, Path]:
    """Return the input files by name: instance id with findings, path below the folder without."""
    if source.is_file():
        return {source.stem if findings else source.name: source}
    if not source.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is no such input")
    found = sorted(p for p in source.rglob("*") if p.is_file())
    if findings:
        return {p.stem: p for p in found if p.suffix == ".dcm"}
    return {str(p.relative_to(source)): p for p in found}


def run(options: argparse.Namespace, files: dict[str, Path]) -> dict[str, Outcome]:
    """Rewrite every file that can be, and say what became of each."""
    outcomes: dict[str, Outcome] = {}
    if options.findings:
        wanted = Findings.read(options.findings).instances
        outcomes |= {
            name: Outcome("missing", "named by the findings, not in the input") for name in wanted.keys() - files
        }
        outcomes |= {name: Outcome("held", "not named by the findings") for name in files.keys() - wanted}
    else:
        wanted = dict(_detect(files, options, outcomes))
    jobs = {name: found for name, found in wanted.items() if name not in outcomes}
    with WorkerPool(min(options.numthreads, max(len(jobs), 1))) as pool:
        for name, found in jobs.items():
            task = {"do": "rewrite", "name": name, "source": str(files[name]), "folder": str(options.output)}
            pool.submit({**task, "boxes": found.frames, "overlays": found.overlays})
        for task, answer in pool.results():
            name = task["name"]
            if task["do"] == "residue":
                _note_residue(outcomes[name], answer)
                continue
            outcomes[name] = _outcome(answer, options.output, wanted[name])
            if "ok" in answer and wanted[name].frames and not options.findings:
                pool.submit(_look_again(name, answer["ok"]["path"], wanted[name], options.confidence))
    if options.storemapping:
        write_mapping(options.storemapping, options.output, outcomes, wanted)
    return outcomes


def _detect(
    files: dict[str, Path], options: argparse.Namespace, outcomes: dict[str, Outcome]
) -> Iterator[tuple[str, InstanceFindings]]:
    for name, found in survey(files, Search(options.confidence), options.numthreads):
        if found.problem:
            outcomes[name] = Outcome("held", found.problem)
        elif not found.total:
            outcomes[name] = Outcome("no pixels")
        yield name, InstanceFindings(found.frames, found.reasons, found.overlays, found.found)


def _outcome(answer: dict[str, Any], folder: Path, found: InstanceFindings) -> Outcome:
    if "held" in answer:
        return Outcome("held", answer["held"])
    output = str(Path(answer["ok"]["path"]).relative_to(folder))
    return Outcome("rewritten", "", output, answer["ok"]["frames"], found.boxes)


def _look_again(name: str, path: str, found: InstanceFindings, confidence: int) -> Task:
    task: Task = {"do": "residue", "name": name, "path": path, "frames": sorted(found.frames), "confidence": confidence}
    return {**task, "known": sorted(header_words(Path(path))), "safe_words": sorted(SAFE_WORDS)}


def _note_residue(outcome: Outcome, answer: Answer) -> None:
    if "held" in answer:
        outcome.outcome, outcome.reason = "residue", "it could not be examined again"
        return
    outcome.residue = len(answer["ok"]["found"])
    if outcome.residue:
        outcome.outcome, outcome.reason = "residue", "text is still found in it"


def write_report(path: Path, outcomes: dict[str, Outcome]) -> None:
    """Write the report: one object per input file, no text that was found."""
    document = {"version": 1, "files": {name: asdict(outcomes[name]) for name in sorted(outcomes)}}
    write_atomically(path, json.dumps(document, indent=1))


def write_mapping(
    path: Path, folder: Path, outcomes: dict[str, Outcome], wanted: Mapping[str, InstanceFindings]
) -> None:
    """Write the masked boxes in FIONA's mapping format, keyed `<SOPInstanceUID>_<nnnn>`.

    FIONA's file quotes every word that was masked, which defeats the masking. Here `word` is empty.
    """
    document = {}
    for name, outcome in sorted(outcomes.items()):
        if outcome.output is None:
            continue
        instance, series = Path(outcome.output).stem, Path(outcome.output).parent.name
        every = [(frame, box) for frame, found in sorted(wanted[name].frames.items()) for box in found]
        for number, (frame, (x0, y0, x1, y1)) in enumerate(every):
            document[f"{instance}_{number:04d}"] = {
                "word": "",
                "frame": frame,
                "bounding_box": {"x1": x0, "y1": y0, "x2": x1, "y2": y1},
                "SOPInstanceUID": instance,
                "SeriesInstanceUID": series,
                "filename": str(folder / outcome.output),
            }
    write_atomically(path, json.dumps(document, indent=1))


if __name__ == "__main__":
    sys.exit(main())
