"""What both engines share: the profile, what was decided, and what becomes of values. It needs no datasets."""

from __future__ import annotations

from functools import lru_cache

from airlock.deid.decide import Decider, Facts, facts_of
from airlock.deid.profile import Profile
from airlock.deid.rewrite import Rewriter
from airlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from airlock.deid.policy import Policy
    from airlock.identity.identifiers import Identifiers
    from airlock.identity.uids import UidMap


@lru_cache(maxsize=8)
def shared_profile(edition: str, options: tuple[str, ...], policy: Policy) -> Profile:
    """Return the profile of a project, the same one for all of its patients.

    :raises PolicyError: when the options cannot be used.
    """
    return Profile(edition, options, policy)


@lru_cache(maxsize=64)
def _shared_decider(profile: Profile, sop_class_uid: str, facts: Facts) -> Decider:
    """Return what decides for all patients: nothing in it is a patient's."""
    return Decider(profile, sop_class_uid, facts)


class Basis:
    """Decides and rewrites for the objects of one patient.

    :param days: offset of all dates; used when the profile has the modified dates option.
    :param key: of the project, for keyed hashes of values.
    """

    def __init__(self, profile: Profile, uids: UidMap, identifiers: Identifiers, days: int, key: bytes = b"") -> None:
        self.profile, self.identifiers = profile, identifiers
        ages = profile.policy.round_age_years
        self.rewriter = Rewriter(uids, identifiers, days, ages, key)
        self._deciders: dict[tuple[str, Facts], Decider] = {}
        self._always = facts_of(profile)

    def decider(self, sop_class_uid: str, facts: Facts | None = None) -> Decider:
        """Return what decides for the objects of a SOP class.

        :param facts: what an object's values say; by default what is true of every object.
        """
        if facts is None or facts == self._always:
            return _shared_decider(self.profile, sop_class_uid, self._always)
        key = sop_class_uid, facts
        decider = self._deciders.get(key)
        if decider is None:
            decider = self._deciders[key] = Decider(self.profile, *key)
        return decider
