"""When a worker is unhealthy: overdue polls."""

from datetime import timedelta

from clawback.telemetry import metrics
from clawback.telemetry.health import describe_overdue, max_poll_age, overdue_sources, poll_ages

SOURCES = ("message", "phishguard_report")
MINUTE = timedelta(minutes=1)
MAX_AGES = dict.fromkeys(SOURCES, 2 * MINUTE)


def test_a_poll_may_be_two_minutes_or_ten_intervals_old() -> None:
    """A short interval still allows two minutes, a long one ten intervals."""
    assert max_poll_age(timedelta(seconds=5)) == 2 * MINUTE
    assert max_poll_age(MINUTE) == 10 * MINUTE


def test_a_source_never_polled_counts_from_the_start_of_the_process() -> None:
    """Healthy at first, overdue once the process has been up for too long."""
    assert overdue_sources({}, 2 * MINUTE, MAX_AGES) == {}
    assert overdue_sources({}, 3 * MINUTE, MAX_AGES) == dict.fromkeys(SOURCES, 3 * MINUTE)


def test_each_source_counts_for_itself() -> None:
    """One source that is polled does not hide another that is not."""
    ages = {"message": MINUTE, "phishguard_report": 5 * MINUTE}
    late = {"phishguard_report": 5 * MINUTE}
    assert overdue_sources(ages, 90 * MINUTE, MAX_AGES) == late
    longer = {**MAX_AGES, "phishguard_report": 10 * MINUTE}
    assert overdue_sources(ages, 90 * MINUTE, longer) == {}


def test_the_description_is_one_sentence_or_nothing() -> None:
    """It names each overdue source and for how long, in one line."""
    assert describe_overdue({}) is None
    late = {"message": timedelta(seconds=185.7), "phishguard_report": 5 * MINUTE}
    assert describe_overdue(late) == (
        "no complete poll of message for 3m5s and phishguard_report for 5m; "
        "see `clawback poll status` and the log"
    )


def test_ages_come_from_the_gauge() -> None:
    """Health is judged by what `/metrics` shows."""
    metrics.POLL_LAG.labels("a source of this test").set(61)
    try:
        assert poll_ages()["a source of this test"] == timedelta(seconds=61)
    finally:
        metrics.POLL_LAG.remove("a source of this test")
