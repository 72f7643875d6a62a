"""`clawback block extend`: let a block stand longer."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

import typer
from temporalio.client import Client

from clawback.cli.acting import By, Reason, require_actor
from clawback.cli.arguments import parse_duration_argument
from clawback.cli.block.lookup import find_block, name_of
from clawback.cli.exits import ExitCode, Failure
from clawback.cli.output import AsJson, print_json, print_text
from clawback.cli.temporal_access import call_temporal
from clawback.model.orders import Verb
from clawback.model.times import parse_time
from clawback.temporal.block_gateway import ActiveBlock, BlockGateway


def extend(  # noqa: PLR0913 - the options of a command
    which: Annotated[str, typer.Argument(help="Id or pattern of the block.", show_default=False)],
    *,
    until: Annotated[str, typer.Option(help="New end, such as 2026-12-31T00:00:00Z.")] = "",
    duration: Annotated[
        str, typer.Option("--for", help="Extend the current end by this duration, such as 30d.")
    ] = "",
    by: By = "",
    reason: Reason = "",
    as_json: AsJson = False,
) -> int:
    """Extend a block: until a time, or by a duration."""
    if bool(until) is bool(duration):
        raise Failure("give either --until TIME or --for DURATION", ExitCode.USAGE)

    new_end = _parse_end(until, duration)
    actor = require_actor(Verb.EXTEND_BLOCK, by)

    async def extend_block(client: Client) -> tuple[ActiveBlock, datetime]:
        blocks = BlockGateway(client)
        block = await find_block(blocks, which)
        return block, await blocks.extend(block.id, new_end(block.expires_at), actor, reason)

    block, end = call_temporal(extend_block)
    if as_json:
        ends = {"ended_at": block.expires_at, "ends_at": end}
        print_json({"id": block.id, "pattern": block.block.pattern, **ends})
    else:
        print_text(f"The block of {name_of(block)} stands until {end:%Y-%m-%d %H:%M:%S} UTC.")

    return ExitCode.OK


def _parse_end(until: str, duration: str) -> Callable[[datetime], datetime]:
    """Return the function from the current end of a block to its new end.

    Raises:
        Failure: `until` is not a time, or `duration` not a duration.

    """
    if not until:
        longer = parse_duration_argument(duration, "--for")
        return lambda end: end + longer

    if (at := parse_time(until)) is None:
        message = f"--until: {until!r} is not a time such as 2026-12-31T00:00:00Z"
        raise Failure(message, ExitCode.USAGE)

    return lambda _: at
