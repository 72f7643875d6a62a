"""Moments as people write them on the command line: a time, or how long ago."""

from datetime import UTC, datetime, timedelta

from clawback.cli.exits import ExitCode, Failure
from clawback.model.durations import parse_duration
from clawback.model.times import parse_time


def duration(text: str, option: str) -> timedelta:
    """Read `30d`.

    Raises:
        Failure: it is no duration; the text names the option.

    """
    try:
        return parse_duration(text)
    except ValueError as error:
        raise Failure(f"{option}: {error}", ExitCode.USAGE) from None


def parse_time_argument(text: str, option: str) -> datetime:
    """Read `2026-11-22T14:00:00Z` or `2h` (ago).

    Raises:
        Failure: it is neither; the text names the option and gives examples.

    """
    if (at := parse_time(text)) is not None:
        return at
    try:
        return datetime.now(UTC) - parse_duration(text)
    except ValueError:
        sentence = (
            f"{option}: {text!r} is neither a time (2026-11-22T09:00:00Z) nor how long ago (6h)"
        )
        raise Failure(sentence, ExitCode.USAGE) from None
