"""`clawback block`: the blocks of ours that stand, how long they stand, and an end to them at once."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import typer
from temporalio.client import Client

from clawback.cli.cloudflare_access import open_own_api
from clawback.cli.exits import ExitCode, Failure
from clawback.cli.never_block import read_safety
from clawback.cli.output import AsJson, complain, print_json, say, working
from clawback.cli.tables import print_fitting
from clawback.cli.temporal_access import By, call_temporal, operating_system_user
from clawback.cli.time_arguments import duration
from clawback.cloudflare import ApiError, BlockedSender, EmailSecurity, pages
from clawback.model.policies import Removal
from clawback.model.times import parse_time
from clawback.rules.source.safety import Safety
from clawback.settings import Settings, load_settings
from clawback.temporal.block_gateway import ActiveBlock, BlockGateway
from clawback.temporal.workflow_calls import UpdateRefused

app = typer.Typer(no_args_is_help=True, help="See the blocks of ours, extend one, lift some.")

Which = Annotated[
    str, typer.Argument(help="The id of the block, or its pattern.", show_default=False)
]
Forbidden = Annotated[
    bool, typer.Option("--forbidden", help="Only those that the never-block list forbids by now.")
]
Reason = Annotated[str, typer.Option("--reason", help="Why; recorded in the audit.")]
_COLUMNS = ("pattern", "kind", "rule", "made", "ends", "now", "id", "case")
_FIRST_TO_GO = ("case", "made", "id", "kind", "rule")
_COLOURS = {"ours": "green", "changed": "yellow", "gone": "dim", "unknown": "dim"}
_SAID = {
    Removal.REMOVED: "is removed",
    Removal.GONE: "was gone already",
    Removal.LEFT_ALONE: "was changed by somebody since it was made: it is theirs, and left alone",
    None: "will be removed as soon as Cloudflare can be asked",
}
_REFUSED = "refused"
_STANDS = (Removal.LEFT_ALONE, _REFUSED)
"""Outcomes of a lift after which the block stands."""


@dataclass(frozen=True)
class Lifted:
    """What became of a block that was to be lifted.

    A word for programs, and the end of a sentence for people.
    """

    block: ActiveBlock
    outcome: str
    said: str


@app.command("list")
def list_blocks(
    *,
    rule: Annotated[str | None, typer.Option(help="Only blocks that this rule made.")] = None,
    forbidden: Forbidden = False,
    as_json: AsJson = False,
) -> int:
    """List the blocks of ours that stand, the next to end first, and whether each is still as we made it."""
    with working("Looking"):
        blocks, records = call_temporal(
            lambda client: _looked_at(client, rule=rule, forbidden=forbidden)
        )
    rows = [
        {**_row(block), "now": "unknown" if records is None else _now(block, records)}
        for block in blocks
    ]
    if as_json:
        print_json(rows)
    elif rows:
        print_fitting(
            _COLUMNS, [_shown(row) for row in rows], first_to_go=_FIRST_TO_GO, colours=_COLOURS
        )
    else:
        say("No such block of ours stands.")
    return ExitCode.OK


@app.command()
def extend(  # noqa: PLR0913 - the options of a command
    which: Which,
    *,
    until: Annotated[str, typer.Option(help="Until when, such as 2026-12-31T00:00:00Z.")] = "",
    lasts: Annotated[
        str, typer.Option("--for", help="How much longer than it would, such as 30d.")
    ] = "",
    by: By = operating_system_user(),  # noqa: B008 - the user does not change
    reason: Reason = "",
    as_json: AsJson = False,
) -> int:
    """Let a block stand longer than it would."""
    if bool(until) is bool(lasts):
        raise Failure("say either --until TIME or --for DURATION", ExitCode.USAGE)

    later = _later(until, lasts)

    async def extended(client: Client) -> tuple[ActiveBlock, datetime]:
        blocks = BlockGateway(client)
        block = await _the(blocks, which)
        return block, await blocks.extend(block.id, later(block.expires_at), by, reason)

    block, end = call_temporal(extended)
    if as_json:
        print_json(
            {
                "id": block.id,
                "pattern": block.block.pattern,
                "ended_at": block.expires_at,
                "ends_at": end,
            }
        )
    else:
        say(f"The block of {_name(block)} stands until {end:%Y-%m-%d %H:%M:%S} UTC.")
    return ExitCode.OK


@app.command()
def lift(  # noqa: PLR0913 - the options of a command
    which: Annotated[
        str, typer.Argument(help="The id of the block, or its pattern.", show_default=False)
    ] = "",
    *,
    forbidden: Forbidden = False,
    by: By = operating_system_user(),  # noqa: B008 - the user does not change
    reason: Reason = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show which would be lifted.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Remove a block now, or with --forbidden all that the never-block list forbids.

    Exit code 1 if one was left alone or refused.
    """
    if bool(which) is forbidden:
        raise Failure("say which: an id or a pattern, or --forbidden", ExitCode.USAGE)
    with working("Lifting"):
        lifted = call_temporal(
            lambda client: _lifted(
                client,
                which,
                by,
                reason or ("it is on the never-block list" if forbidden else ""),
                dry_run,
            )
        )
    if as_json:
        print_json([{**_row(one.block), "outcome": one.outcome} for one in lifted])
    for one in () if as_json else lifted:
        say(f"The block of {_name(one.block)} {one.said}.")
    if not lifted and not as_json:
        say("No block of ours contradicts the never-block list.")
    return ExitCode.NO if any(one.outcome in _STANDS for one in lifted) else ExitCode.OK


