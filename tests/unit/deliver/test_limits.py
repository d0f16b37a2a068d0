"""Hours, rates and slots of a destination."""

from datetime import datetime

import pytest

from airlock.deliver import limits
from airlock.deliver.limits import Throttle, check_hours
from airlock.errors import OutsideHours


@pytest.mark.parametrize(
    ("now", "hours", "seconds"),
    [
        ("12:00", [], None),
        ("12:00", ["08:00-13:00"], None),
        ("08:00", ["08:00-13:00"], None),
        ("13:00", ["08:00-13:00"], 19 * 3600),
        ("07:59", ["08:00-13:00"], 60),
        ("23:00", ["20:00-06:00"], None),
        ("05:59", ["20:00-06:00"], None),
        ("06:00", ["20:00-06:00"], 14 * 3600),
        ("12:00", ["20:00-06:00", "13:00-14:00"], 3600),
        ("12:00", ["00:00-00:00"], None),
    ],
)
def test_hours(now, hours, seconds):
    moment = datetime.fromisoformat(f"2026-11-21T{now}:00+01:00")
    if seconds is None:
        check_hours("PACS", hours, moment)
        return
    with pytest.raises(OutsideHours) as caught:
        check_hours("PACS", hours, moment)
    assert caught.value.seconds == seconds


def test_a_rate_is_kept_over_files(monkeypatch):
    slept = []
    clock = [100.0]
    monkeypatch.setattr(limits.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(limits.time, "sleep", slept.append)
    throttle = Throttle(1000)
    for size in (500, 2000, 100):
        throttle.wait(size)
    assert slept == [0, 0.5, 2.5]
    clock[0] += 1000
    throttle.wait(1)
    assert slept[-1] == 0
