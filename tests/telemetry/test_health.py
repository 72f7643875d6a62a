"""When a worker is unwell: late polls, and what excuses them."""

from datetime import timedelta

from clawback.telemetry import metrics
from clawback.telemetry.health import complaint, overdue, poll_ages, poll_patience

SOURCES = ("message", "phishguard_report")
MINUTE = timedelta(minutes=1)
PATIENCE = dict.fromkeys(SOURCES, 2 * MINUTE)


def test_patience_is_two_minutes_or_ten_intervals() -> None:
    """A short interval still leaves two minutes, a long one ten of it."""
    assert poll_patience(timedelta(seconds=5)) == 2 * MINUTE
    assert poll_patience(MINUTE) == 10 * MINUTE


def test_a_fresh_process_has_as_long_as_any_other() -> None:
    """What was never polled counts from the start of the process.

    Well at first, late once the patience is over.
    """
    assert overdue({}, 2 * MINUTE, PATIENCE) == {}
    assert overdue({}, 3 * MINUTE, PATIENCE) == dict.fromkeys(SOURCES, 3 * MINUTE)


def test_each_source_counts_for_itself() -> None:
    """One source that is read does not hide another that is not."""
    ages = {"message": MINUTE, "phishguard_report": 5 * MINUTE}
    assert overdue(ages, 90 * MINUTE, PATIENCE) == {"phishguard_report": 5 * MINUTE}
    assert overdue(ages, 90 * MINUTE, {**PATIENCE, "phishguard_report": 10 * MINUTE}) == {}


def test_the_complaint_is_one_sentence_or_nothing() -> None:
    """It names each late source and for how long, in one line."""
    assert complaint({}) is None
    said = complaint({"message": timedelta(seconds=185.7), "phishguard_report": 5 * MINUTE})
    assert (
        said
        == "no complete poll of message for 3m5s and phishguard_report for 5m; `clawback poll status` and the log say why"
    )


def test_ages_come_from_the_gauge() -> None:
    """What `/metrics` shows is what is judged."""
    metrics.POLL_LAG.labels("a source of this test").set(61)
    try:
        assert poll_ages()["a source of this test"] == timedelta(seconds=61)
    finally:
        metrics.POLL_LAG.remove("a source of this test")
