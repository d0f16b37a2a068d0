"""New UIDs: keyed, so that the same original has the same new UID in every transfer of a project, without a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from airlock.dicomio.dictionary import any_uid, is_uid, keyword_of
from airlock.identity.keyed import keyed_digest, keyed_numbers
from airlock.identity.keys import KeyRing
from airlock.typed import Any, Literal

Rule = Literal["keyed", "fiona", "fiona_hex"]
# Version 4 and variant 1 of RFC 9562, so that the number is that of a valid UUID; and the bits that are free.
_UUID = 4 << 76 | 2 << 62
_RANDOM = ~(0xF << 76 | 0x3 << 62)


def is_registered(uid: str) -> bool:
    """Whether PS3.6 annex A lists the UID: it names a class, a syntax or a well-known frame, never a patient's data."""
    return is_uid(uid)


def any_registered(uids: Iterable[str]) -> bool:
    """Whether PS3.6 annex A lists one of several UIDs."""
    return any_uid(uids)


class UidMap:
    """Original UID to new UID of one project.

    The new UID is `2.25.` and a 128-bit number (PS3.5 section B.2) that has the layout of a random UUID: the first
    bits of an HMAC-SHA-256 of the original.

    :param keys: keys of the deployment.
    :param project: name of the project; another project gives other UIDs.
    :param known: new UIDs that were given already and count before the rule.
    :param rule: `keyed`, or one of FIONA's for continuity (:mod:`airlock.identity.fiona`).
    :param keep_illegal: keep FIONA's UIDs that PS3.5 section 9.1 forbids; else they are made as `keyed` makes them.
    """

    def __init__(
        self,
        keys: KeyRing,
        project: str,
        known: Mapping[str, str] | None = None,
        rule: Rule = "keyed",
        *,
        keep_illegal: bool = False,
    ) -> None:
        self._key = keys.derive("uid", project)
        self._project, self._rule, self._keep_illegal = project, rule, keep_illegal
        self._known = known or {}
        self._map = lru_cache(maxsize=65536)(self._make)

    def __getstate__(self) -> dict[str, Any]:
        """Leave what was looked up behind: workers get the map, not the memory of it."""
        return {name: value for name, value in vars(self).items() if name != "_map"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Begin with an empty memory."""
        vars(self).update(state, _map=lru_cache(maxsize=65536)(self._make))

    def __call__(self, original: str) -> str:
        """Return the new UID. Padding of the original does not count."""
        return self._map(original.strip(" \0"))

    def each(self, originals: Iterable[str]) -> Iterator[str]:
        """Yield the new UID of each of many, which are digits and points without padding. They are not remembered."""
        if self._known or self._rule != "keyed":
            return map(self._map, originals)
        return map(_written, keyed_numbers(self._key, map(str.encode, originals)))

    def _make(self, original: str) -> str:
        if original in self._known:
            return self._known[original]
        if self._rule != "keyed":
            from airlock.identity.fiona import fiona_uid, is_legal_uid  # noqa: PLC0415 - few projects have their rules

            made = fiona_uid(original, self._project, hexadecimal=self._rule == "fiona_hex")
            if self._keep_illegal or is_legal_uid(made):
                return made
        return self._derive(original)

    def _derive(self, original: str) -> str:
        digest = keyed_digest(self._key, original.encode("utf-8", "surrogateescape"))
        return _written(int.from_bytes(digest[:16], "big"))


def _written(number: int) -> str:
    return f"2.25.{number & _RANDOM | _UUID}"


@lru_cache(maxsize=1024)
def is_structural(tag: int) -> bool:
    """Whether an attribute with VR UI names a class, a syntax or a code system, whoever registered it.

    Such values say how data is built, not whose it is; replacing them would make the data unreadable.
    """
    keyword = keyword_of(tag)
    if keyword == "ManufacturerDeviceClassUID":
        return False
    return keyword in _STRUCTURAL or any(part in keyword for part in ("ClassUID", "SOPClasses", "TransferSyntaxUID"))


_STRUCTURAL = frozenset(("CodingSchemeUID", "ContextUID", "MappingResourceUID", "ContextGroupExtensionCreatorUID"))