async def _lifted(
    client: Client,
    which: str,
    by: str,
    reason: str,
    dry_run: bool,  # noqa: FBT001
) -> list[Lifted]:
    """Lift all at once: each may wait for Cloudflare, and one that is refused keeps no other from ending."""
    blocks = BlockGateway(client)
    chosen = (
        [await _the(blocks, which)]
        if which
        else (await _looked_at(client, rule=None, forbidden=True, compare=False))[0]
    )
    if dry_run:
        return [Lifted(block, "would", "would be lifted") for block in chosen]
    return await asyncio.gather(*(_lift(blocks, block, by, reason) for block in chosen))


async def _lift(blocks: BlockGateway, block: ActiveBlock, by: str, reason: str) -> Lifted:
    try:
        removal = await blocks.lift(block.id, by, reason)
    except UpdateRefused as error:
        return Lifted(block, _REFUSED, f"is not lifted: {error}")
    return Lifted(block, removal or "pending", _SAID[removal])


async def _looked_at(
    client: Client, *, rule: str | None, forbidden: bool, compare: bool = True
) -> tuple[list[ActiveBlock], Mapping[str, BlockedSender] | None]:
    """Find blocks on Temporal, the next to end first, and what the API says of all blocks.

    None where it cannot be asked.
    """
    blocks = sorted(
        [block async for block in BlockGateway(client).list_active() if rule in (None, block.rule)],
        key=lambda block: block.expires_at,
    )
    settings = load_settings()
    async with open_own_api(settings) as api:
        if forbidden:
            safety = await read_safety(api, settings.rules)
            blocks = [block for block in blocks if _is_forbidden(block, safety)]
        return blocks, await _listed(api, settings) if blocks and compare else None


async def _listed(api: EmailSecurity, settings: Settings) -> Mapping[str, BlockedSender] | None:
    try:
        return {
            record.id: record
            async for page in pages(api.settings.block_senders.list)
            for record in page.items
        }
    except ApiError as error:
        complain(
            f"{_api_name(settings)} cannot say which blocks are still as we made them: {error}"
        )
        return None


def _api_name(settings: Settings) -> str:
    return "Cloudflare" if settings.cloudflare_api_token else "the simulator"


def _is_forbidden(block: ActiveBlock, safety: Safety) -> bool:
    return safety.forbids(block.block.pattern, block.block.kind)


def _now(block: ActiveBlock, records: Mapping[str, BlockedSender]) -> str:
    record = records.get(block.id)
    return (
        "gone" if record is None else "ours" if block.block.policy.is_still(record) else "changed"
    )


async def _the(blocks: BlockGateway, which: str) -> ActiveBlock:
    """Find a block by its id or its pattern.

    Raises:
        UpdateRefused: it has ended.
        NoSuchWorkflow: there never was one.
        Failure: the pattern has several.

    """
    found = [
        block
        async for block in blocks.list_active()
        if which.lower() in (block.id.lower(), block.block.pattern.lower())
    ]
    if len(found) > 1:
        raise Failure(
            f"{which} is blocked {len(found)} times; say which: {', '.join(block.id for block in found)}",
            ExitCode.NO,
        )
    return found[0] if found else await blocks.read(which)


def _later(until: str, lasts: str) -> Callable[[datetime], datetime]:
    """Read when a block shall end, given when it would: `until` a time, or `lasts` longer.

    Raises:
        Failure: it is no time, or no duration.

    """
    if not until:
        longer = duration(lasts, "--for")
        return lambda end: end + longer
    if (at := parse_time(until)) is None:
        raise Failure(
            f"--until: {until!r} is not a time such as 2026-12-31T00:00:00Z", ExitCode.USAGE
        )
    return lambda _: at


def _row(block: ActiveBlock) -> dict[str, Any]:
    return {
        "id": block.id,
        "pattern": block.block.pattern,
        "kind": block.block.kind,
        "rule": block.rule,
        "case": block.case,
        "made_at": block.made_at.isoformat(),
        "ends_at": block.expires_at.isoformat(),
    }


def _shown(row: Mapping[str, Any]) -> Sequence[str]:
    made, ends = (
        f"{datetime.fromisoformat(row[name]):%Y-%m-%d %H:%M}" for name in ("made_at", "ends_at")
    )
    return (
        row["pattern"] or row["id"],
        row["kind"] or "?",
        row["rule"],
        made,
        ends,
        row["now"],
        row["id"],
        row["case"],
    )


def _name(block: ActiveBlock) -> str:
    return block.block.pattern or block.id
