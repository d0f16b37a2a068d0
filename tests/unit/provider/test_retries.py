"""Which failures are tried again, and when."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.sdk.definitions.retry_policy import RetryAction

from airlock import errors
from airlock.settings import load_settings
from airlock_provider.retries import LONGEST_DELAY, AirlockRetryPolicy


@pytest.fixture(autouse=True)
def ten_seconds(monkeypatch):
    monkeypatch.setenv("AIRLOCK_RETRY_SECONDS", "10")
    load_settings.cache_clear()
    yield
    load_settings.cache_clear()


def decide(error, try_number=1):
    return AirlockRetryPolicy().evaluate(error, try_number, 5)


@pytest.mark.parametrize("kind", [errors.UnknownProject, errors.AssociationRejected, errors.StudyNotFound])
def test_what_somebody_must_change_is_not_tried_again(kind):
    assert decide(kind("no")).action is RetryAction.FAIL


@pytest.mark.parametrize("kind", [errors.IdentifierFound, errors.PixelsNotCleaned, errors.DetectorUnavailable])
def test_what_a_person_must_look_at_is_not_tried_again(kind):
    assert decide(kind("held")).action is RetryAction.FAIL


@pytest.mark.parametrize(
    ("kind", "seconds"),
    [
        (errors.AssociationAborted, 10),
        (errors.TransferIncomplete, 20),
        (errors.PeerUnavailable, 40),
        (errors.UnexpectedFailure, 10),
        (ValueError, 10),
    ],
)
def test_the_delay_depends_on_the_class_and_doubles(kind, seconds):
    for try_number in (1, 2, 3):
        decision = decide(kind("later"), try_number)
        assert decision.action is RetryAction.RETRY
        assert decision.retry_delay == timedelta(seconds=seconds * 2 ** (try_number - 1))


def test_the_delay_has_an_end():
    assert decide(errors.PeerUnavailable("down"), 20).retry_delay == LONGEST_DELAY


def test_outside_the_hours_of_a_destination_it_is_tried_when_they_begin():
    decision = decide(errors.OutsideHours("at night", 9 * 3600.0))
    assert decision.retry_delay == timedelta(hours=9)
