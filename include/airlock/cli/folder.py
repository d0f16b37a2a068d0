"""De-identifying a folder from the command line: what is checked before, and what is told after."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable

from airlock.cli import HELD
from airlock.cli.progress import progress_bar
from airlock.deid.folder import FolderRun
from airlock.deid.terms import Strictest
from airlock.errors import RefusedError, UnknownProject
from airlock.identity.keys import KeyRing
from airlock.places import load_places
from airlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from airlock.deid.known import KnownPatients
    from airlock.deid.patient import Outcome
    from airlock.deid.policy import ProjectTerms

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
    watched: bool = False,
) -> int:
    """De-identify the DICOM files below one folder into another, and print how many became what.

    The parameters are the arguments and options of `airlock deidentify`; `store` is `none` or `dry-run`.
    `watched` is as :class:`airlock.deid.folder.FolderRun` has it.

    :return: exit status: 0 when every input went out or was skipped, 3 when some are held.
    :raises RefusedError: when nothing was begun.
    """
    source, target = str(source), str(target)
    uids, patients, lines = (None if file is None else str(file) for file in (uid_map, patid_map, report))
    _check_places(source, target, (uids, patients, lines))
    settings = load_places()
    keys = KeyRing.load(settings.key_path)
    policy = _policy(settings.projects, project, keys)
    run = FolderRun(
        source,
        target,
        policy,
        keys,
        subject=subject,
        keep_paths=keep_paths,
        workers=settings.workers,
        engine=settings.engine,
    )
    run.watched = watched
    run.known = _known(keys, policy, subject, store)
    with progress_bar("de-identifying") as show:
        outcomes = list(run.run(show))
    if uids is not None or patients is not None:
        outputs = [f"{target}/{outcome.output}" for outcome in outcomes if outcome.output]
        _write_maps(run, outputs, uids, patients)
    if lines is not None:
        said = "".join(_line(outcome) for outcome in sorted(outcomes, key=lambda o: o.name))
        # File names need not be UTF-8: what cannot be decoded becomes an escape of JSON, such as `\\udcff`.
        _write(lines, said.encode("utf-8", "backslashreplace"))
    counts = Counter(outcome.kind for outcome in outcomes)
    print(f"in {len(outcomes)} / out {counts['out']} / skipped {counts['skipped']} / held {counts['held']}")
    return HELD if counts["held"] else 0


def _check_places(source: str, target: str, files: Iterable[str | None]) -> None:
    """Find out before the work what would lose its outcome, or write over the inputs."""
    path = os.path  # pathlib takes longer to import than all this
    inside, outside = (path.join(path.realpath(folder), "") for folder in (target, source))
    if inside.startswith(outside) or outside.startswith(inside):
        raise RefusedError("Of IN and OUT, one lies in the other. Choose folders beside each other.")
    for file in files:
        if file is not None and not path.isdir(path.dirname(file) or "."):
            raise RefusedError(f"There is no folder for the file {path.basename(file)}. Make it first.")


def _write(file: str, content: bytes) -> None:
    from pathlib import Path  # noqa: PLC0415 - only who asks for maps or a report needs it

    from airlock.workspace import write_atomically  # noqa: PLC0415 - as above

    write_atomically(Path(file), content)


def _policy(folder: str, project: str, keys: KeyRing) -> ProjectTerms:
    if not os.path.isdir(folder):  # noqa: PTH112 - as above
        return _strictest(project)
    from airlock.cli.remembered import Memory  # noqa: PLC0415 - without a policy, there is nothing to remember

    memory = Memory(_below_home("cache/terms.txt"), folder, keys)
    try:
        terms = memory.find(project)
    except UnknownProject:
        return _strictest(project)
    if terms is not None:
        return terms
    from pathlib import Path  # noqa: PLC0415 - as above

    from airlock.project import find_policy  # noqa: PLC0415 - it imports what checks policies

    try:
        policy = find_policy(Path(folder), project)
    except UnknownProject:
        memory.note_unknown(project)
        return _strictest(project)
    memory.note(policy)
    return policy


def _below_home(path: str) -> str:
    return os.path.join(os.environ.get("AIRLOCK_HOME", "var"), path)  # noqa: PTH118 - as above


def _known(keys: KeyRing, policy: ProjectTerms, subject: str | None, store: str | None) -> KnownPatients | None:
    """Return what the identity store says; None where there is none, or no policy that says how to use it."""
    exists = "AIRLOCK_IDENTITY_URL" in os.environ or os.path.isfile(  # noqa: PTH113 - as above
        _below_home("identity/identity.db")
    )
    if store == "none" or isinstance(policy, Strictest) or not exists:
        return None
    from airlock.deid.known import open_known  # noqa: PLC0415 - it imports SQLAlchemy, which only a store needs

    return open_known(keys, policy.name, subject, dry_run=store == "dry-run")


def _strictest(project: str) -> ProjectTerms:
    policy = Strictest(project)
    edition = policy.deidentify.edition
    print(f"No policy describes this project: the Basic Profile of PS3.15 {edition} is used.", file=sys.stderr)
    return policy


def _write_maps(run: FolderRun, outputs: list[str], uid_map: str | None, patid_map: str | None) -> None:
    """Write what became of UIDs and PatientIDs that stand in an output: of what is held or removed, nothing became."""
    from pathlib import Path  # noqa: PLC0415 - only who asks for a map needs it

    from airlock.verify.present import present_in  # noqa: PLC0415 - as above

    present = present_in([Path(output) for output in outputs])
    if uid_map is not None:
        _write_map(uid_map, (row for row in run.uid_map() if row[1] in present.uids))
    if patid_map is not None:
        _write_map(patid_map, (row for row in run.patient_map() if row[1] in present.subjects))


def _write_map(path: str, rows: Iterable[tuple[str, str]]) -> None:
    import csv  # noqa: PLC0415 - as above
    import io  # noqa: PLC0415 - as above

    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(("id_old", "id_new"))
    writer.writerows(rows)
    _write(path, stream.getvalue().encode("utf-8", "surrogateescape"))


def _line(outcome: Outcome) -> str:
    import json  # noqa: PLC0415 - as above

    document = {"input": outcome.name, "outcome": outcome.kind, "reason": outcome.reason, "output": outcome.output}
    return json.dumps({key: value for key, value in document.items() if value}, ensure_ascii=False) + "\n"
