"""Which private elements may stay (PS3.15 section E.3.10), by the creator of their block and their number in it."""

from __future__ import annotations

from functools import lru_cache

from airlock.deid.profile import DATE_VRS, Profile, read_shipped
from airlock.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from airlock.deid.policy import Policy
    from airlock.selectors import PrivateSelector

CSA_CREATOR = "SIEMENS CSA HEADER"
CSA_HEADERS = frozenset((0x10, 0x20))
_CSA_ELEMENTS = {0x08: "CS", 0x09: "LO", 0x10: "OB", 0x18: "CS", 0x19: "LO", 0x20: "OB"}
Declared = frozenset[tuple[int, str, int | None, str]]
"""What an object says of its private elements: (group, creator, element in the block or None for all, action)."""

NOTHING_DECLARED: Declared = frozenset()
_DECLARED_ACTIONS = {"D": "D", "Z": "Z", "X": "X", "K": "K", "C": "C", "U": "U"}


@lru_cache(maxsize=1)
def safe_elements() -> dict[tuple[str, int, int], str]:
    """Return the VR of every element known to be safe, by (creator, group, element); empty when it is not known."""
    document = read_shipped("safe_private.json")
    return {
        (creator, int(group, 16), int(text[:2], 16)): text[3:]
        for creator, groups in document["elements"].items()
        for group, elements in groups.items()
        for text in elements.split()
    }


class PrivateElements:
    """Says of a private element whether it may stay, and what VR it is read in.

    :param declared: what the object says of its own, see :func:`declared_of`.
    """

    def __init__(self, policy: Policy, declared: Declared) -> None:
        self._safe = safe_elements() if policy.private_mode == "safe" else {}
        self._keep = _selectors(policy.private.keep)
        self._csa = policy.private.csa_header
        self._declared = {(group, creator, element): action for group, creator, element, action in declared}
        self.any = bool(self._safe or self._keep or self._csa)

    def known_vr(self, tag: int, creator: str) -> str:
        """Return the VR of an element by the shipped lists; empty when they don't say."""
        group, element = tag >> 16, tag & 0xFF
        if self._csa and creator == CSA_CREATOR and group == 0x0029:
            return _CSA_ELEMENTS.get(element, "")
        return self._safe.get((creator, group, element), "")

    def action(self, tag: int, creator: str) -> str:
        """Return X, K (as its VR asks for) or what the object declares."""
        group, element = tag >> 16, tag & 0xFF
        if self._csa and creator == CSA_CREATOR and group == 0x0029 and element in _CSA_ELEMENTS:
            return "K"
        for key in ((group, creator, element), (group, creator, None)):
            if key in self._declared:
                return self._declared[key]
        if (creator, group, element) in self._safe or any(s.matches(tag, creator) for s in self._keep):
            return "K"
        return "X"

    def may_keep(self, group: int, creator: str) -> bool:
        """Whether anything of a block may stay."""
        return (
            (self._csa and creator == CSA_CREATOR)
            or any(key[:2] == (group, creator) for key in self._declared)
            or any(key[:2] == (creator, group) for key in self._safe)
            or any(s.group == group & s.group_mask and s.creator in (None, creator) for s in self._keep)
        )


def _selectors(texts: tuple[str, ...]) -> list[PrivateSelector]:
    if not texts:
        return []
    from airlock.selectors import parse_private  # noqa: PLC0415 - few projects keep some

    return [parse_private(text) for text in texts]


def by_vr(profile: Profile, action: str, vr: str) -> str:
    """Return what the VR of a private element that may stay asks for."""
    if action not in ("K", "C"):
        return action
    if vr == "PN":
        return "X"
    if vr in DATE_VRS:
        return "K" if profile.full_dates else "S" if profile.modified_dates else "X"
    if vr == "UI":
        return "K" if profile.keep_uids else "U"
    return action


def declared_of(dataset: Dataset) -> Declared:
    """Read Private Data Element Characteristics Sequence (0008,0300), PS3.3 section C.12.1.1.7.

    What it says badly is not believed: then the shipped lists decide.
    """
    found: set[tuple[int, str, int | None, str]] = set()
    for item in dataset.get("PrivateDataElementCharacteristicsSequence", None) or ():
        group, creator = item.get("PrivateGroupReference", None), str(item.get("PrivateCreatorReference", "")).strip()
        if not isinstance(group, int) or not group & 1 or not creator:
            continue
        status = str(item.get("BlockIdentifyingInformationStatus", ""))
        if status == "SAFE":
            found.add((group, creator, None, "K"))
        elif status == "MIXED":
            safe = _numbers(item.get("NonidentifyingPrivateElements", None))
            found.update((group, creator, element, "K") for element in safe)
            found.update((group, creator, *pair) for pair in _actions(item))
        elif status == "UNSAFE":
            found.add((group, creator, None, "X"))
    # A block that is described twice is not described.
    blocks = [(group, creator) for group, creator, element, _ in found if element is None]
    return frozenset(one for one in found if blocks.count(one[:2]) < 2)


def _actions(item: Dataset) -> list[tuple[int, str]]:
    return [
        (element, _DECLARED_ACTIONS.get(str(part.get("DeidentificationAction", "")), "X"))
        for part in item.get("DeidentificationActionSequence", None) or ()
        for element in _numbers(part.get("IdentifyingPrivateElements", None))
    ]


def _numbers(value: Any) -> list[int]:
    many = value if isinstance(value, (list, tuple)) or type(value).__name__ == "MultiValue" else [value]
    return [number & 0xFF for number in many if isinstance(number, int)]
