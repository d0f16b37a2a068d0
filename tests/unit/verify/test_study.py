"""What is judged over all outputs together is what judging each of them says, though most are not looked at."""

from __future__ import annotations

import random

import pytest

from airlock.verify import study
from airlock.verify.checks import Inspected
from airlock.verify.found import Found
from airlock.verify.study import Study


def outputs(chance: random.Random, *, faults: int) -> list[Inspected]:
    """Return what was found in outputs of a study whose UIDs are mapped one to one, but for some faults."""
    made = []
    for number in range(chance.randint(1, 6)):
        old = ("1.1", f"1.2.{number // 3}", f"1.3.{number}")
        new = ("2.1", f"2.2.{number // 3}", f"2.3.{number}")
        seen = [chance.randint(0, 7) for _ in range(chance.randint(0, 3))]
        pairs = tuple((f"1.3.{each}", f"2.3.{each}", 0x00081155) for each in seen)
        lost = tuple((f"1.3.{each}", 0x00081155) for each in seen[:1]) if chance.random() < 0.1 else ()
        offsets = ((-30, 0x00080020),) if chance.random() < 0.5 else ()
        made.append(Inspected(Found((), pairs, offsets, lost), old, new, ("p", "s")))
    for _ in range(faults):
        at = chance.randrange(len(made))
        one = made[at]
        wrong = chance.choice(["2.3.0", "1.3.1", "2.9", ""])
        if chance.random() < 0.5:
            made[at] = one._replace(new=(*one.new[:2], wrong))
        else:
            pair = (chance.choice(["1.3.0", "1.9", ""]), wrong, 0x00081155)
            made[at] = one._replace(found=one.found._replace(pairs=(*one.found.pairs, pair)))
    return made


def problems(found: list[Inspected], *, keep_uids: bool) -> dict[str, list[object]]:
    judged = Study(keep_uids=keep_uids, largest_days=20)
    for number, each in enumerate(found):
        judged.add(str(number), each)
    return {name: list(each) for name, each in judged.problems().items()}


@pytest.mark.parametrize("keep_uids", [False, True])
def test_what_is_not_looked_at_is_not_wrong(monkeypatch: pytest.MonkeyPatch, keep_uids: bool) -> None:
    chance = random.Random(7)
    cases = [outputs(chance, faults=number % 4) for number in range(400)]
    quickly = [problems(case, keep_uids=keep_uids) for case in cases]
    # Now look at every output, and count how often each UID stands for each.
    monkeypatch.setattr(study._Graph, "any_wrong", lambda _: True)
    monkeypatch.setattr(study, "_one_to_one", lambda _: None)
    assert quickly == [problems(case, keep_uids=keep_uids) for case in cases]
    assert sum(any(case.values()) for case in quickly) > 100


def test_one_fault_among_many_outputs_is_found() -> None:
    found = [Inspected(Found(), ("1.1", "1.2", f"1.3.{n}"), ("2.1", "2.2", f"2.3.{n}"), ("p", "s")) for n in range(200)]
    assert problems(found, keep_uids=False) == {}
    for wrong in ("2.3.7", "1.3.199"):
        several = [*found[:-1], found[-1]._replace(new=("2.1", "2.2", wrong))]
        assert problems(several, keep_uids=False).keys() == {"199"}
