"""Verification finds what de-identification finds, with other code, and raises no alarm where that cuts nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airlock.identity.harvest import Evidence
from airlock.identity.identifiers import Identifiers
from airlock.identity.vocabulary import ordinary, vocabulary
from airlock.verify.spelled import Spelled
from tests.spelled import (
    ADDRESSES,
    BIRTH,
    BIRTH_DATES,
    HARMLESS,
    NAMES,
    NUMBERS,
    PHONES,
    TEMPTING,
    evidence_of,
)

LISTS = [
    *((evidence_of(name), texts) for name, texts in NAMES.items()),
    (Evidence(birth_dates={BIRTH}), BIRTH_DATES),
    *((Evidence(numbers={number}), texts) for number, texts in NUMBERS.items()),
    *((Evidence(phones={number}), texts) for number, texts in PHONES.items()),
    *((Evidence(phrases={address}), texts) for address, texts in ADDRESSES.items()),
]


def found(spelled: Spelled, text: str) -> bool:
    return bool(spelled.matches(text, free=True))


@pytest.mark.parametrize(("evidence", "texts"), LISTS, ids=range(len(LISTS)))
def test_every_spelling(evidence: Evidence, texts: list[str]) -> None:
    spelled, identifiers = Spelled(evidence, (), keep_dates=False), Identifiers(evidence)
    assert [text for text in texts if not found(spelled, text)] == []
    assert [text for text in texts if not found(spelled, f"seen: {text}, supine")] == []
    assert [text for text in texts if found(spelled, identifiers.cut(f"seen: {text}, supine"))] == []


@pytest.mark.parametrize("name", sorted(TEMPTING))
def test_no_alarm(name: str) -> None:
    spelled = Spelled(evidence_of(name), (), keep_dates=False)
    assert [text for text in HARMLESS if found(spelled, text)] == []
    assert not [word for word in vocabulary() if found(spelled, word) or found(spelled, word.upper())]
    assert not [word for word in ordinary() if len(word) > 2 and found(spelled, word)]


def test_dates_that_are_another_days_are_not_found() -> None:
    spelled = Spelled(Evidence(birth_dates={"19620404"}, dates={"20200112"}), (), keep_dates=False)
    assert [text for text in BIRTH_DATES if found(spelled, text)] == []
    assert found(spelled, "12 Jan 2020")
    assert not found(Spelled(Evidence(dates={"20200112"}), (), keep_dates=True), "12 Jan 2020")


def test_what_outputs_carry_on_purpose_is_not_searched() -> None:
    evidence = evidence_of("Mustermann^Erika", numbers={"QF-77319"})
    spelled = Spelled(evidence, ["Mustermann Trial", "QF-77319"], keep_dates=False)
    assert not found(spelled, "Mustermann Trial")
    assert not found(spelled, "QF-77319")
    assert found(spelled, "Erika")
    assert "Erika" not in repr(spelled)


@pytest.mark.parametrize("subject", ["DEMO-042", "PX-6794-0520", "A-000731942", "ST 0012345"])
def test_a_subject_whose_id_was_typed_at_the_scanner(subject: str) -> None:
    """Leading zeros are nothing to what is compared: the id itself is no alarm, in the outputs that carry it."""
    spelled = Spelled(evidence_of("Mustermann^Erika", numbers={subject}), [subject], keep_dates=False)
    assert not found(spelled, subject)
    assert found(Spelled(evidence_of("", numbers={subject}), ["OTHER-1"], keep_dates=False), subject)


def test_short_numbers_count_in_free_text_only() -> None:
    spelled = Spelled(Evidence(numbers={"4711"}), (), keep_dates=False)
    assert spelled.matches("no 4711", free=True) == {("number", True)}
    assert not spelled.matches("4711", free=False)


EVIDENCE = Evidence(
    names={"Müller-Lüdenscheidt^Jörg", "Long^An", "van der Berg^Johanna", "张^小东", "Kim^Eun", "Brown^May"},
    numbers={"MRN-00123456", "12345", "QF-77319"},
    phones={"+49 (0)89 1234 5678"},
    birth_dates={"19610303"},
    dates={"20200112"},
)
WORDS = """
müller Muller LÜDENSCHEIDT jörg long An van der Berg johanna 张 小东 kim Eun Brown may head mr Mr 123 456 12345 00 MRN
QF 77319 89 1234 5678 49 03 3 1961 61 mar 2020 12 01 jan ct ax T1 a b J M B s ue &uuml; %C3 %BC Ã¼ <b> ? \ufffd
"""
PIECES = [*WORDS.split(), *(" ", "  ", "-", "_", ".", ", ", "^", "/", "", "\\")]
IDENTIFIERS, SPELLED = Identifiers(EVIDENCE), Spelled(EVIDENCE, (), keep_dates=False)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
def test_nothing_is_found_where_everything_was_cut(text: str) -> None:
    assert not SPELLED.matches(IDENTIFIERS.cut(text), free=True)
