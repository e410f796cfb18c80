"""FullStory's limit on downloads: kept to, and its Retry-After obeyed."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from simulator import Fault
from source_fullstory.http.rate_limit import Limiter
from source_fullstory.kit.headers import retry_after
from unit_tests.syncs import Account, assert_rows

MONDAY = datetime(2024, 1, 1, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def sent(limiter: Limiter, clock: Clock, count: int) -> list[float]:
    """When `count` requests go out that do nothing but wait for their turn."""
    times: list[float] = []
    while len(times) < count:
        wait, ticket = limiter.take()
        clock.now += wait
        if ticket:
            limiter.answered(ticket)
            times.append(clock.now - 1000)
    return times


def test_no_minute_has_more_downloads_than_allowed() -> None:
    clock = Clock()
    times = sent(Limiter(2, clock), clock, 9)
    assert times[:2] == [0, 0]
    assert all(later - earlier > 60 for earlier, later in zip(times, times[2:], strict=False))
    assert times[-1] < 4 * 61


def test_without_a_number_there_is_no_limit() -> None:
    clock = Clock()
    assert sent(Limiter(None, clock), clock, 1000)[-1] == 0


def test_a_refusal_holds_everybody_until_it_is_over() -> None:
    clock = Clock()
    limiter = Limiter(None, clock)
    limiter.refuse(30)
    limiter.refuse(10)
    assert limiter.take()[0] == pytest.approx(30)
    clock.now += 29.9
    assert limiter.take()[0] > 0
    clock.now += 0.2
    assert limiter.take() == (0, 1)


def test_a_request_waits_for_the_answer_to_the_one_before_but_not_for_ever() -> None:
    clock = Clock()
    limiter = Limiter(None, clock)
    _, first = limiter.take()
    assert limiter.take()[1] == 0
    limiter.answered(first)
    _, second = limiter.take()
    limiter.answered(first)
    assert limiter.take()[1] == 0
    clock.now += 11
    assert limiter.take()[1] > second


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "30"}, 30),
        ({"Retry-After": " 1.5 "}, 1.5),
        (
            {
                "Retry-After": format_datetime(MONDAY + timedelta(seconds=45), usegmt=True),
                "Date": format_datetime(MONDAY),
            },
            45,
        ),
        ({"Retry-After": format_datetime(MONDAY, usegmt=True)}, 0),
        ({"Retry-After": "later"}, None),
        ({"Retry-After": "-5"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


@pytest.mark.parametrize("form", ["seconds", "date", "none"])
def test_any_number_of_waits_is_fine_and_no_request_comes_early(account: Account, form: str) -> None:
    sim = account.sim
    sim.settings.change(downloads_per_minute=3, window_seconds=1.0, retry_after=form)
    sim.add_period("2024-01-01", "2024-01-04", hours=6, events=20)
    outcome = account.sync(num_workers=8)
    assert_rows(outcome.records(), sim.truth())
    assert any(request.status == 429 for request in sim.requests)
    assert sim.early_requests == 0
    assert outcome.status() == "COMPLETE"


def test_more_refusals_than_tries_are_fine(account: Account) -> None:
    account.sim.add_bundle("2024-01-01", "2024-01-02", 5)
    account.sim.fault(Fault("/get", "429", times=30))
    assert len(account.sync().records()) == 5


def test_the_list_may_have_a_limit_too(account: Account) -> None:
    account.sim.settings.change(lists_per_minute=2, window_seconds=1.0, page_size=5)
    account.sim.add_period("2024-01-01", "2024-01-04", hours=6, events=1)
    assert len(account.sync(streams=["export_bundles"]).records("export_bundles")) == 12
    assert account.sim.early_requests == 0


def test_a_pause_of_more_than_an_hour_is_a_transient_error(account: Account) -> None:
    account.sim.add_bundle("2024-01-01", "2024-01-02", 5)
    account.sim.fault(Fault("/get", "429", headers={"Retry-After": "86400"}))
    outcome = account.sync()
    assert outcome.errors()[0]["failure_type"] == "transient_error"
    assert "over the limit" in outcome.errors()[0]["message"]


def test_a_check_does_not_wait_for_the_limit(account: Account) -> None:
    account.sim.fault(Fault("/me", "429", headers={"Retry-After": "600"}))
    began = time.monotonic()
    status = account.check()
    assert status["status"] == "FAILED"
    assert "FullStory asks to wait 10 minutes before /me" in status["message"]
    assert "quota" not in status["message"]
    assert time.monotonic() - began < 60


def test_the_log_tells_of_the_waiting(account: Account) -> None:
    account.sim.add_bundle("2024-01-01", "2024-01-02", 5)
    account.sim.fault(Fault("/get", "429", headers={"Retry-After": "2"}))
    log = account.sync().log
    assert "was over the limit (a web page, '429'); next try in 2.0 s" in log
    assert "waits 2 s for FullStory's limit" in log
    assert "s waited for the rate limit" in log
