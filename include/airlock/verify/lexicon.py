"""The words and numbers of a patient, each in one form, to be looked up.

The rules for what counts are those of de-identification (docs/deidentification.md), the code is not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from airlock.identity.evidence import Evidence
from airlock.identity.identifiers import Match
from airlock.identity.vocabulary import ordinary, vocabulary
from airlock.verify.named import beginnings, named
from airlock.verify.slips import Slips
from airlock.verify.words import (
    INSIDE,
    PARTICLES,
    TITLES,
    TITLES_IN_CASE,
    WIDEST,
    Word,
    addresses,
    ideographic,
    is_common,
    numbers,
    numbers_with_letters,
    street,
    telephone,
    windows,
)

_LONG, _WHOLE = 7, 3
_MOST_REMEMBERED, _MOST_GROUPS = 20_000, 16
_POLITE = "先生|女士|小姐|太太|某|医生|醫生|大夫|教授|主任|患者|氏|様|样|さん|君|님|씨|환자|선생"
_ENDINGS = tuple(_POLITE.split("|"))
_BEFORE = (*_ENDINGS, "病人", "姓名", "氏名", "이름", "성명")


class Lexicon:
    """Knows what identifies a patient.

    :param public: words of each text that outputs carry on purpose.
    """

    def __init__(self, evidence: Evidence, public: Collection[Sequence[str]]) -> None:
        hidden = {one for words in public for one in windows(words)}
        # What is searched is compared in another form: without leading zeros, for example.
        hidden |= {one for words in public for one in windows([Word.of(word).form for word in words])}
        names = [named(group) for group in evidence.names]
        self._own = {word for name in names for word in name.own}
        telling = {word for word in self._own if self._tells(word)} - hidden
        self._alone = telling - ordinary()
        self._ordinary = telling & ordinary()
        self._titled = frozenset(word for word in self._own if len(word) >= 2 and not word.isdigit()) - hidden
        self._initials = frozenset().union(*(name.initials for name in names))
        together = {one: "name" for name in names for one in name.together}
        together |= dict.fromkeys(numbers_with_letters(evidence.numbers), "number")
        self._together = {one: kind for one, kind in together.items() if one not in hidden}
        self._common = {one for name in names for one in name.common} - hidden
        self._addresses = frozenset(addresses(evidence.phrases)) - hidden
        names_alone = {one for name in names for one in name.together if len(one) >= _LONG}
        self._inside = {one for one in self._alone | names_alone if len(one) >= INSIDE or ideographic(one)} - hidden
        self._glued = {one for name in names for one in name.glued} - hidden
        rows = (*(one for one, kind in together.items() if kind == "number"), *self._addresses)
        self._begins = beginnings(rows).union(*(name.begins for name in names))
        self._says_something: dict[str, bool] = {}
        self._numbers = {number: weak for number, weak in numbers(evidence.numbers) if number not in hidden}
        self._digits_begin = {number[:end] for number in self._numbers for end in range(len(number) + 1)}
        self._long_numbers = [number for number in self._numbers if len(number) >= _LONG]
        self._slips = Slips((word for name in names for word in name.words), {w for p in public for w in p})
        self._telephones = [digits for value in evidence.phones if len(digits := telephone(value)) >= 6]

    def __repr__(self) -> str:
        return "<Lexicon>"

    @staticmethod
    def _tells(word: str) -> bool:
        if ideographic(word):
            return True
        if word.isdigit():
            return len(word) >= 5
        return len(word) >= _WHOLE and not is_common(word) and word not in PARTICLES

    def words(self, words: Sequence[Word]) -> Iterator[Match]:
        """Yield what words in a row say."""
        says = self._says_something
        for index, word in enumerate(words):
            if not says.get(word.form, True) or not self._may_say(word):
                continue
            if self._is_name(word):
                yield "name", len(word.form) < INSIDE and not ideographic(word.form)
            if word.form in self._ordinary and not word.written[0].islower():
                yield "name", True
            if self._is_title(word) and any(self._after(word, following) for following in words[index + 1 : index + 2]):
                yield "name", False
            yield from self._in_a_row(words[index : index + WIDEST])

    def _may_say(self, word: Word) -> bool:
        """Whether a word says something, alone or with those that follow; most words never do."""
        form = word.form
        may = (
            self._is_name(word)
            or form in self._ordinary
            or self._is_title(word)
            or form in self._begins
            or street(form) in self._begins
        )
        if len(self._says_something) < _MOST_REMEMBERED:
            self._says_something[form] = may
        return may

    def _is_name(self, word: Word) -> bool:
        form = word.form
        if form in self._alone or form in self._glued:
            return True
        # Genitives, and the cases of Slavic languages.
        endings = 3 if any("\u0400" <= c < "\u0500" for c in form) else 1 if form.endswith("s") else 0
        if any(len(form) - cut >= 5 and form[:-cut] in self._alone for cut in range(1, endings + 1)):
            return True
        if word.digits:
            return False
        return self._inside_word(form)

    def _in_a_row(self, words: Sequence[Word]) -> Iterator[Match]:
        text, address = "", ""
        known = True
        for count, word in enumerate(words, 1):
            text += word.form
            address += street(word.form)
            if text not in self._begins and address not in self._begins:
                return
            known = known and self._is_word(word.form)
            if kind := self._together.get(text):
                yield kind, False
            if text in self._common and not words[0].written[0].islower():
                yield "name", True
            if address in self._addresses:
                yield "address", False
            if count > 1 and not known and len(text) >= 6 and text in self._alone:
                yield "name", False

    @staticmethod
    def _is_word(form: str) -> bool:
        return len(form) > 1 and (form in vocabulary() or form in ordinary())

    @staticmethod
    def _is_title(word: Word) -> bool:
        return word.form in TITLES or word.form in TITLES_IN_CASE

    def _after(self, title: Word, word: Word) -> bool:
        """Whether what follows a title is a name: after `MR`, only what is no word of the language."""
        if word.form not in self._titled or word.written[0].islower():
            return False
        sure = title.form in TITLES or title.written.istitle()
        return sure or not (self._is_word(word.form) or len(word.form) < _WHOLE)

    def _inside_word(self, word: str) -> bool:
        if word in vocabulary() or word in ordinary():
            return False
        return any(self._counts_inside(known, word) for known in self._inside if known in word)

    def _counts_inside(self, known: str, word: str) -> bool:
        before, _, after = word.partition(known)
        if ideographic(known):
            return len(known) > 1 or (before in ("", *_BEFORE) and (not after or after.startswith(_ENDINGS)))
        return len(known) >= _LONG or (self._made(before) and self._made(after))

    def _made(self, rest: str) -> bool:
        """Whether letters are one known word, two of them, or none."""
        if not rest or self._is_known(rest):
            return True
        return any(self._is_known(rest[:cut]) and self._is_known(rest[cut:]) for cut in range(2, len(rest) - 1))

    def _is_known(self, word: str) -> bool:
        return self._is_word(word) or (len(word) > 1 and (word in self._own or word in TITLES))

    def spelled_out(self, words: Sequence[Word]) -> Iterator[Match]:
        """Yield what single letters in a row say."""
        letters = ""
        for word in (*words, Word("", "--", digits=False)):
            if len(word.form) == 1 and not word.digits:
                letters += word.form
                continue
            enough = len(letters) >= INSIDE or (len(letters) > 1 and ideographic(letters))
            if enough and (letters in self._alone or letters in self._together or self._inside_word(letters)):
                yield "name", False
            letters = ""

    def initials(self, family: str, initial: str, *, capital: bool) -> Iterator[Match]:
        """Yield what a word and an initial with its dot or comma say."""
        if capital and (family, initial) in self._initials:
            yield "name", True

    def slips(self, words: Iterable[str]) -> Iterator[Match]:
        """Yield what folded words say that are a name but for one letter."""
        if any(map(self._slips.near, words)):
            yield "name", True

    def numbers(self, runs: Sequence[str], *, free: bool) -> Iterator[Match]:
        """Yield what digits in groups say, which may be one number with separators, or hold one."""
        if free and any(known in run for known in self._long_numbers for run in runs):
            yield "number", True
        for start in range(len(runs)):
            bare = ""
            for run in runs[start : start + _MOST_GROUPS]:
                bare = (bare + run).lstrip("0")
                if bare not in self._digits_begin:
                    break
                weak = self._numbers.get(bare)
                if weak is not None and (free or len(bare) >= 6):
                    yield "number", weak

    def telephone(self, runs: Sequence[str]) -> Iterator[Match]:
        """Yield what digits in groups say, when they may be a telephone number."""
        for digits in windows(runs) if self._telephones else ():
            bare = digits.lstrip("0")
            if len(bare) >= 6 and any(_same_telephone(bare, known) for known in self._telephones):
                yield "telephone number", False


def _same_telephone(one: str, other: str) -> bool:
    """Whether one is the other, or the other without its country code."""
    long, short = (one, other) if len(one) >= len(other) else (other, one)
    return long == short or (len(short) >= 7 and long.endswith(short) and len(long) - len(short) <= 3)
