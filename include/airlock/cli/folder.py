"""De-identifying a folder from the command line: what is checked before, and what is told after."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from airlock.cli import HELD
from airlock.cli.progress import progress_bar
from airlock.deid.folder import FolderRun
from airlock.deid.patient import Outcome
from airlock.deid.terms import ProjectTerms, Strictest
from airlock.errors import RefusedError, UnknownProject
from airlock.identity.keys import KeyRing
from airlock.places import load_places

if TYPE_CHECKING:
    from airlock.deid.known import KnownPatients

Place = str | Path


def deidentify_folder(  # noqa: PLR0913 - one per option of the command
    source: Place,
    target: Place,
    project: str,
    *,
    subject: str | None = None,
    keep_paths: bool = False,
    uid_map: Place | None = None,
    patid_map: Place | None = None,
    report: Place | None = None,
    store: str | None = None,
) -> int:
    """De-identify the DICOM files below one folder into another, and print how many became what.

    The parameters are the arguments and options of `airlock deidentify`; `store` is `none` or `dry-run`.

    :return: exit status: 0 when every input went out or was skipped, 3 when some are held.
    :raises RefusedError: when nothing was begun.
    """
    uids, patients, lines = (Path(file) if file is not None else None for file in (uid_map, patid_map, report))
    _check_places(Path(source), Path(target), (uids, patients, lines))
    settings = load_places()
    keys = KeyRing.load(settings.key_path)
    policy = _policy(settings.projects, project, keys)
    run = FolderRun(
        Path(source),
        Path(target),
        policy,
        keys,
        subject=subject,
        keep_paths=keep_paths,
        workers=settings.workers,
        engine=settings.engine,
    )
    run.known = _known(keys, policy, subject, store)
    with progress_bar("de-identifying") as show:
        outcomes = list(run.run(show))
    _write_maps(run, [Path(target, outcome.output) for outcome in outcomes if outcome.output], uids, patients)
    if lines is not None:
        from airlock.workspace import write_atomically  # noqa: PLC0415 - its imports take longer than many a folder

        said = "".join(_line(outcome) for outcome in sorted(outcomes, key=lambda o: o.name))
        # File names need not be UTF-8: what cannot be decoded becomes an escape of JSON, such as `\\udcff`.
        write_atomically(lines, said.encode("utf-8", "backslashreplace"))
    counts = Counter(outcome.kind for outcome in outcomes)
    print(f"in {len(outcomes)} / out {counts['out']} / skipped {counts['skipped']} / held {counts['held']}")
    return HELD if counts["held"] else 0


def _check_places(source: Path, target: Path, files: Iterable[Path | None]) -> None:
    """Find out before the work what would lose its outcome, or write over the inputs."""
    inside, outside = target.resolve(), source.resolve()
    if inside.is_relative_to(outside) or outside.is_relative_to(inside):
        raise RefusedError("Of IN and OUT, one lies in the other. Choose folders beside each other.")
    for file in files:
        if file is not None and not file.parent.is_dir():
            raise RefusedError(f"There is no folder for the file {file.name}. Make it first.")


def _policy(folder: Path, project: str, keys: KeyRing) -> ProjectTerms:
    if not folder.is_dir():
        return _strictest(project)
    from airlock.cli.remembered import Memory  # noqa: PLC0415 - without a policy, there is nothing to remember

    memory = Memory(_home() / "cache" / "terms.json", folder, keys)
    if (terms := memory.find(project)) is not None:
        return terms
    from airlock.project import find_policy  # noqa: PLC0415 - it imports what checks policies

    try:
        policy = find_policy(folder, project)
    except UnknownProject:
        return _strictest(project)
    memory.note(policy)
    return policy


def _home() -> Path:
    return Path(os.environ.get("AIRLOCK_HOME", "var"))


def _known(keys: KeyRing, policy: ProjectTerms, subject: str | None, store: str | None) -> KnownPatients | None:
    """Return what the identity store says; None where there is none, or no policy that says how to use it."""
    exists = "AIRLOCK_IDENTITY_URL" in os.environ or (_home() / "identity" / "identity.db").is_file()
    if store == "none" or isinstance(policy, Strictest) or not exists:
        return None
    from airlock.deid.known import open_known  # noqa: PLC0415 - it imports SQLAlchemy, which only a store needs

    return open_known(keys, policy.name, subject, dry_run=store == "dry-run")


def _strictest(project: str) -> ProjectTerms:
    policy = Strictest(project)
    edition = policy.deidentify.edition
    print(f"No policy describes this project: the Basic Profile of PS3.15 {edition} is used.", file=sys.stderr)
    return policy


def _write_maps(run: FolderRun, outputs: list[Path], uid_map: Path | None, patid_map: Path | None) -> None:
    """Write what became of UIDs and PatientIDs that stand in an output: of what is held or removed, nothing became."""
    if uid_map is None and patid_map is None:
        return
    from airlock.verify.present import present_in  # noqa: PLC0415 - only who asks for a map needs it

    present = present_in(outputs)
    if uid_map is not None:
        _write_map(uid_map, (row for row in run.uid_map() if row[1] in present.uids))
    if patid_map is not None:
        _write_map(patid_map, (row for row in run.patient_map() if row[1] in present.subjects))


def _write_map(path: Path, rows: Iterable[tuple[str, str]]) -> None:
    import csv  # noqa: PLC0415 - as above
    import io  # noqa: PLC0415 - as above

    from airlock.workspace import write_atomically  # noqa: PLC0415 - as above

    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(("id_old", "id_new"))
    writer.writerows(rows)
    write_atomically(path, stream.getvalue().encode("utf-8", "surrogateescape"))


def _line(outcome: Outcome) -> str:
    import json  # noqa: PLC0415 - as above

    document = {"input": outcome.name, "outcome": outcome.kind, "reason": outcome.reason, "output": outcome.output}
    return json.dumps({key: value for key, value in document.items() if value}, ensure_ascii=False) + "\n"
