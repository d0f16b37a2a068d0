"""Searching once for several patients finds for each of them what searching for that one alone finds."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from airlock.identity.evidence import Evidence
from airlock.project import ProjectPolicy
from airlock.verify.checks import Expectation
from airlock.verify.crowd import TOGETHER, Crowds, evidence_of_all, originals, search_for
from airlock.verify.inspectors import Inspectors
from airlock.verify.search import Search
from airlock.verify.together import expectation_of
from tests.spelled import ADDRESSES, BIRTH, BIRTH_DATES, HARMLESS, NAMES, NUMBERS, PHONES, evidence_of

POLICY = ProjectPolicy(name="Study One")
PATIENTS: list[tuple[Evidence, list[str]]] = [
    *((evidence_of(name), texts) for name, texts in NAMES.items()),
    (Evidence(birth_dates={BIRTH}), BIRTH_DATES),
    *((Evidence(numbers={number}), texts) for number, texts in NUMBERS.items()),
    *((Evidence(phones={number}), texts) for number, texts in PHONES.items()),
    *((Evidence(phrases={address}), texts) for address, texts in ADDRESSES.items()),
    (Evidence(uids={"1.2.276.0.7230010.3.1.4.77"}), ["see 1.2.276.0.7230010.3.1.4.77"]),
    (Evidence(encoded={"Grünfeld".encode("latin-1")}), ["Grünfeld"]),
]


def expected(evidence: Evidence, *options: str, subject: str | None = None) -> Expectation:
    policy = ProjectPolicy(name=POLICY.name, deidentify={"options": options})
    return expectation_of(policy, evidence, subject)


def crowd(*patients: Evidence) -> Crowds:
    return Crowds([expected(evidence).plain() for evidence in patients])


def kinds(search: Search, text: str) -> list[frozenset[tuple[str, bool]]]:
    """What is found in a text: as free text, as a code, and as bytes of which nobody knows what they are."""
    raw = text.encode("utf-8", "surrogateescape")
    values = [search.element(raw, vr, b"ISO_IR 192", kept=True) for vr in (b"LT", b"CS", b"UN")]
    return [*values, search.data(text.encode("utf-16-le", "surrogatepass"))]


@pytest.mark.parametrize("start", range(0, len(PATIENTS), TOGETHER))
def test_of_every_spelling_the_crowd_finds_what_one_finds(start: int) -> None:
    patients = PATIENTS[start : start + TOGETHER]
    crowds = crowd(*(evidence for evidence, _ in patients))
    for number, (evidence, texts) in enumerate(patients):
        alone, among = search_for(expected(evidence)), search_for(expected(evidence), crowds.around(number))
        # Those of the next one too, and what is nobody's.
        for text in (*texts, *patients[number - 1][1][:4], *HARMLESS[number % 7 :: 7]):
            assert kinds(among, text) == kinds(alone, text), text
            assert kinds(among, text) == kinds(among, text)


def test_a_search_for_a_crowd_finds_more_than_any_for_one() -> None:
    everybody = search_for(expected(evidence_of_all(evidence for evidence, _ in PATIENTS)))
    for evidence, texts in PATIENTS[::4]:
        alone = search_for(expected(evidence))
        for text in texts:
            for one, all_of_them in zip(kinds(alone, text), kinds(everybody, text), strict=True):
                assert all_of_them or not one


def test_a_day_of_birth_counts_though_something_was_done_to_another_on_it() -> None:
    born, examined = Evidence(birth_dates={"19630916"}), Evidence(dates={"19630916"}, events={"19630916"})
    crowds = Crowds([expected(each, "retain_longitudinal_full_dates").plain() for each in (born, examined)])
    options = "retain_longitudinal_full_dates"
    assert kinds(search_for(expected(born, options), crowds.around(0)), "born 16.09.1963")[0]
    # As before: whoever was examined on that day was not born on it, as far as is known.
    assert not kinds(search_for(expected(examined, options), crowds.around(1)), "born 16.09.1963")[0]


def test_uids_that_stay_are_nobodys() -> None:
    evidence = Evidence(uids={"1.2.276.0.7230010.3.1.4.77"}, names={"Haugland^Eva"})
    expectation = expected(evidence, "retain_uids")
    assert originals(expectation) == frozenset()
    assert originals(expected(evidence)) == evidence.uids
    among = search_for(expectation, Crowds([expectation.plain()] * 2).around(1))
    assert kinds(among, "see 1.2.276.0.7230010.3.1.4.77") == kinds(
        search_for(expectation), "1.2.276.0.7230010.3.1.4.77"
    )
    assert kinds(among, "Haugland")[0]


def test_neighbours_are_searched_for_together() -> None:
    letters = [one + other for one in "bdfgklm" for other in "bdfgklmnp"]
    evidence = [Evidence(names={f"{several * 4}^{several * 3}"}) for several in letters]
    crowds = crowd(*evidence)
    first = crowds.around(0)
    assert first is crowds.around(TOGETHER - 1)
    assert first is not crowds.around(TOGETHER)
    for number, one in enumerate(evidence):
        (name,) = one.names
        assert kinds(crowds.around(number) or first, name)[0], number
    assert crowd(evidence[0]).around(0) is None


def test_patients_whose_outputs_carry_something_else_are_not_searched_for_together() -> None:
    evidence = Evidence(names={"Haugland^Eva"})
    plain = [expected(evidence, subject=subject).plain() for subject in ("haugland", "other")]
    assert Crowds(plain).around(0) is None
    assert Crowds([plain[1], plain[1]]).around(0) is not None


def test_an_inspector_is_of_the_patient_that_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[Evidence, Search | None]] = []

    class Noted:
        def __init__(self, expectation: Expectation, anybody: Search | None) -> None:
            made.append((expectation.evidence, anybody))

    monkeypatch.setattr("airlock.verify.inspectors.Inspector", Noted)
    evidence: Sequence[Evidence] = [Evidence(names={name}) for name in ("Haugland", "Brandt", "Okafor")]
    inspectors = Inspectors([expected(each).plain() for each in evidence])
    for number in (0, 0, 1, 2, 2, 1):
        inspectors(number)
    assert [said for said, _ in made] == [evidence[0], evidence[1], evidence[2], evidence[1]]
    assert len({id(anybody) for _, anybody in made}) == 1
    assert made[0][1] is not None
