"""The ways to write a person's name (PS3.5 section 6.2.1).

Which rule decides for a single word of a name:

- a word of the shipped vocabulary (`Head`) never counts alone, only beside another part of the name, an initial with
  its dot, or a title; a name of nothing but such words (`Long^An`) where its parts stand together with a capital;
- an ordinary word that is also a name (`Brown`, `May`) counts as a whole word that begins with a capital;
- a particle (`van`, `de`) and a word of one or two letters never count alone, as for the vocabulary;
- a word of three letters counts as a whole word, and a person looks at it;
- a longer one counts also inside of a word that is otherwise known (`CTMUELLER`), with letters apart, and in CamelCase;
- one of seven letters or more counts inside of any word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import permutations

from airlock.identity.spellings import LETTER, RUNS, Spelling, common, edge, ideographic, joined
from airlock.identity.transliterate import LOST, variants
from airlock.identity.vocabulary import fold, ordinary, vocabulary

LONG = 7
_GAPPED = 6
PARTICLES = frozenset(
    """
    van von vom der den het ter ten de del della delle dello di da dal dalla das dos do du des la las le les lo los
    zu zum zur und of bin ibn bint ben abu al el mc mac fitz san st ste saint sankt af av til dr prof med dipl ing mr
    mrs ms miss jr sr ii iii iv phd md herr frau fru
    """.split()  # noqa: SIM905 - quoted words are harder to read
)
TITLES = "mrs|miss|prof(?:essor)?|doctor|doktor|herr|frau|fru|monsieur|madame|mme|mlle|mevr(?:ouw)?|dhr|senora?|sra"
# These are also modalities and diseases: only as `Mr`, not as `MR`.
TITLES_IN_CASE = "mr|ms|dr|sr|hr|pat|patient|name"
_UNREADABLE = "[?\ufffd*_\xbf]{1,4}"
_IDEOGRAPH = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
_HONORIFIC = "先生|女士|小姐|太太|某|医生|醫生|大夫|教授|主任|患者|氏|様|样|さん|君|님|씨|환자|선생"
_BEFORE = "患者|病人|姓名|氏名|환자|이름|성명|医生|醫生"


def spell_name(group: str) -> Iterator[Spelling]:
    """Spell one component group of a PN value, `family^given^middle^prefix^suffix` or free text."""
    for variant in variants(group):
        for spelling in _spell_name(variant):
            yield (_with_losses(spelling) if LOST in spelling.pattern else spelling).of("name")


def _with_losses(spelling: Spelling) -> Spelling:
    """Match any sign that programs write in the place of a letter they do not know."""
    pattern, key = spelling.pattern.replace(LOST, _UNREADABLE), max(spelling.key.split(LOST), key=len)
    return spelling._replace(pattern=pattern, key=key, strong=False)


def _spell_name(group: str) -> Iterator[Spelling]:
    components = [RUNS.findall(fold(part)) for part in group.split("^")]
    rest, components = [run for runs in components[3:5] for run in runs], components[:3]
    parts = [runs for runs in components if runs]
    unstructured = len(parts) == 1
    if unstructured:
        parts = [[run] for run in parts[0][:3]]
    # What stands where prefix and suffix belong counts when it cannot be one.
    words = {run for runs in components for run in runs} | {run for run in rest if len(run) >= 5}
    whole = {runs[0] for runs in components if len(runs) == 1}
    for word in words:
        yield from _spell_word(word, alone=word in whole)
    for runs in components:
        yield from _spell_component(runs)
    yield from _spell_orders(parts)
    yield from _with_initials(parts)
    if unstructured:
        yield from _with_initials(parts[1::-1])


def _spell_word(word: str, *, alone: bool) -> Iterator[Spelling]:
    """Spell a word of a name that stands alone.

    :param alone: whether it is a whole component, so that it is no particle.
    """
    if ideographic(word):
        yield from [joined([word])] if len(word) >= 2 else [_one_ideograph(word)]
        return
    if word.isdigit():
        yield from [joined([word])] if len(word) >= 5 else []
        return
    if len(word) >= 2 and not word.isdigit():
        yield from _with_title(word)
    if len(word) < 3 or word in vocabulary() or (word in PARTICLES and not (alone and len(word) > 2)):
        return
    if word in ordinary() or word in PARTICLES:
        yield joined([word])._replace(capital=True, weak=True, strong=False)
        return
    yield _inflected(word)._replace(weak=len(word) < 4)
    if len(word) >= 4:
        yield Spelling(word, re.escape(word), len(word) >= LONG, glued=True)
    if len(word) >= _GAPPED:
        yield _gapped(word)


def _gapped(word: str) -> Spelling:
    body = r"[\W_]{0,4}".join(map(re.escape, word))
    return Spelling(word, edge(word[0], "<") + body + edge(word[-1], ""), False, gapped=True)


def _one_ideograph(character: str) -> Spelling:
    """Match a family name of one character where it stands alone, or beside what is said to a person."""
    pattern = (
        f"(?:(?<![{_IDEOGRAPH}])|(?<={_BEFORE.replace('|', ')|(?<=')})){character}(?={_HONORIFIC}|[^{_IDEOGRAPH}]|$)"
    )
    return Spelling(character, pattern, False, weak=True)


def _with_title(word: str) -> Iterator[Spelling]:
    ending = f"(?P<name>{re.escape(word)})(?!{LETTER})"
    yield Spelling(word, rf"(?<!{LETTER})(?:{TITLES})[\W_]+{ending}", False, capital=True)
    yield Spelling(word, rf"(?<!{LETTER})(?P<title>{TITLES_IN_CASE})[\W_]+{ending}", False, capital=True)


def _spell_component(runs: list[str]) -> Iterator[Spelling]:
    """Spell the words of one component, written as one: `OBrien`, `vanderberg`, and without its particles."""
    if not 1 < len(runs) <= 6:
        return
    if sum(map(len, runs)) >= 5 and not common(runs):
        yield joined(runs)
        for count in range(2, len(runs)):
            for start in range(len(runs) - count + 1):
                some = runs[start : start + count]
                if sum(map(len, some)) >= 6 and not all(run in PARTICLES or run in vocabulary() for run in some):
                    yield joined(some)


def _spell_orders(parts: list[list[str]]) -> Iterator[Spelling]:
    # Of several given names, usually only the first is written; of a family name with particles, what follows them.
    shortest = [part[:1] for part in parts[:2]]
    bare = [[run for run in part if run not in PARTICLES] or part for part in parts[:2]]
    orders = (
        *permutations(parts, 2),
        *permutations(parts, 3),
        *permutations(shortest, 2),
        *permutations(bare, 2),
    )
    for order in orders:
        runs = [run for part in order for run in part]
        if sum(map(len, runs)) < (2 if ideographic("".join(runs)) else 4):
            continue
        if common(runs):
            yield from (
                [] if all(map(str.isdigit, runs)) else [joined(runs)._replace(capital=True, weak=True, strong=False)]
            )
        else:
            yield joined(runs)
            if len("".join(runs)) >= LONG and not ideographic("".join(runs)):
                yield Spelling("".join(runs), re.escape("".join(runs)), True, glued=True)


def _inflected(word: str) -> Spelling:
    """Match a word of a name, as it stands or with the ending of a genitive or of a case."""
    if len(word) < 5:
        return joined([word])
    cyrillic = any("\u0400" <= c < "\u0500" for c in word)
    ending = f"{LETTER}{{0,3}}" if cyrillic else "s?"
    return Spelling(word, f"(?<!{LETTER}){re.escape(word)}{ending}(?!{LETTER})", True)


def _with_initials(parts: list[list[str]]) -> Iterator[Spelling]:
    """Spell a family name with initials: as one word, and with separators where the family name alone says nothing."""
    if len(parts) < 2 or ideographic(parts[0][0]):
        return
    family = "".join(parts[0])
    initials = [part[0][0] for part in parts[1:]]
    if family.isdigit() or len(family) < 2:
        return
    if family not in vocabulary():
        for letters in {initials[0], "".join(initials)}:
            for word in (letters + family, family + letters):
                if len(word) >= 5 and word not in vocabulary() and word not in ordinary():
                    yield joined([word])
    if len(family) < 3 and family not in vocabulary():
        first = rf"(?<!{LETTER}){initials[0]}[\W_]+{family}(?!{LETTER})"
        last = rf"(?<!{LETTER}){family}[\W_]+{initials[0]}(?!{LETTER})"
        yield from (Spelling(family, pattern, False, free_only=True, weak=True) for pattern in (first, last))
    if len(family) < 4 or family in vocabulary() or family in ordinary():
        dotted = rf"(?<!{LETTER}){initials[0]}\.\s{{0,2}}(?:{LETTER}\.\s{{0,2}})?{family}(?!{LETTER})"
        behind = rf"(?<!{LETTER}){family}(?:[,^]\s{{0,2}}{initials[0]}(?!{LETTER})|\s{initials[0]}\.)"
        yield from (Spelling(family, pattern, False, capital=True, weak=True) for pattern in (dotted, behind))
