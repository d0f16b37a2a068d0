"""A project may receive studies while it is active and its approval holds."""

from __future__ import annotations

from datetime import date

import pytest

from airlock.errors import InvalidRequest, NotApproved, PolicyError
from airlock.project import ProjectPolicy, load_policy

APPROVED = ProjectPolicy.model_validate({"name": "p", "approval": {"start": "2026-03-01", "end": "2026-03-31"}})


@pytest.mark.parametrize("day", [date(2026, 3, 1), date(2026, 3, 15), date(2026, 3, 31)])
def test_inside(day):
    APPROVED.check_approved(day)


@pytest.mark.parametrize("day", [date(2026, 2, 28), date(2026, 4, 1)])
def test_outside(day):
    with pytest.raises(NotApproved, match="from 2026-03-01 to 2026-03-31"):
        APPROVED.check_approved(day)


def test_without_an_approval_every_day_will_do():
    ProjectPolicy(name="p").check_approved(date(1900, 1, 1))


def test_not_active():
    with pytest.raises(NotApproved, match="not active"):
        ProjectPolicy(name="p", active=False).check_approved(date(2026, 1, 1))


def test_the_pattern_of_subjects():
    policy = ProjectPolicy(name="p", subject_pattern="S-[0-9]{3}")
    policy.check_subject("S-001")
    for subject in ("S-0012", "xS-001", "S-01"):
        with pytest.raises(InvalidRequest) as refused:
            policy.check_subject(subject)
        assert subject not in str(refused.value)


def test_where_airlock_makes_the_ids_the_pattern_tells_how():
    policy = ProjectPolicy(name="p", subject_pattern="^QC-[0-9]{3}$", identity={"patient": "pattern"})
    policy.check_subject("AUTO")
    assert policy.id_pattern().matches(policy.id_pattern().make(lambda below: below - 1))
    assert ProjectPolicy(name="p", identity={"patient": "pattern", "pattern": "A[0-9]"}).id_pattern().size == 10
    for pattern in ("", "QC-.*"):
        vague = ProjectPolicy(name="p", subject_pattern=pattern, identity={"patient": "pattern"})
        with pytest.raises(PolicyError, match="takes ids from a pattern"):
            vague.check_subject("AUTO")


def test_a_pattern_that_is_none_stops_the_load(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text('name: p\nsubject_pattern: "S-[0-9"\n')
    with pytest.raises(PolicyError, match=r"p\.yaml:2: subject_pattern: .*not a regular expression"):
        load_policy(path)
