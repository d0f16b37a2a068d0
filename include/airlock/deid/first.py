"""What the first pass makes of a file, and how workers tell it: as plain values, which cost least on their way."""

from __future__ import annotations

from airlock.tuples import NamedTuple
from airlock.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airlock.deid.recipe import Written
    from airlock.identity.asked import Questions
    from airlock.identity.evidence import Evidence

Name = tuple[int, int]
Said = dict[str, Any]
"""What there is of evidence or questions, by the names of their parts."""
Told = tuple[Said, tuple[Any, ...] | None, Name | None, Said | None, Said | None]
"""A :class:`First`, in its order."""


class First(NamedTuple):
    """What the first pass made of a file.

    :param evidence: what it says and earlier files of the same study, in the same worker, did not say.
    :param written: None when only the second pass can write it.
    :param opened: names what it was written with; None when it was not written.
    :param basis: all that was known when it and those that follow were written; of the first of them.
    :param asked: what was asked about identifiers, and was not asked before.
    """

    evidence: Evidence
    written: Written | None = None
    opened: Name | None = None
    basis: Evidence | None = None
    asked: Questions | None = None

    def told(self) -> Told:
        """Return it as it goes from a worker to its parent."""
        evidence, written, opened, basis, asked = self
        return (
            evidence.said(),
            None if written is None else tuple(written),
            opened,
            None if basis is None else basis.said(),
            None if asked is None else asked.said(),
        )
