"""The section `review` of a project's policy."""

from __future__ import annotations

import pytest

from airlock.errors import PolicyError
from airlock.ledger import TransferState
from airlock.project import load_policy


def test_nobody_is_asked_unless_the_policy_says_so(tmp_path):
    (tmp_path / "p.yaml").write_text("name: p\n")
    review = load_policy(tmp_path / "p.yaml").review
    assert (review.mode, review.release, review.timeout_days) == ("auto", False, 5)


@pytest.mark.parametrize(
    "line", ["mode: ask", "when: {sometimes: true}", "timeout_days: 0", "when: {below_confidence: 101}"]
)
def test_an_unknown_word_names_its_line(tmp_path, line):
    (tmp_path / "p.yaml").write_text(f"name: p\nreview:\n  {line}\n")
    with pytest.raises(PolicyError, match=r"p\.yaml:3: review\."):
        load_policy(tmp_path / "p.yaml")


def test_a_review_without_masking_is_refused(tmp_path):
    (tmp_path / "p.yaml").write_text("pixels:\n  rewrite: false\nreview:\n  mode: review\n")
    with pytest.raises(PolicyError, match=r"review.*rewrite"):
        load_policy(tmp_path / "p.yaml")


def test_a_transfer_in_review_has_not_ended():
    assert not TransferState.REVIEW.ended
    assert TransferState.RUNNING.may_become(TransferState.REVIEW)
    assert TransferState.REVIEW.may_become(TransferState.RUNNING)
    assert not TransferState.SENT.may_become(TransferState.REVIEW)
