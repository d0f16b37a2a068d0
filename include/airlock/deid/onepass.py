"""Harvest files and write their outputs at once, before all that is known of the patients is known.

An output that is written like this may hold what a later file shows to be an identifier. So it is not released: what
was asked about texts while it was made is told along with it, and is asked again when everything is harvested
(:mod:`airlock.deid.release`). Outputs for which an answer is another one by then are made anew.
"""

from __future__ import annotations

import os

from airlock.deid.basis import shared_profile
from airlock.deid.first import First
from airlock.deid.frame import key_of, study_of
from airlock.deid.instance import Deidentifier
from airlock.dicomio.dictionary import keyword_of
from airlock.dicomio.head import open_head
from airlock.errors import InstanceNotUnderstood
from airlock.identity import harvest as plain
from airlock.identity.asked import AskedIdentifiers
from airlock.identity.stream import StreamHarvester
from airlock.identity.stream_walk import KEYS
from airlock.identity.uids import is_registered
from airlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from airlock.deid.batch import Task
    from airlock.deid.frame import Frame
    from airlock.dicomio.head import Head
    from airlock.identity.asked import Questions
    from airlock.identity.evidence import Evidence
    from airlock.identity.stream_walk import Told

# Patients' studies whose de-identifiers are kept; their memory is bounded by this.
_MOST_OPEN = 8
# Of a header, in which patient and study are looked for.
_MOST_BYTES = 32 << 10


class _Open:
    """What the files of one patient's study are written with.

    :param evidence: of the first of them.
    """

    def __init__(self, frame: Frame, evidence: Evidence, told: Told, number: int) -> None:
        self.name, self.told = (os.getpid(), number), told
        recipe = frame.recipe(key_of(evidence), study_of(evidence), evidence)
        self.deidentifier = Deidentifier(recipe, AskedIdentifiers, KEYS)
        # Of patient and study; a file of theirs has both.
        self._signs = told.key[1], told.key[3]

    def asked(self) -> Questions | None:
        """Return what was asked since the last time."""
        identifiers = self.deidentifier.identifiers
        return identifiers.take() if isinstance(identifiers, AskedIdentifiers) else None

    def seems_of(self, head: Head) -> bool:
        """Whether a file looks as if it were of this patient's study."""
        if not self.deidentifier.can_stream or head.implicit is not self.told.implicit:
            return False
        patient, study = self._signs
        # Far into long headers, other elements of the same bytes are as likely.
        return bool(patient and study) and all(head.data.find(sign, 0, _MOST_BYTES) >= 0 for sign in (patient, study))


class OnePass:
    """Does the first pass over files, one after the other.

    :param folder: where outputs go, under the tasks' names.
    """

    def __init__(self, frame: Frame, folder: str | Path) -> None:
        # What all patients share is read here, where workers are forked from; they need not read it each.
        shared_profile(frame.policy.edition, frame.policy.options, frame.policy)
        is_registered(keyword_of(0x00080018))
        self._frame, self._folder = frame, str(folder)
        self._harvester = StreamHarvester()
        self._open: list[_Open] = []
        self._number = 0

    def process(self, task: Task) -> First:
        """Harvest a file, and write it if it can be.

        :raises InstanceNotUnderstood: when it cannot be read.
        :raises OSError: when the file cannot be read.
        """
        name = task.name or ""
        try:
            with open_head(task.source, self._harvester.first_bytes) as head:
                if not self._frame.writes:
                    return First(self._harvester.harvest_head(head)[0])
                opened = next((one for one in self._open if one.seems_of(head)), None)
                return (self._one_more(opened, head, name) if opened else None) or self._first(head, name)
        except (InstanceNotUnderstood, OSError, MemoryError):
            raise
        except Exception:  # noqa: BLE001 - whatever it is, the plain harvest finds it too, or copes with it
            from pathlib import Path  # noqa: PLC0415 - few files come here

            return First(plain.harvest_file(Path(task.source)))

    def _one_more(self, opened: _Open, head: Head, name: str) -> First | None:
        """Write a file with what another one was written with; tell what is new in it."""
        teller = self._harvester.teller(opened.told, implicit=head.implicit)
        try:
            written, keys = opened.deidentifier.stream(head, self._folder, name, teller)
            if keys == opened.told.key:
                return First(teller.end(), written, opened.name, None, opened.asked())
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001, S110 - whatever it is, the file is looked at again from its beginning
            pass
        # It remembers some of a file that is of others, or will perhaps be held: none of that may count.
        self._close(opened)
        return None

    def _first(self, head: Head, name: str) -> First:
        """Write a file with what is said outside of its long sequences; what is said in them is told meanwhile."""
        known, told = self._harvester.harvest_head(head, shallow=True)
        opened = next((one for one in self._open if one.told is told), None)
        if opened is not None:
            self._close(opened)
            known, told = self._harvester.harvest_head(head, shallow=True)
        opened = self._new(told, known)
        if opened.deidentifier.can_stream:
            teller = self._harvester.teller(told, implicit=head.implicit)
            try:
                written, _ = opened.deidentifier.stream(head, self._folder, name, teller)
                evidence = teller.end()
                evidence.update(known)
                return First(evidence, written, opened.name, known, opened.asked())
            except MemoryError:
                raise
            except Exception:  # noqa: BLE001, S110 - the second pass meets it again, and says what it is
                pass
        self._close(opened)
        evidence, told = self._harvester.harvest_head(head)
        self._harvester.forget(told)
        return First(evidence)

    def _new(self, told: Told, evidence: Evidence) -> _Open:
        if len(self._open) >= _MOST_OPEN:
            self._close(self._open[-1])
        self._number += 1
        opened = _Open(self._frame, evidence, told, self._number)
        # Most likely, the next file is of the same study.
        self._open.insert(0, opened)
        return opened

    def _close(self, opened: _Open) -> None:
        self._open.remove(opened)
        # What is written with a new one must be written knowing what a first file says.
        self._harvester.forget(opened.told)
