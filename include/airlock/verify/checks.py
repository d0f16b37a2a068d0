"""What an inspection is told, and what it tells: plain tuples of plain values on their way between processes."""

from __future__ import annotations

import os

from airlock.identity.evidence import Evidence
from airlock.tuples import NamedTuple
from airlock.typed import Any
from airlock.verify.allowed import Private
from airlock.verify.duties import Marks
from airlock.verify.found import Found, Problem
from airlock.verify.table import Override

Uids = tuple[str, str, str]
"""StudyInstanceUID, SeriesInstanceUID and SOPInstanceUID."""


class Check(NamedTuple):
    """One output to inspect.

    :param instance_id: pseudonymous id.
    :param name: path of the output below its folder.
    :param source: the file that it was made from: rewritten, or as it came.
    :param rewritten: whether burned-in text was removed from this instance.
    :param sop_instance_uid: the new UID that the ledger has; None when there is no ledger.
    :param expected: the new UID that its name says, or that it was found by; None when nothing says.
    """

    instance_id: str
    output: str | os.PathLike[str]
    name: str
    source: str | os.PathLike[str]
    rewritten: bool = False
    sop_instance_uid: str | None = None
    expected: str | None = None

    def plain(self) -> tuple[Any, ...]:
        """Return its fields as plain values, which take less time on their way to another process."""
        return (self.instance_id, os.fspath(self.output), self.name, os.fspath(self.source), *self[4:])


class Expectation(NamedTuple):
    """What all outputs of a patient must be like. It holds patient data: never log it.

    :param public: texts that the outputs carry on purpose.
    :param override: the project's own rules, of which the table knows nothing.
    :param private: which private elements the project keeps; None when none.
    """

    evidence: Evidence
    marks: Marks
    edition: str
    public: tuple[str, ...]
    override: Override | None = None
    private: Private | None = None

    def __repr__(self) -> str:
        return "<Expectation>"

    def plain(self) -> tuple[Any, ...]:
        """Return the same in plain values, but for rules, which take less time on their way to another process."""
        return (self.evidence.said(), tuple(self.marks), *self[2:])

    @classmethod
    def of(cls, plain: tuple[Any, ...]) -> Expectation:
        """Return what :meth:`plain` told."""
        said, marks, *others = plain
        return cls(Evidence(**said), Marks(*marks), *others)


class Inspected(NamedTuple):
    """What was found in one output; patient data but for the problems.

    :param old: StudyInstanceUID, SeriesInstanceUID and SOPInstanceUID of the input; `new` those of the output.
    :param patients: PatientID of the input, and of the output.
    :param telling: those of `old` that hold an identifier, so that they are mapped even where UIDs stay.
    """

    found: Found
    old: Uids = ("", "", "")
    new: Uids = ("", "", "")
    patients: tuple[str, str] = ("", "")
    telling: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return "<Inspected>"

    def plain(self) -> tuple[Any, ...]:
        """Return the same in plain values, which take less time on their way to another process."""
        problems, pairs, offsets, lost = self.found
        return ((tuple(map(tuple, problems)) if problems else (), pairs, offsets, lost), *self[1:])

    @classmethod
    def of(cls, plain: tuple[Any, ...]) -> Inspected:
        """Return what :meth:`plain` told."""
        found, *others = plain
        problems = tuple([Problem(*each) for each in found[0]])
        # Most have no problems, and there are many.
        return tuple.__new__(cls, (tuple.__new__(Found, (problems, *found[1:])), *others))
