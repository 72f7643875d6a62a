"""`clawback block lift`: remove blocks now."""

import asyncio
from dataclasses import dataclass
from typing import Annotated

import typer
from temporalio.client import Client

from clawback.cli.acting import By, Reason, require_actor
from clawback.cli.block.lookup import Forbidden, describe_block, find_block, find_blocks, name_of
from clawback.cli.exits import ExitCode, Failure
from clawback.cli.output import AsJson, print_json, print_text, show_progress
from clawback.cli.temporal_access import call_temporal
from clawback.model.identity import Actor
from clawback.model.orders import Verb
from clawback.model.policies import Removal
from clawback.temporal.block_gateway import ActiveBlock, BlockGateway
from clawback.temporal.workflow_calls import UpdateRefused

_DESCRIPTIONS = {
    Removal.REMOVED: "was removed",
    Removal.GONE: "was already gone",
    Removal.LEFT_ALONE: "was edited since clawback created it, and was left in place",
    None: "will be removed as soon as Cloudflare is available",
}
_REFUSED = "refused"
_STILL_STANDS = (Removal.LEFT_ALONE, _REFUSED)


@dataclass(frozen=True)
class _Lifted:
    """What became of a block: a word for programs, and the end of a sentence for people."""

    block: ActiveBlock
    outcome: str
    description: str


def lift(  # noqa: PLR0913 - the options of a command
    which: Annotated[
        str, typer.Argument(help="Id or pattern of the block.", show_default=False)
    ] = "",
    *,
    forbidden: Forbidden = False,
    by: By = "",
    reason: Reason = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show which blocks would be lifted.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Remove a block now, whoever claims it.

    With --forbidden, remove all blocks that the never-block list forbids.

    Exit code 1 if a block was left in place or its removal was refused.
    """
    if bool(which) is forbidden:
        raise Failure("give an id, a pattern, or --forbidden", ExitCode.USAGE)

    actor = None if dry_run else require_actor(Verb.LIFT_BLOCK, by)
    why = reason or ("it is on the never-block list" if forbidden else "")

    async def lift_blocks(client: Client) -> list[_Lifted]:
        blocks = BlockGateway(client)
        chosen = (
            [await find_block(blocks, which)]
            if which
            else await find_blocks(blocks, forbidden=forbidden)
        )
        if actor is None:
            return [_Lifted(block, "would", "would be lifted") for block in chosen]

        # at once: each may wait for Cloudflare, and a refused one must not hold up the others
        return await asyncio.gather(*(_lift(blocks, block, actor, why) for block in chosen))

    with show_progress("Lifting"):
        lifted = call_temporal(lift_blocks)

    _print_lifted(lifted, as_json=as_json)
    return ExitCode.NO if any(one.outcome in _STILL_STANDS for one in lifted) else ExitCode.OK


async def _lift(blocks: BlockGateway, block: ActiveBlock, actor: Actor, reason: str) -> _Lifted:
    try:
        removal = await blocks.lift(block.id, actor, reason)
    except UpdateRefused as error:
        return _Lifted(block, _REFUSED, f"was not lifted: {error}")
    return _Lifted(block, removal or "pending", _DESCRIPTIONS[removal])


def _print_lifted(lifted: list[_Lifted], *, as_json: bool) -> None:
    if as_json:
        print_json([{**describe_block(one.block), "outcome": one.outcome} for one in lifted])
        return

    for one in lifted:
        print_text(f"The block of {name_of(one.block)} {one.description}.")

    if not lifted:
        print_text("No block contradicts the never-block list.")
