"""Finds the blocks that clawback created: on the Temporal server, and as they are at the API."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from clawback.cli.cloudflare_access import open_worker_api, read_safety
from clawback.cli.exits import ExitCode, Failure
from clawback.cli.output import print_error
from clawback.cloudflare import ApiError, BlockedSender
from clawback.inventory.block_states import read_block_policies
from clawback.model.addresses import canonical_pattern
from clawback.model.mailboxes import canonical_mailbox
from clawback.rules.source.safety import Safety
from clawback.settings import Settings, load_settings
from clawback.temporal.block_gateway import ActiveBlock, BlockGateway

Forbidden = Annotated[
    bool,
    typer.Option("--forbidden", help="Only blocks that the never-block list now forbids."),
]


async def find_block(gateway: BlockGateway, which: str) -> ActiveBlock:
    """Find a block by its id or its pattern.

    Raises:
        UpdateRefused: it has ended.
        NoSuchWorkflow: there was never such a block.
        Failure: several blocks have the pattern.

    """
    found = [
        block
        async for block in gateway.list_active()
        if which.lower() == block.id.lower() or _blocks(block, which)
    ]
    if len(found) > 1:
        ids = ", ".join(block.id for block in found)
        raise Failure(f"{which} has {len(found)} blocks; name one by its id: {ids}", ExitCode.NO)

    return found[0] if found else await gateway.read(which)


def _blocks(block: ActiveBlock, pattern: str) -> bool:
    """Whether a block is of a pattern, in whatever notation."""
    kind = block.block.kind
    if block.block.variants:
        return canonical_mailbox(pattern) == block.block.pattern
    return canonical_pattern(pattern, kind) == canonical_pattern(block.block.pattern or "", kind)


async def find_blocks(
    gateway: BlockGateway, *, rule: str | None = None, forbidden: bool = False
) -> list[ActiveBlock]:
    """Find blocks, the first to expire on top: of one rule, or those on the never-block list."""
    found = [block async for block in gateway.list_active() if _is_of(block, rule)]
    if forbidden:
        settings = load_settings()
        async with open_worker_api(settings) as api:
            safety = await read_safety(api, settings)
        found = [block for block in found if _is_forbidden(block, safety)]

    return sorted(found, key=lambda block: block.expires_at)


async def read_policies() -> Mapping[str, BlockedSender] | None:
    """Read all blocks of the account by id; None, with a warning, if the API is unavailable."""
    settings = load_settings()
    try:
        async with open_worker_api(settings) as api:
            return await read_block_policies(api)
    except ApiError as error:
        api_name = _api_name(settings)
        print_error(f"{api_name} is unavailable, so changed blocks cannot be told: {error}")
        return None


def describe_block(block: ActiveBlock) -> dict[str, Any]:
    """Return the fields of a block that commands print as JSON."""
    return {
        "id": block.id,
        "pattern": block.block.pattern,
        "kind": block.block.kind,
        "variants": block.block.variants,
        "rule": block.rule,
        "case": block.case,
        "made_at": block.made_at.isoformat(),
        "ends_at": block.expires_at.isoformat(),
        "claims": [
            {
                "rule": claim.rule,
                "case": claim.case,
                "by": claim.by,
                "ends_at": claim.expires_at.isoformat(),
            }
            for claim in block.claims.kept
        ],
        "other_claims": block.claims.others,
    }


def name_of(block: ActiveBlock) -> str:
    """Return what people know a block by: its pattern, else its id."""
    return block.block.pattern or block.id


def _api_name(settings: Settings) -> str:
    return "Cloudflare" if settings.cloudflare_api_token else "the simulator"


def _is_of(block: ActiveBlock, rule: str | None) -> bool:
    """Whether a rule made a block or claims it; None stands for every rule."""
    return rule in {None, block.rule, *(claim.rule for claim in block.claims.kept)}


def _is_forbidden(block: ActiveBlock, safety: Safety) -> bool:
    return safety.forbids(block.block.pattern, block.block.kind)
