"""The words of a decision: where an element stands, what an object's values say, what is to be done."""

from __future__ import annotations

from airlock.deid.overrides import NOWHERE, Paths, active_rules
from airlock.deid.private import NOTHING_DECLARED, Declared, declared_of
from airlock.deid.profile import Profile
from airlock.tuples import NamedTuple
from airlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from airlock.rules import Rule


class Context(NamedTuple):
    """Where an element stands. The default is the top level of a dataset.

    :param parent: keyword of the enclosing sequence, empty at the top.
    :param cleaning: inside a sequence whose action is C: all free text is cleaned.
    :param dummying: inside a sequence whose action is D: all free text is replaced.
    :param graphics: inside graphic annotations that are not to be kept.
    :param drawn: inside graphic annotations that are cleaned.
    :param paths: how far the project's rules with paths have matched.
    """

    parent: str = ""
    cleaning: bool = False
    dummying: bool = False
    graphics: bool = False
    drawn: bool = False
    paths: Paths = NOWHERE


class Decision(NamedTuple):
    """What is to be done with one element.

    :param letter: X (remove), Z (empty), D (dummy), K (keep, without identifiers), C (clean), S (move the date), U (map
        UIDs), R (`treatment` says how), P (private creator: it stays if an element of its block does). Of a sequence: X
        removes it, Z leaves it without items, all others enter its items.
    :param fallback: X, Z or D, for a value of which nothing may remain.
    :param kind: type of the attribute in this IOD (PS3.3): 1, 1C, 2, 2C or 3.
    :param vr: the VR to read the value in, SQ for a sequence; UN when it is not known.
    :param keyword: of the attribute; empty when PS3.6 has none.
    :param items: where the elements of its items stand; None when it is not a sequence whose items are entered.
    :param needs_dataset: whether values beside the element count: only the engine that has the dataset can tell.
    :param hold: why the instance is held if the element has a value; empty when it is not.
    :param treatment: for the letter R, an action of the project's rules, or `csa`.
    :param rule: the project's rule that decided.
    :param otherwise: what is done when the rule does not fit the value.
    """

    letter: str
    fallback: str = "X"
    kind: str = "3"
    vr: str = "UN"
    keyword: str = ""
    items: Context | None = None
    needs_dataset: bool = False
    hold: str = ""
    treatment: str = ""
    rule: Rule | None = None
    otherwise: Decision | None = None


class Facts(NamedTuple):
    """What an object's values say about how it is to be treated.

    :param active: indexes of the project's rules that apply to it.
    :param declared: what it says of its own private elements.
    """

    active: frozenset[int]
    declared: Declared = NOTHING_DECLARED


def facts_of(profile: Profile, dataset: Dataset | None = None) -> Facts:
    """Return the facts of an object; without a dataset, those that are true of every object."""
    declared = declared_of(dataset) if dataset is not None and profile.policy.private_mode == "safe" else frozenset()
    return Facts(active_rules(profile.policy.rules, dataset), declared)


TOP = Context()
REMOVE = Decision("X")
