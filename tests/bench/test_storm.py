"""The figures of the benches storm and soak, from samples."""

from datetime import UTC, datetime, timedelta
from typing import Any

from bench.soak import Sample as SoakSample
from bench.soak import growth_per_hour
from bench.storm import Sample, longest_gap, longest_pause, per_minute

SAMPLES = [
    Sample(2, 0, 0, 0),
    Sample(10, 5, 0, 0),
    Sample(40, 5, 0, 0),
    Sample(55, 5, 0, 3),
    Sample(70, 9, 4, 3),
    Sample(80, 9, 4, 3),
]


def test_a_pause_ends_with_an_act_or_a_hold() -> None:
    """Forty-five seconds pass between the fifth change and the first hold."""
    assert longest_pause(SAMPLES) == 45.0


def test_a_pause_at_the_end_counts() -> None:
    """A run that was given up while nothing happened shows it."""
    assert longest_pause([*SAMPLES, Sample(200, 9, 4, 3)]) == 130.0


def test_acts_and_holds_are_counted_by_minute() -> None:
    """Each minute has what was added in it."""
    assert per_minute(SAMPLES) == [
        {"minute": 0, "acts": 5, "holds": 3},
        {"minute": 1, "acts": 4, "holds": 0},
    ]


def test_a_gap_is_the_time_between_two_reads_of_messages() -> None:
    """Other requests and earlier reads do not count."""
    since = datetime(2026, 11, 28, tzinfo=UTC)

    def request(seconds: float, template: str = "/email-security/investigate") -> dict[str, Any]:
        return {"at": (since + timedelta(seconds=seconds)).isoformat(), "template": template}

    requests = [request(-5), request(3), request(9, "/email-security/submissions"), request(14)]
    assert longest_gap(requests, since) == 11.0


def test_growth_is_that_of_the_second_half() -> None:
    """The first half warms up."""
    samples = [
        SoakSample(minutes, 0, worker_mib, 10, 100, 20, 5, 3, 7)
        for minutes, worker_mib in ((0, 50), (10, 90), (20, 100), (30, 101), (40, 102))
    ]
    growth = growth_per_hour(samples)
    assert growth["worker_mib"] == 6.0
    assert growth["worker_files"] == 0.0
