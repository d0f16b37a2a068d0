"""Which outputs of the first pass may go out, now that everything is harvested (:mod:`airlock.deid.onepass`)."""

from __future__ import annotations

from airlock.deid.frame import key_of
from airlock.identity.asked import Questions
from airlock.identity.evidence import Evidence
from airlock.identity.identifiers import Identifiers
from airlock.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airlock.deid.first import Name
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

    def note(
        self, opened: Name, evidence: Evidence, basis: dict[str, set[Any]] | None, asked: dict[str, Any] | None
    ) -> None:
        """Take in what the first pass tells of a file that it wrote; of each worker's files in their order.

        :param evidence: of the file's patient and study.
        """
        if basis is not None:
            self._basis[opened] = Evidence(**basis)
            self._keys[opened] = key_of(evidence)
        if asked is not None:
            self._asked.setdefault(opened, Questions()).add(asked)

    def may_go(self, opened: Name | None, key: str, recipe: Recipe) -> bool:
        """Whether an output is what would be written knowing everything.

        :param opened: names what it was written with; None when it was not written.
        :param key: of the patient that the file turned out to belong to.
        :param recipe: of this patient, with all evidence.
        """
        if opened is None:
            return False
        known = opened, key
        if known not in self._may:
            self._may[known] = self._keys.get(opened) == key and not self._concerned(opened, recipe)
        return self._may[known]

    def _concerned(self, opened: Name, recipe: Recipe) -> bool:
        """Whether what was learned later changes an answer that was given."""
        evidence = recipe.evidence
        if "retain_uids" in recipe.options:
            evidence = evidence.without_uids()
        new = evidence.beyond(self._basis[opened])
        asked = self._asked.get(opened, Questions())
        said = new.said()
        if not said:
            return False
        if all(name in _NOT_IN_TEXT for name in said):
            # What a text is cut by beside UIDs is the same.
            return asked.concern(Identifiers(Evidence(uids=new.uids)))
        # Where one identifier was cut, another one may change what is left.
        if asked.answered:
            return True
        # Each identifier is searched for by itself: those that were known before would be missing again. Only names
        # know of each other; what is glued to one counts when it is one.
        sought = evidence if new.names else new
        public = (recipe.subject, recipe.project, recipe.event)
        full_dates = "retain_longitudinal_full_dates" in recipe.options
        return asked.concern(Identifiers(sought, public, keep_dates=full_dates))
