"""The ways in which one identifier may be written: what all of them share, and addresses and telephone numbers.

Every spelling is a regular expression over folded text (see :func:`airlock.identity.vocabulary.fold`) together with a
literal that any match contains, so that a search can skip the expression when the literal is not there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from airlock.identity.vocabulary import fold, vocabulary
from airlock.tuples import NamedTuple

SEPARATORS = r"[\W_]*"
LETTER = r"[^\W\d_]"
RUNS = re.compile(r"[^\W_]+")
# What institutions are called, and departments: these words alone lead to none.
_GENERIC = frozenset(
    """
    academic and center centre central clinic clinica clinical clinics clinique de der des di du for fur general gmbh
    health healthcare hopital hospital hospitals hospitalet imaging inc institut institute klinik klinikum kliniken
    krankenhaus ltd medical medicine memorial national of ospedale private radiology regional saint st sykehus the
    und universitair universitaire universitat university cardiology oncology surgery neurology pediatrics emergency
    department dept service services ward street str road avenue ave
    """.split()  # noqa: SIM905 - seventy quoted words are harder to read
)
_STREET = re.compile(r"(?<=[^\W\d_])(?:strasse|str)$|^(?:strasse|str|street|st)$")
_ROADS = {"road": "r(?:oa)?d", "rd": "r(?:oa)?d", "avenue": "av(?:enue|e)?", "ave": "av(?:enue|e)?"}


class Spelling(NamedTuple):
    """One way to write an identifier.

    :param key: what every match holds; of a `gapped` one, what every match holds without its separators.
    :param strong: long enough to be searched in binary data; the others only in text.
    :param free_only: so short that it counts in free text only, not in codes and numbers.
    :param kind: what it is a spelling of: name, number, telephone number, address, date.
    :param weak: so short, or so loose, that it may also stand for something else: where it is found, a person decides.
    :param gapped: anything may stand between its letters; words that are each known stay words.
    :param capital: an ordinary word: counts where it begins with a capital.
    :param also: what every match holds besides the key, which may be short.
    :param least: so many letters and digits every match has, where that is more than the key has.
    :param glued: counts also as a part of a longer word, when the rest of that is known or the name long.
    """

    key: str
    pattern: str
    strong: bool
    free_only: bool = False
    kind: str = ""
    weak: bool = False
    gapped: bool = False
    capital: bool = False
    glued: bool = False
    least: int = 0
    also: str = ""

    def of(self, kind: str) -> Spelling:
        """Return the same as a spelling of something of this kind."""
        return tuple.__new__(Spelling, (*self[:4], kind, *self[5:]))

    @property
    def fewest(self) -> int:
        """So many letters and digits every match has at least."""
        return max(self.least, sum(map(str.isalnum, self.key)))

    @property
    def compiled(self) -> re.Pattern[str]:
        """The expression."""
        return _compiled(self.pattern)

    @property
    def compiled_for_bytes(self) -> re.Pattern[bytes]:
        """The same for encoded text."""
        return _compiled_for_bytes(self.pattern)


# Compiled when a text holds the key of one: few ever do, and each is needed again for the next text like it.
@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


@lru_cache(maxsize=4096)
def _compiled_for_bytes(pattern: str) -> re.Pattern[bytes]:
    return re.compile(pattern.encode())


def ideographic(text: str) -> bool:
    """Whether a text holds characters that are written without spaces between words."""
    return not text.isascii() and max(text) >= "\u2e80"


def joined(runs: Iterable[str], *, free_only: bool = False) -> Spelling:
    """Match runs of letters and digits in this order, with anything or nothing between, as whole words."""
    parts = list(runs)
    body = SEPARATORS.join(parts)
    return Spelling(
        max(parts, key=len),
        edge(parts[0][0], "<") + body + edge(parts[-1][-1], ""),
        len("".join(parts)) >= 5,
        free_only,
    )


def edge(character: str, direction: str) -> str:
    """Return what must not stand beside a word that begins or ends with this character."""
    if ideographic(character):
        return ""
    return f"(?{direction}!\\d)" if character.isdigit() else f"(?{direction}!{LETTER})"


def common(runs: list[str]) -> bool:
    """Whether these are all words that say nothing about a person."""
    return all(run in vocabulary() or run.isdigit() for run in runs)


def spell_phone(value: str) -> Iterator[Spelling]:
    """Spell a telephone number by its digits, with and without its country code."""
    digits = re.sub(r"\D", "", re.sub(r"\(0\)", "", value))
    if len(digits) >= 6:
        yield Spelling(digits, _phone(digits), True, kind="telephone number", gapped=True)
        known = value.strip().startswith(("+", "00"))
        bare = digits.lstrip("0")
        national = [bare[length:] for length in ((1, 2, 3) if known else (0,))]
        if not known and len(bare) == 11 and bare.startswith("1"):
            national.append(bare[1:])
        for number in (part for part in national if len(part) >= 7):
            country = r"(?:(?:\+|00)?[1-9]\d{0,2}[\W_]{0,3})?(?:\(?0\)?[\W_]{0,2})?"
            yield Spelling(number, rf"(?<!\d){country}{SEPARATORS.join(number)}(?!\d)", False,
                           kind="telephone number", gapped=True)  # fmt: skip
    elif "@" in value:
        yield from spell_phrase(value)


def _phone(digits: str) -> str:
    return r"(?<!\d)" + SEPARATORS.join(digits) + r"(?!\d)"


def spell_phrase(value: str) -> Iterator[Spelling]:
    """Spell an address or an institution: as a whole, and line by line."""
    for line in {value, *re.split(r"[\r\n^,;]+", value)}:
        runs = RUNS.findall(fold(line))
        text = "".join(runs)
        telling = (len(runs) >= 2 and len(text) >= 6) or len(text) >= (4 if ideographic(text) else 10)
        if runs and telling and not common(runs):
            yield joined(runs[:24]).of("address")
            yield from _street(runs[:24])
        street = _without_digits(runs)
        if street != runs and len("".join(street)) >= 10 and len(street) > 1 and not common(street):
            yield joined(street[:24]).of("address")
        name = _without_generic(runs)
        if (name != runs[:24] or not telling) and len("".join(name)) >= 5 and not common(name):
            yield joined(name, free_only=len("".join(name)) < 6).of("address")


def _street(runs: list[str]) -> Iterator[Spelling]:
    """Spell an address with its street written out or shortened."""
    loose = [_STREET.sub("str(?:asse|eet)?|st", run) if _STREET.search(run) else _ROADS.get(run, run) for run in runs]
    if loose == runs:
        return
    body = SEPARATORS.join(f"(?:{part})" if part != run else run for part, run in zip(loose, runs, strict=True))
    key = max((run for part, run in zip(loose, runs, strict=True) if part == run), key=len, default="")
    if len(key) >= 1:
        # The shortest that a street is shortened to has two letters.
        least = sum(len(run) if part == run else 2 for part, run in zip(loose, runs, strict=True))
        pattern = edge(runs[0][0], "<") + body + edge(runs[-1][-1], "")
        yield Spelling(key, pattern, False, kind="address", least=least)


def _without_digits(runs: list[str]) -> list[str]:
    """Return a line of an address without the number of the house, or the code of the place."""
    return [run for run in runs if not run[0].isdigit()]


def _without_generic(runs: list[str]) -> list[str]:
    """Return the words that tell an institution or a place from others of its kind."""
    known, first, last = vocabulary(), 0, len(runs)
    while first < last and (runs[first] in _GENERIC or runs[first] in known):
        first += 1
    if last > 1 and runs[-1].isdigit() and runs[-2] in _GENERIC:
        # Hospitals of one owner are numbered, and so are departments.
        last -= 1
    while first < last and (runs[last - 1] in _GENERIC or runs[last - 1] in known):
        last -= 1
    return runs[first:last][:24]
