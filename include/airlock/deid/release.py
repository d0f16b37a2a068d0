"""Which outputs of the first pass may go out, now that everything is harvested (:mod:`airlock.deid.onepass`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airlock.deid.frame import key_of
from airlock.identity.asked import Questions
from airlock.identity.evidence import Evidence
from airlock.identity.identifiers import Identifiers

if TYPE_CHECKING:
    from airlock.deid.onepass import First, Name
    from airlock.deid.recipe import Recipe


# UIDs are asked for apart; of patients and studies nothing is cut that is not said elsewhere too.
_NOT_IN_TEXT = ("uids", "patients", "studies")


class Release:
    """Decides on outputs by what they were written with."""

    def __init__(self) -> None:
        self._basis: dict[Name, Evidence] = {}
        self._asked: dict[Name, Questions] = {}
        self._keys: dict[Name, str] = {}
        self._may: dict[tuple[Name, str], bool] = {}

    def note(self, first: First) -> None:
        """Take in what the first pass tells of a file; of each worker's files in their order."""
        if first.opened is None:
            return
        if first.basis is not None:
            self._basis[first.opened] = first.basis
            self._keys[first.opened] = key_of(first.evidence)
        if first.asked is not None:
            self._asked.setdefault(first.opened, Questions()).add(first.asked)

    def may_go(self, first: First, key: str, recipe: Recipe) -> bool:
        """Whether an output is what would be written knowing everything.

        :param key: of the patient that the file turned out to belong to.
        :param recipe: of this patient, with all evidence.
        """
        if first.written is None or first.opened is None:
            return False
        known = first.opened, key
        if known not in self._may:
            self._may[known] = self._keys.get(first.opened) == key and not self._concerned(first.opened, recipe)
        return self._may[known]

    def _concerned(self, opened: Name, recipe: Recipe) -> bool:
        """Whether what was learned later changes an answer that was given."""
        evidence = recipe.evidence
        if "retain_uids" in recipe.options:
            evidence = Evidence(**{**vars(evidence), "uids": set()})
        new = evidence.beyond(self._basis[opened])
        asked = self._asked.get(opened, Questions())
        if all(not found for name, found in vars(new).items() if name not in _NOT_IN_TEXT):
            # What a text is cut by beside UIDs is the same.
            return asked.concern(Identifiers(Evidence(uids=new.uids)))
        public = (recipe.subject, recipe.project, recipe.event)
        full_dates = "retain_longitudinal_full_dates" in recipe.options
        # Where one identifier was cut, another one may change what is left.
        return asked.answered or asked.concern(Identifiers(evidence, public, keep_dates=full_dates))
