"""What is derived once, or not at all, finds what deriving everything finds."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airlock.deid.stream.values import encode_uid, encode_uids
from airlock.identity import typing_errors
from airlock.identity.dated import Dated
from airlock.identity.evidence import Evidence
from airlock.identity.harvest import collect
from airlock.identity.identifiers import Identifiers
from airlock.identity.keys import KeyRing
from airlock.identity.readings import readings
from airlock.identity.spell_dates import date_keys, fewest_in_date, spell_date, spell_strong_date
from airlock.identity.spelled import Keys, Spelled, spelled
from airlock.identity.spellings import Spelling
from airlock.identity.typing_errors import TypingErrors
from airlock.identity.uids import UidMap
from airlock.identity.vocabulary import fold

FIRST, LAST = date(1860, 1, 1), date(2027, 12, 31)


@pytest.mark.parametrize("birth", [False, True])
def test_every_spelling_of_a_date_has_one_of_its_keys(birth: bool) -> None:
    # The day after a new year, and of every era, is among these.
    days = [FIRST + timedelta(step) for step in range(0, (LAST - FIRST).days, 211)]
    days += [date(year, 1, 1) for year in range(1870, 2027, 9)] + [
        date(1989, 1, 8),
        date(2019, 5, 1),
        date(1926, 12, 25),
    ]
    for day in days:
        value = f"{day:%Y%m%d}"
        keys = date_keys(value, birth=birth)
        for spelling in spell_date(value, birth=birth):
            assert any(key in spelling.key and also in spelling.also for key, also in keys), spelling
            assert not spelling.gapped
            if spelling.key.isascii() and (spelling.strong or not spelling.weak):
                assert spelling.fewest >= fewest_in_date(birth=birth)


def days_and_spellings() -> list[tuple[str, Spelling]]:
    # A day of one digit, the first year of an era, a month and a year that begin with zeros, and none that is a day.
    days = ["19630916", "19890203", "20040105", "19261228", "19991231", "19310230"]
    return [(day, spelling) for day in days for spelling in spell_date(day, birth=True)]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.data())
def test_what_a_spelling_of_a_date_matches_is_not_passed_over(data: st.DataObject) -> None:
    day, spelling = data.draw(st.sampled_from(days_and_spellings()))
    text = data.draw(st.from_regex(spelling.compiled, fullmatch=True, alphabet=st.characters(codec="gbk")))
    dated = Dated({day}, {day}, list)
    # As it is written, and with all digits side by side if that is a way to write it.
    for written in (text, "".join(character for character in text if character.isdigit())):
        folded = fold(written)
        if spelling.compiled.search(folded):
            assert spelling.key in folded
            assert spelling.also in folded
            assert all(spelling in dated.held_by(reading) for reading in readings(written) if reading.folded == folded)


@pytest.mark.parametrize("birth", [False, True])
def test_of_a_date_all_that_is_searched_in_binary_data_is_spelled_for_it(birth: bool) -> None:
    whole = Spelled.of(spell_date("19630916", birth=birth))
    assert whole.binary
    assert Spelled.of(spell_strong_date("19630916")).binary == whole.binary


def test_a_date_in_one_run_of_digits_is_spelled_only_where_it_may_be() -> None:
    made: list[Spelled] = []
    dated = Dated({"19630916"}, {"19630916"}, lambda each: made.extend(each) or made[-1:])
    for text in ("1636391609", "ISO_IR 192", "63", "91600"):
        (reading, *_) = readings(text)
        assert not list(dated.held_by(reading))
    assert not made
    (reading,) = readings("16091963")
    assert list(dated.held_by(reading))
    assert made


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("born 16.09.1963", "date"),
        ("born on the sixteenth of september nineteen sixty-three", "date"),
        ("昭和38年9月16日", "date"),
        ("W38 1963-W38-1", "date"),
        ("day 1963-259", "date"),
        ("2506-09-16", "date"),
        ("seen 17 apr 2026", "date"),
        ("160963-12345", "number"),
        ("560963-12345", "number"),
        ("63291612345", "number"),
        ("63591612345", "number"),
        ("56096312345", "number"),
        ("160963123456", "number"),
        ("11010519630916031x", "number"),
        ("63259", "date"),
        ("2438289", "date"),
        ("25060916", "date"),
        ("16091963", "date"),
        ("19630916123000", "date"),
        ("19631609", "date"),
        ("091663", "date"),
        ("september sixteenth, 1963", "date"),
        ("september161963", "date"),
        ("shahrivar251342", "date"),
        ("一九六三年九月十六日", "date"),
    ],
)
def test_dates_are_found_though_they_are_spelled_late(text: str, kind: str) -> None:
    identifiers = Identifiers(Evidence(dates={"20260417"}, birth_dates={"19630916"}))
    # Texts without a date come first, as in most objects.
    assert not identifiers.find("ISO_IR 192", free=False)
    assert kind in {found for found, _ in identifiers.matches(text)}


def test_digits_without_separators_are_no_date_of_another_calendar() -> None:
    identifiers = Identifiers(Evidence(birth_dates={"19630916"}))
    assert identifiers.find("1383-4-25")
    assert not identifiers.find("1383425")


def test_values_of_one_patient_are_not_taken_for_those_of_another() -> None:
    one = Identifiers(Evidence(names={"Haugland^Torbjorn"}, numbers={"4711234"}))
    other = Identifiers(Evidence(names={"Haugland^Torbjorn"}, numbers={"8151234"}))
    assert one.find("Haugland 4711234")
    assert not one.find("8151234")
    assert other.find("8151234")
    assert not other.find("4711234")


def test_the_same_value_is_spelled_by_what_it_is() -> None:
    # As a telephone number, it counts with its digits apart; as a name, it does not.
    assert Identifiers(Evidence(phones={"5597 1122"})).find("55 97 11 22", free=True)
    assert spelled("phones", "5597 1122") is not spelled("numbers", "5597 1122")
    assert {s.kind for s in spelled("phones", "5597 1122").spellings} == {"telephone number"}
    assert {s.kind for s in spelled("numbers", "5597 1122").spellings} == {"number"}


def test_what_the_output_carries_on_purpose_stays_for_one_project_only() -> None:
    evidence = Evidence(names={"Mustermann^Erika"})
    assert not Identifiers(evidence, ("mustermann-2026",)).find("Mustermann", free=True)
    assert Identifiers(evidence, ("other-2026",)).find("Mustermann", free=True)
    assert Identifiers(evidence, ("mustermann-2026",)).find("Erika", free=True)


def test_a_spelling_without_what_is_public_is_a_copy() -> None:
    whole = spelled("names", "Mustermann^Erika")
    rest = whole.without([("mustermann", "mustermann")], "mustermann\nmustermann")
    assert 0 < len(rest.spellings) < len(whole.spellings)
    assert spelled("names", "Mustermann^Erika") == whole
    assert whole.without([("bench", "bench")], "bench\nbench") is whole


def test_keys_of_every_length_are_looked_up() -> None:
    words = [Spelling(key, key, strong=False) for key in ("", "x", "ab", "abc", "zzz")]
    keys = Keys([Spelled.of(words).solid])

    def held(text: str) -> set[str]:
        (reading,) = readings(text)
        return {spelling.key for spelling in keys.held_by(reading.folded, reading.pairs)}

    assert held("qabcq") == {"", "ab", "abc"}
    assert held("zz") == {""}
    assert held("x") == {"", "x"}
    assert held("") == {""}


def test_letters_apart_are_looked_up_together() -> None:
    identifiers = Identifiers(Evidence(names={"Mustermann^Erika"}))
    assert identifiers.find("M U S T E R M A N N", free=True)
    assert identifiers.find("Must_erma_nn", free=True)
    # Its first letter alone: no two letters of the text are those that the name begins with.
    assert identifiers.find("M_ustermann", free=False)


@pytest.mark.parametrize("word", ["hagland", "hauglandd", "haugladn", "hauglund", "xhaugland"])
def test_words_as_long_as_a_name_or_one_letter_more_or_less_are_compared(word: str) -> None:
    errors = TypingErrors(["Haugland^Eva"], [])
    assert list(errors.spans(word)) == [(0, len(word))]


def test_very_long_words_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    # Of each, as many words as it has letters would be made, and remembered: gigabytes of one that a program wrote.
    made, without_one = [], typing_errors._without_one
    monkeypatch.setattr(typing_errors, "_without_one", lambda word: made.append(len(word)) or without_one(word))
    assert list(TypingErrors(["Haugland^Eva"], []).spans("haugland" * 500)) == []
    assert made
    assert max(made) == len("haugland")


def test_only_uids_have_three_points() -> None:
    uids = Identifiers(Evidence(uids={"1.2.3.4.5"}))
    assert uids.fewest_points == 3
    assert uids.find("see 1.2.3.4.5")
    assert uids.in_bytes(b"\0\0see 1.2.3.4.5\0", dates=True)
    assert uids.in_bytes(".".join("12345").encode("utf-16-le").join((b"xx", b"xx")), dates=True)
    for evidence in (
        Evidence(names={"Haugland"}),
        Evidence(dates={"20260417"}),
        Evidence(birth_dates={"20260417"}),
        Evidence(encoded={"Müller".encode("latin-1")}),
    ):
        assert Identifiers(evidence).fewest_points == 0


def test_many_uids_become_what_each_becomes() -> None:
    uids = UidMap(KeyRing(bytes(range(32))), "P")
    originals = ["1.2.3", "1.2.840.1", *(f"1.2.{number}" for number in range(200))]
    news = list(uids.each(originals))
    assert news == [uids(original) for original in originals]
    # Of even and of odd length.
    assert len({len(new) for new in news}) > 2
    for head, implicit in ((b"\x08\0\x18\0UI\x06\0", False), (b"\x08\0\x18\0\x06\0\0\0", True)):
        each = [encode_uid(head, new, implicit=implicit) for new in news]
        assert list(encode_uids(head, news, implicit=implicit)) == each


def test_many_uids_become_what_is_known_of_them_or_what_the_rule_says() -> None:
    keys, originals = KeyRing(bytes(range(32))), ["1.2.3", "1.2.4", "1.2.5"]
    known = UidMap(keys, "P", {"1.2.4": "2.25.4"})
    assert list(known.each(originals)) == [known("1.2.3"), "2.25.4", known("1.2.5")]
    fiona = UidMap(keys, "P", rule="fiona")
    assert list(fiona.each(originals)) == [fiona(original) for original in originals]
    assert set(fiona.each(originals)).isdisjoint(UidMap(keys, "P").each(originals))


def test_names_in_bytes_that_are_ascii_but_for_their_escapes_are_known_too() -> None:
    evidence = Evidence()
    collect(evidence, 0x00100010, "PN", b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B", [])
    assert evidence.encoded == {b"\x1b$B;3ED\x1b(B", b"\x1b$BB@O:\x1b(B"}
    collect(evidence, 0x00100010, "PN", b"Yamada^Tarou", [])
    assert len(evidence.encoded) == 2
