"""Arguments that several commands share: confirmation, times, durations."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from clawback.cli.exits import ExitCode, Failure
from clawback.model.durations import parse_duration
from clawback.model.times import parse_time

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]


def parse_duration_argument(text: str, option: str) -> timedelta:
    """Parse a duration such as `30d`.

    Raises:
        Failure: it is not a duration; the message names the option.

    """
    try:
        return parse_duration(text)
    except ValueError as error:
        raise Failure(f"{option}: {error}", ExitCode.USAGE) from None


def parse_time_argument(text: str, option: str) -> datetime:
    """Parse a time such as `2026-11-22T14:00:00Z`, or an age such as `2h`.

    Raises:
        Failure: it is neither; the message names the option and gives examples.

    """
    if (at := parse_time(text)) is not None:
        return at

    try:
        return datetime.now(UTC) - parse_duration(text)
    except ValueError:
        message = f"{option}: {text!r} is neither a time (2026-11-22T09:00:00Z) nor an age (6h)"
        raise Failure(message, ExitCode.USAGE) from None
