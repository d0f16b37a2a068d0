"""What a project's rules allow, read by the names of their fields."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from airlock.project import DeidentifyPolicy
from airlock.verify.policy import PrivateName, RuleReader, override_of, private_of
from airlock.verify.table import CLEAN, DUMMY, EMPTY, KEEP, MAP, SAME, Table

DESCRIPTION, STUDY_DATE, THICKNESS, SEQUENCE = 0x00081030, 0x00080020, 0x00180050, 0x00081140


class Tag(SimpleNamespace):
    def matches(self, tag: int, _creator: str | None = None) -> bool:
        return tag == self.tag


def rule(action: str, selector: object, **more: object) -> SimpleNamespace:
    return SimpleNamespace(**{"action": action, "selector": selector, "when": None, "days": None, **more})


def table(*rules: SimpleNamespace, unlisted: bool = False) -> Table:
    return Table("2026d", (), RuleReader(rules, keep_unlisted=unlisted))


@pytest.mark.parametrize(
    ("action", "allowed"),
    [("keep", {KEEP}), ("remove", set()), ("empty", {EMPTY}), ("dummy", {DUMMY}), ("uid", {MAP}), ("hash", {KEEP}),
     ("clean", {CLEAN, DUMMY}), ("hold", set())],
)  # fmt: skip
def test_actions(action: str, allowed: set[str]) -> None:
    assert table(rule(action, Tag(tag=DESCRIPTION))).allowed((), DESCRIPTION) == allowed
    assert table(rule(action, Tag(tag=DESCRIPTION))).allowed((), THICKNESS) == {KEEP, SAME}


def test_a_path_beats_a_tag_and_a_tag_a_vr() -> None:
    path = SimpleNamespace(steps=(Tag(tag=SEQUENCE), Tag(tag=STUDY_DATE)))
    rules = table(rule("keep", "DA"), rule("empty", path), rule("dummy", Tag(tag=STUDY_DATE)))
    assert rules.allowed((), STUDY_DATE) == {DUMMY}
    assert rules.allowed((SEQUENCE,), STUDY_DATE) == {EMPTY}
    assert rules.allowed((), 0x00080021) == {KEEP}


def test_a_condition_allows_both() -> None:
    found = table(rule("keep", Tag(tag=STUDY_DATE), when=object())).allowed((), STUDY_DATE)
    assert found == {KEEP, DUMMY}


def test_unlisted_attributes() -> None:
    assert table(unlisted=True).allowed((), 0x00184444) == {KEEP}
    assert not table(unlisted=True).allowed((), 0x60003000)
    assert not table().allowed((), 0x00184444)


def test_a_policy_without_rules_has_none() -> None:
    assert override_of(DeidentifyPolicy()) is None
    assert private_of(DeidentifyPolicy()) is None


@pytest.mark.parametrize(
    ("text", "tag", "creator", "kept"),
    [
        ('(0019,"MAKER",0C)', 0x0019100C, "MAKER", True),
        ('(0019,"MAKER",0C)', 0x0019100D, "MAKER", False),
        ('(0019,"MAKER",0C)', 0x0019100C, "OTHER", False),
        ('(0019,"MAKER")', 0x001910FF, "MAKER", True),
        ('"MAKER"', 0x00291001, "MAKER", True),
        ("0019", 0x00191001, "ANY", True),
        ("0019", 0x00291001, "ANY", False),
        ('(00x9,"MAKER",0x)', 0x00291001, "MAKER", True),
        ("nonsense", 0x00291001, "MAKER", False),
    ],
)
def test_names_of_private_elements(text: str, tag: int, creator: str, *, kept: bool) -> None:
    assert PrivateName.parse(text).matches(tag, creator) is kept


def test_private_elements_that_a_project_keeps() -> None:
    private = SimpleNamespace(keep=('(0019,"MAKER",0C)',), csa_header=True)
    marks = SimpleNamespace(private=private, private_mode="keep-list", rules=())
    allowed = private_of(marks)  # type: ignore[arg-type]  # as much of them as is asked for
    assert allowed is not None
    assert allowed((), 0x00190010, "MAKER")
    assert allowed((), 0x0019100C, "MAKER")
    assert not allowed((), 0x0019100D, "MAKER")
    assert allowed((), 0x00291010, "SIEMENS CSA HEADER")
