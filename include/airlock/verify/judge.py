"""Judge one element of an output beside the same element of its input, by what the table allows."""

from __future__ import annotations

from collections.abc import Collection

from airlock.identity.days import date
from airlock.identity.vocabulary import fold, vocabulary
from airlock.patterns import compiled_later
from airlock.verify.found import NOTHING, Found, Problem
from airlock.verify.search import DUMMIES, Search
from airlock.verify.table import CLEAN, DUMMY, EMPTY, KEEP, SAME, SHIFT, Allowance
from airlock.verify.text import BINARY, CODED, DATES, FREE, decode, name_of, values, vr_of
from airlock.verify.uids import UID, is_registered, is_structural

_WORDS = compiled_later(r"[^\W\d_]+")
_LONG_DIGITS = compiled_later(r"\d{6,}")
_DAY = compiled_later(r"(\d{4})(\.?)(\d{2})\2(\d{2})")
_UNITS = compiled_later(
    r"mm|cm|ml|mg|sec|s|ms|t|kv|kvp|mas|mev|hz|mhz|min|x|d|st|nd|rd|th|ch|dir|ph|slab|shot|echo|views?"
)
# `HeadNeckPETCT`: words that are told apart by their capitals.
_PARTS = compiled_later(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_METHOD = 0x00120063
# BurnedInAnnotation and RecognizableVisualFeatures: what they may say is checked with the other duties.
_CAREFUL = frozenset((0x00280301, 0x00280302))
_METHOD_TEXT = compiled_later(r"Airlock: DICOM PS3\.15 \w+ Annex E; see the method codes")


class Judge:
    """Judges elements.

    :param originals: UIDs of the inputs; empty when the project retains them.
    """

    def __init__(self, search: Search, originals: frozenset[str]) -> None:
        self._search, self._originals = search, originals

    def element(
        self, tag: int, vr: bytes, raw: bytes, before: bytes | None, charsets: tuple[bytes, bytes], allowed: Allowance
    ) -> Found:
        """Judge an element that is no sequence and not empty.

        :param before: the value in the input, empty when it has none; None when it isn't known what it came from.
        :param charsets: of the output's level, and of the input's.
        """
        problems = self._identifiers(tag, vr, raw, charsets[0], kept=KEEP in allowed)
        if not allowed or EMPTY in allowed:
            problems.append(Problem(name_of(tag), "is there, and may not be"))
            return Found(tuple(problems))
        if before == b"" and (KEEP not in allowed or SAME in allowed) and not self._is_dummy(raw, vr, charsets[0]):
            problems.append(Problem(name_of(tag), "comes from nowhere"))
        if KEEP in allowed:
            if (
                SAME in allowed
                and before
                and raw != before
                and tag not in _CAREFUL
                and not self._is_part(vr, raw, before, charsets)
            ):
                problems.append(Problem(name_of(tag), "is not the input's"))
            return Found(tuple(problems)) if problems else NOTHING
        if vr == b"UI":
            found = self._uids(tag, raw, before)
        elif SHIFT in allowed and vr in (*DATES, b"TM"):
            found = self._dates(tag, vr, raw, before, charsets)
        elif CLEAN in allowed and (vr in FREE or vr in CODED):
            found = self._cleaned(tag, vr, raw, charsets[0])
        else:
            found = self._replaced(tag, vr, raw, before, charsets)
        return found._replace(problems=(*problems, *found.problems)) if problems else found

    def is_harmless(self, tag: int, vr: bytes, raw: bytes, charset: bytes) -> bool:
        """Whether a value that is kept holds no identifier."""
        return self._is_method(tag, raw) or not self._search.element(raw, vr, charset, kept=True)

    def are_harmless(self, vr: bytes, raws: Collection[bytes], charset: bytes) -> bool:
        """Whether no value of several that are kept holds an identifier; a no is not certain."""
        return self._search.none_in(raws, vr, charset)

    def is_only_dummy(self, vr: bytes, raw: bytes, charset: bytes, allowed: Allowance) -> bool:
        """Whether a value that is no UID says nothing of anybody, and may stand for whatever the input had."""
        if DUMMY not in allowed or not allowed.isdisjoint((KEEP, SAME, SHIFT, CLEAN, EMPTY)) or vr in BINARY:
            return False
        return self._is_dummy(raw, vr, charset) and not self._search.element(raw, vr, charset, kept=False)

    def identifies(self, tag: int, raw: bytes, charset: bytes) -> bool:
        """Whether a value of an input holds an identifier, so that it could not be kept."""
        return bool(self._search.element(raw, vr_of(tag, b""), charset, kept=True))

    def _identifiers(self, tag: int, vr: bytes, raw: bytes, charset: bytes, *, kept: bool) -> list[Problem]:
        found = None if self._is_method(tag, raw) else self._search.element(raw, vr, charset, kept=kept)
        if not found:
            return []
        name = name_of(tag)
        return [Problem(name, f"holds a {kind} of the input", identifier=True, weak=weak) for kind, weak in found]

    @staticmethod
    def _is_method(tag: int, raw: bytes) -> bool:
        """Whether a value is what de-identification says of itself."""
        return tag == _METHOD and _METHOD_TEXT.fullmatch(raw.decode("latin-1").rstrip(" ")) is not None

    @staticmethod
    def _is_dummy(raw: bytes, vr: bytes, charset: bytes) -> bool:
        if vr in FREE or vr in CODED or vr in (*DATES, b"TM", b"DS", b"IS", b"UI"):
            return all(part.strip(" \0") in DUMMIES for part in decode(raw, vr, charset).split("\\"))
        return not any(raw)

    def _is_part(self, vr: bytes, raw: bytes, before: bytes, charsets: tuple[bytes, bytes]) -> bool:
        """Whether a kept value is the input's, or what is left of it when identifiers are cut."""
        if self._is_dummy(raw, vr, charsets[0]):
            return True
        if vr not in FREE and vr not in CODED:
            # A class UID that is really an instance's is mapped like one.
            return raw.strip(b" \0") == before.strip(b" \0") or (vr == b"UI" and not set(_split(raw)) & self._originals)
        letters = iter(decode(before, vr, charsets[1]))
        return all(letter in letters for letter in decode(raw, vr, charsets[0]) if letter not in " \0")

    def _uids(self, tag: int, raw: bytes, before: bytes | None) -> Found:
        after = _split(raw)
        earlier = _split(before) if before else []
        if before and len(after) != len(earlier):
            return Found((Problem(name_of(tag), "has another number of UIDs than the input"),))
        problems, pairs = [], []
        for index, new in enumerate(after):
            old = earlier[index] if earlier else ""
            if not new or is_registered(new):
                if old and old != new:
                    problems.append(Problem(name_of(tag), "a UID became a standard's"))
                continue
            if not UID.fullmatch(new) or len(new) > 64:
                problems.append(Problem(name_of(tag), "is no UID"))
            if is_structural(tag) and new == old and new not in self._originals:
                continue
            if new == old or new in self._originals:
                problems.append(Problem(name_of(tag), "an original UID is left", identifier=True))
            elif old:
                pairs.append((old, new, tag))
        return Found(tuple(problems), tuple(pairs))

    def _dates(self, tag: int, vr: bytes, raw: bytes, before: bytes | None, charsets: tuple[bytes, bytes]) -> Found:
        after = values(raw, vr, charsets[0])
        earlier = values(before, vr, charsets[1]) if before else []
        if before is None or (all(value in DUMMIES for value in after) and after != earlier):
            return NOTHING
        if vr == b"TM":
            return NOTHING if after == earlier else Found((Problem(name_of(tag), "a time is not the input's"),))
        if len(after) != len(earlier):
            return Found((Problem(name_of(tag), "a date comes from nowhere"),))
        offsets, problems = [], []
        for new, old in zip(after, earlier, strict=True):
            days = _moved(new, old, vr)
            if days is None or days == 0:
                problems.append(Problem(name_of(tag), "a date was not moved as dates are", identifier=days == 0))
            else:
                offsets.append((days, tag))
        return Found(tuple(problems), offsets=tuple(offsets))

    def _cleaned(self, tag: int, vr: bytes, raw: bytes, charset: bytes) -> Found:
        text = decode(raw, vr, charset).strip(" \0")
        if text in DUMMIES or not (_unknown_words(text) or _LONG_DIGITS.search(text)):
            return NOTHING
        return Found((Problem(name_of(tag), "holds words that may not stay"),))

    def _replaced(self, tag: int, vr: bytes, raw: bytes, before: bytes | None, charsets: tuple[bytes, bytes]) -> Found:
        if not before:
            return NOTHING
        if vr in FREE or vr in CODED or vr in (*DATES, b"TM", b"DS", b"IS"):
            new, old = decode(raw, vr, charsets[0]).strip(" \0"), decode(before, vr, charsets[1]).strip(" \0")
            if self._is_dummy(raw, vr, charsets[0]):
                return NOTHING
            same = new == old or (vr in FREE and bool(_telling_words(new) & _telling_words(old)))
        else:
            same = raw == before and any(raw)
            same = same and (vr in BINARY or any(raw[:8]))
        return Found((Problem(name_of(tag), "was not replaced"),)) if same else NOTHING


def _split(raw: bytes) -> list[str]:
    return [value.strip(" \0") for value in raw.decode("latin-1").split("\\")]


def _moved(new: str, old: str, vr: bytes) -> int | None:
    """Return by how many days a date was moved; None when it isn't one, or more than its day differs."""
    if vr == b"DT" and new[8:] != old[8:]:
        return None
    days = [_day(text if vr == b"DA" else text[:8]) for text in (new, old)]
    return None if days[0] is None or days[1] is None else days[0] - days[1]


def _day(text: str) -> int | None:
    match = _DAY.fullmatch(text)
    try:
        return date(int(match[1]), int(match[3]), int(match[4])).toordinal() if match else None
    except ValueError:
        return None


def _unknown_words(text: str) -> set[str]:
    """Return the words that may say something of a person. One Latin letter is none: it stands for a side or a view."""
    words = {word: fold(word) for word in _WORDS.findall(text)}
    return {
        folded
        for word, folded in words.items()
        if not (len(folded) == 1 and folded.isascii())
        and folded not in vocabulary()
        and not _UNITS.fullmatch(folded)
        and not _is_joined(word)
    }


def _is_joined(word: str) -> bool:
    """Whether a word is several that say nothing of a person, each beginning with a capital."""
    parts = _PARTS.findall(word)
    known = all(len(part) >= 3 and part.lower() in vocabulary() for part in parts)
    return len(parts) > 1 and known and "".join(parts) == word


def _telling_words(text: str) -> set[str]:
    return {word for word in _WORDS.findall(fold(text)) if len(word) >= 4 and word not in vocabulary()}
