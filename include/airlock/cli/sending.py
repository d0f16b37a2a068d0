"""Sending a folder from the command line: which files there are, and what is told of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from operator import itemgetter

from airlock.cli import HELD
from airlock.cli.progress import progress_bar
from airlock.dicomio.store import Outcome, Outgoing, send_files
from airlock.errors import InstanceNotUnderstood, RefusedError

TYPE_CHECKING = False  # what typing has of that name; its import takes longer than to send an image
if TYPE_CHECKING:
    from pathlib import Path

    from airlock.dicomio.peer import Peer


def send_folder(peer: Peer, source: str | Path) -> int:
    """Send a DICOM file, or every file below a folder, and print how many became what.

    Files that cannot be sent, or that the peer refuses, are named by their position in order of path.

    :return: exit status: 0 when all were sent, 3 when some were not.
    :raises RefusedError: when a folder cannot be read; nothing was sent.
    Raises else as :func:`airlock.dicomio.store.send_files`.
    """
    paths = _files(os.fspath(source))
    files = list(_readable(paths))
    sent = 0
    with progress_bar("sending") as show:
        for done, outcome in enumerate(send_files(peer, files), start=1):
            if outcome.stored:
                sent += 1
            else:
                _tell_refused(outcome)
            show(done, len(files))
    print(f"sent {sent}, refused {len(files) - sent}, unreadable {len(paths) - len(files)}")
    return 0 if sent == len(paths) else HELD


def _files(source: str) -> list[str]:
    """Return the files below a folder in order of path, folder by folder; or the file itself."""
    if not os.path.isdir(source):  # noqa: PTH112 - pathlib takes longer to import than to look
        return [source]
    found = sorted(_walk(source, ()), key=itemgetter(0))
    return [path for _, path in found]


def _walk(folder: str, names: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    try:
        entries = list(os.scandir(folder))
    except OSError as error:
        raise RefusedError(
            f"A folder below IN cannot be read ({error.strerror}). Give the right to, or choose another IN."
        ) from None
    for entry in entries:
        own = (*names, entry.name)
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path, own)
        elif entry.is_file():
            yield own, entry.path


def _readable(paths: list[str]) -> Iterator[Outgoing]:
    for position, path in enumerate(paths, start=1):
        try:
            # A PACS ends the association over a truncated file, and the files after it would not be sent.
            yield Outgoing.of(str(position), path, whole=True)
        except InstanceNotUnderstood as error:
            print(f"file {position}: {error}", file=sys.stderr)


def _tell_refused(outcome: Outcome) -> None:
    why = "no presentation context accepted" if outcome.status is None else f"status 0x{outcome.status:04X}"
    print(f"file {outcome.id}: {why}", file=sys.stderr)
