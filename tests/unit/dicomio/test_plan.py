"""Which requests are made for what is missing."""

import pytest

from airlock.dicomio.find import FoundInstance, Listing
from airlock.dicomio.retrieval import MAX_SUBOPERATIONS, plan


def listed(*sizes):
    return {
        f"1.{s}.{n}": FoundInstance(f"1.{s}", f"1.{s}.{n}", None) for s, size in enumerate(sizes) for n in range(size)
    }


def levels(retrievals):
    return [r.identifier().QueryRetrieveLevel for r in retrievals]


def test_a_study_whose_instances_an_answer_cannot_count_is_divided():
    few = listed(40_000, 25_535)
    assert len(few) == MAX_SUBOPERATIONS == 65_535
    assert levels(plan("1", few, few)) == ["STUDY"]
    many = listed(40_000, 30_000)
    assert levels(plan("1", many, many)) == ["SERIES", "SERIES"]


def test_a_series_of_70000_is_asked_for_by_lists_that_hold_each_instance_once():
    many = listed(70_000, 3)
    retrievals = list(plan("1", many, many))
    assert levels(retrievals[-1:]) == ["SERIES"]
    asked = [uid for r in retrievals for uid in r.sop_uids]
    assert len(asked) == len(set(asked)) == 70_000
    assert max(len(r.sop_uids) for r in retrievals) <= 64


@pytest.mark.parametrize(
    ("level", "expected"), [("study", ["STUDY"]), ("series", ["SERIES"] * 2), ("image", ["IMAGE"] * 2)]
)
def test_levels(level, expected):
    two = listed(3, 4)
    assert levels(plan("1", two, two, level=level)) == expected
    assert levels(plan("1", two, two, level=level, singly=True)) == ["IMAGE"] * 7


def test_how_many_are_expected_is_the_largest_number_that_is_told():
    two = listed(3, 4)
    assert Listing(two, {"1.0": None, "1.1": None}).expected == 7
    assert Listing(two, {"1.0": 5, "1.1": None}).expected == 9
    assert Listing(two, {"1.0": 3, "1.1": 4}, 8).expected == 8
    assert Listing(two, {"1.0": 3, "1.1": 1}, 2).expected == 7
    assert not Listing(two, {"1.0": 5, "1.1": None}).whole
    assert Listing({}, {"1.0": 5, "1.1": 2}).expected == 7
