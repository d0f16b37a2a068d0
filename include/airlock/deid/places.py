"""Outputs of a folder that may go out, on their way from where they were written to where they belong."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable

from airlock.deid.patient import Outcome
from airlock.dicomio.copying import same_content
from airlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from airlock.deid.recipe import Written


class Places:
    """Moves outputs, each once.

    :param pending: folder that they were written below.
    :param target: folder that they go to.
    """

    def __init__(self, pending: str, target: str) -> None:
        self._pending, self._target = pending, target
        self._taken: set[str] = set()
        # Folders that are where they belong, with all that is in them.
        self._moved: set[str] = set()

    def put_folders(self, outputs: Iterable[Written]) -> None:
        """Move folders that hold nothing but what may go out, and all that is to be in them so far.

        What was moved like this is still to be :meth:`put`.

        :param outputs: that may go out, under their new UIDs.
        :raises OSError: when one cannot be moved.
        """
        inside: dict[str, list[Written]] = defaultdict(list)
        for output in outputs:
            inside[output.place.rpartition("/")[0]].append(output)
        for folder, written in inside.items():
            made = f"{self._pending}/{folder}"
            # Two of the same place, or what a killed worker left: those are looked at one by one.
            alone = all(output.path == output.place for output in written)
            if alone and len(_names(made)) == len(written) and not os.path.lexists(f"{self._target}/{folder}"):
                _rename(made, f"{self._target}/{folder}")
                self._moved.add(folder)

    def put(self, name: str, written: Written, place: str) -> Outcome:
        """Move an output, if it is not where it belongs yet; return what became of its input.

        :param name: of the input.
        :param place: below the target.
        :raises OSError: when it cannot be moved.
        """
        made, target = f"{self._pending}/{written.path}", f"{self._target}/{place}"
        if place in self._taken:
            if same_content(made, target):
                return Outcome(name, "skipped", "Another input is the same instance with the same content.")
            return Outcome(name, "held", "Another input has the same SOPInstanceUID and other content.")
        self._taken.add(place)
        if written.path != place or place.rpartition("/")[0] not in self._moved:
            _rename(made, target)
        return Outcome(name, "out", output=place)


def _names(folder: str) -> list[str]:
    return os.listdir(folder)  # noqa: PTH208 - pathlib takes longer to import than to use


def _rename(made: str, target: str) -> None:
    try:
        os.rename(made, target)  # noqa: PTH104 - making paths takes longer than the call
    except FileNotFoundError:
        os.makedirs(target.rpartition("/")[0], exist_ok=True)  # noqa: PTH103 - as above
        os.rename(made, target)  # noqa: PTH104 - as above


def remove(pending: str) -> None:
    """Remove a folder for outputs, with what is left in it."""
    try:
        # Mostly, everything was moved out, and at most the folders of studies and series are left.
        for study in _names(pending):
            for series in _names(f"{pending}/{study}"):
                os.rmdir(f"{pending}/{study}/{series}")  # noqa: PTH106 - pathlib takes longer to import than to use
            os.rmdir(f"{pending}/{study}")  # noqa: PTH106 - as above
        os.rmdir(pending)  # noqa: PTH106 - as above
    except FileNotFoundError:
        return
    except OSError:
        import shutil  # noqa: PLC0415 - as the comment says

        shutil.rmtree(pending, ignore_errors=True)
