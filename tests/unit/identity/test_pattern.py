"""Ids from a pattern: they match it, and what does not describe a finite set of ids is refused."""

import random
import re

import pytest
from pydantic import ValidationError

from airlock.identity.pattern import IdPattern
from airlock.identity.policy import IdentityPolicy


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("[0-9]{3}", 1000),
        (r"^ABC-\d{2}$", 100),
        ("(A|BC)[xy]?", 2 * 3),
        (r"S\.[a-c]{1,2}", 3 + 9),
        ("X_(NH|SH)_[1-9][0-9]", 2 * 9 * 10),
        ("[A-CX-Z]", 6),
    ],
)
def test_ids_match(text, size):
    pattern = IdPattern(text)
    assert pattern.size == size
    chosen = random.Random(7)
    made = {pattern.make(chosen.randrange) for _ in range(300)}
    assert all(re.fullmatch(text, made_id) for made_id in made)
    assert len(made) > min(size, 300) * 0.6


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[0-9]*",
        "a+",
        ".",
        "[^a]",
        r"\bA",
        "(?=a)a",
        r"(a)\1",
        "[",
        "a{65}",
        "æ",
        r"\\",
        "\n",
        r"\s",
        "a?",
    ],
)
def test_what_is_not_understood_is_refused(text):
    with pytest.raises(ValueError, match=r"is not|repeats|does not|allows|characters"):
        IdPattern(text)


@pytest.mark.parametrize(
    "policy",
    [
        {"patient": "pattern", "pattern": "[0-9]*"},
        {"patient": "running"},
        {"patient": "running", "site": "a/b"},
        {"patient": "service"},
        {"dates": "service"},
        {"accession": "service"},
        {"shift_days": 99999},
    ],
)
def test_a_policy_that_lacks_something_is_refused(policy):
    with pytest.raises(ValidationError):
        IdentityPolicy.model_validate(policy)
