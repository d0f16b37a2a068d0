"""The commands that are called without click where their arguments are plainly right, as `airlock deidentify` is.

The files of a small study take less time than importing click does. Whatever is not plainly right is left to the
command of the same name, which says what is wrong; both do the same work (:mod:`airlock.cli.folder`).
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from types import ModuleType

from airlock.cli.plain import read_arguments
from airlock.cli.watched import go_on_watched, is_watched
from airlock.typed import Any

VALUES = ("--project", "--subject", "--uid-map", "--patid-map", "--report")
"""Options with a value,"""
FLAGS = ("--keep-paths", "--no-store", "--dry-run")
"""and without one."""


def find_direct(arguments: list[str], *, own: bool = False) -> Callable[[], object] | None:
    """Return what does the work of a command; None when it must be called as all others are.

    :param own: whether this process is there for the command alone, so that it may be forked.
    """
    if arguments[:1] == ["send"]:
        _postpone("inspect")
        from airlock.cli.direct_send import find_send  # noqa: PLC0415 - as below

        return find_send(arguments[1:])
    if arguments[:1] == ["verify"]:
        from airlock.cli.direct_verify import find_verify, read_verify  # noqa: PLC0415 - as below

        asked = read_verify(arguments[1:])
        return None if asked is None else _found(lambda: find_verify(asked, watched=is_watched()), own=own)
    if not arguments or arguments[0] != "deidentify":
        return None
    folders, options = read_arguments(arguments[1:], VALUES, FLAGS)
    if len(folders) != 2 or "--project" not in options or not _plainly_right(folders, options):
        return None
    return _found(lambda: _find_deidentify(folders, options), own=own)


def _imported(find: Callable[[], Callable[[], object]]) -> Callable[[], object]:
    """Find what does the work, which imports it; what is imported stays: looking for garbage in it finds none."""
    _postpone("inspect")
    gc.disable()
    found = find()
    gc.freeze()
    gc.enable()
    return found


def _found(find: Callable[[], Callable[[], object]], *, own: bool) -> Callable[[], object]:
    """Do the work in a fork that is watched over; in this process, with workers, when that does not end well."""
    status = go_on_watched() if own else None
    if status is not None:
        return lambda: status
    return _imported(find)


def _find_deidentify(folders: list[str], options: dict[str, str]) -> Callable[[], object]:
    from airlock.cli.folder import deidentify_folder  # noqa: PLC0415 - most of the commands do without
    from airlock.worker import OBJECTS_PER_SEARCH  # noqa: PLC0415 - as above

    gc.set_threshold(OBJECTS_PER_SEARCH)
    watched = {"watched": True} if is_watched() else {}
    return lambda: deidentify_folder(
        folders[0],
        folders[1],
        options["--project"],
        subject=options.get("--subject"),
        keep_paths="--keep-paths" in options,
        uid_map=options.get("--uid-map"),
        patid_map=options.get("--patid-map"),
        report=options.get("--report"),
        store="none" if "--no-store" in options else "dry-run" if "--dry-run" in options else None,
        **watched,
    )


def _plainly_right(folders: list[str], options: dict[str, str]) -> bool:
    files = [options[name] for name in ("--uid-map", "--patid-map", "--report") if name in options]
    # What click would refuse, it must be asked to refuse.
    return (
        all(map(len, folders))
        and not {"--no-store", "--dry-run"} <= options.keys()
        and os.path.isdir(folders[0])  # noqa: PTH112 - pathlib takes longer to import than to look
        and os.access(folders[0], os.R_OK)
        and not os.path.isfile(folders[1])  # noqa: PTH113 - as above
        and not any(os.path.lexists(file) for file in files)
    )


class _Postponed(ModuleType):
    """Stands for a module until something in it is used.

    The standard library's lazy loader does not help here: in Python 3.11, a second import of the module loads it.
    """

    def __getattr__(self, name: str) -> Any:
        from importlib import import_module  # noqa: PLC0415 - it imports `warnings`; mostly, nothing here is used

        sys.modules.pop(self.__name__, None)
        return getattr(import_module(self.__name__), name)


def _postpone(name: str) -> None:
    """Have a module of the standard library loaded when something in it is used.

    Dataclasses import `inspect`, for classes without a docstring: here, none is.
    """
    sys.modules.setdefault(name, _Postponed(name))
