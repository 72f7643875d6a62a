"""Blocks of senders that clawback made: what each matches, who wants it, until when."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from clawback.cloudflare import BlockedSender
from clawback.console.views.mail_text import show_address, show_mail_text
from clawback.console.views.times import ShownTime, format_absolute, show_time
from clawback.inventory.block_states import BlockState, compare_block
from clawback.temporal.block_gateway import ActiveBlock
from clawback.temporal.names import case_and_part

MOST_LISTED: Final = 500
_EXTENSIONS: Final = (7, 30, 90)
"""Days that the page of a case offers."""
_STATES: Final[Mapping[BlockState, tuple[str, str]]] = {
    BlockState.OURS: ("ours", "good-text"),
    BlockState.CHANGED: ("changed by somebody: it is left alone", "warn-text"),
    BlockState.GONE: ("gone", "warn-text"),
    BlockState.UNKNOWN: ("not known", "faint"),
}


@dataclass(frozen=True)
class ClaimRow:
    """Who wants a block, and until when."""

    who: str
    case_path: str
    ends: ShownTime


@dataclass(frozen=True)
class BlockRow:
    """One block."""

    id: str
    path: str
    pattern: str
    kind: str
    rule: str
    rule_path: str
    case_path: str
    made: ShownTime
    ends: ShownTime
    claims: tuple[ClaimRow, ...]
    more_claims: str
    state: str
    tone: str


@dataclass(frozen=True)
class BlocksView:
    """All blocks, the first to end on top."""

    rows: tuple[BlockRow, ...]
    count: str
    note: str


@dataclass(frozen=True)
class BlockView:
    """One block, with what an operator can do about it; `ended` says how it ended."""

    block: BlockRow | None
    id: str
    ended: str
    said: str
    may_change: bool


@dataclass(frozen=True)
class Extension:
    """One choice of how much longer a block stands: the end that it asks for, and how that reads.

    A fixed end counts once, however often the form is sent.
    """

    until: str
    text: str


@dataclass(frozen=True)
class CaseBlock:
    """A block that a case made or claims; without extensions the person may not extend it."""

    block: BlockRow
    extend_path: str
    extensions: tuple[Extension, ...]


def build_case_blocks(
    blocks: Iterable[ActiveBlock], now: datetime, zone: ZoneInfo, *, may_extend: bool
) -> tuple[CaseBlock, ...]:
    """Build the blocks of one case, the first to end on top."""
    return tuple(
        CaseBlock(
            block=build_row(one, None, now, zone),
            extend_path=f"/ops/blocks/{quote(one.id, safe='')}/extend",
            extensions=tuple(_extend(one.expires_at, zone)) if may_extend else (),
        )
        for one in sorted(blocks, key=lambda block: block.expires_at)
    )


def _extend(end: datetime, zone: ZoneInfo) -> Iterator[Extension]:
    for days in _EXTENSIONS:
        until = end + timedelta(days=days)
        yield Extension(until.isoformat(), f"{days} days more: {format_absolute(until, zone)}")


def build_blocks(
    blocks: Iterable[ActiveBlock],
    policies: Mapping[str, BlockedSender] | None,
    now: datetime,
    zone: ZoneInfo,
) -> BlocksView:
    """Build the list; `policies` are the blocks of the account, None if they cannot be read."""
    found = sorted(blocks, key=lambda block: block.expires_at)
    unread = (
        ""
        if policies is not None
        else ("Cloudflare does not answer now, so it is not known which blocks somebody changed.")
    )
    cut = f" The first {MOST_LISTED:,} to end are shown." if len(found) > MOST_LISTED else ""
    return BlocksView(
        rows=tuple(build_row(one, policies, now, zone) for one in found[:MOST_LISTED]),
        count=f"{len(found):,} blocks stand.{cut}" if found else "No block stands.",
        note=unread,
    )


def build_row(
    block: ActiveBlock,
    policies: Mapping[str, BlockedSender] | None,
    now: datetime,
    zone: ZoneInfo,
) -> BlockRow:
    """Build one row."""
    state, tone = _STATES[compare_block(block, policies)]
    others = block.claims.others
    return BlockRow(
        id=show_mail_text(block.id),
        path=f"/ops/blocks/{quote(block.id, safe='')}",
        pattern=show_address(block.block.pattern) or show_mail_text(block.id),
        kind=str(block.block.kind),
        rule=show_mail_text(block.rule),
        rule_path=f"/rules/{quote(block.rule, safe='')}",
        case_path=_case_path(block.case),
        made=show_time(block.made_at, now, zone),
        ends=show_time(block.expires_at, now, zone),
        claims=tuple(
            ClaimRow(
                who=show_mail_text(claim.label),
                case_path=_case_path(claim.case),
                ends=show_time(claim.expires_at, now, zone),
            )
            for claim in block.claims.kept
        ),
        more_claims=f"and {others:,} more" if others else "",
        state=state,
        tone=tone,
    )


def _case_path(case: str) -> str:
    """Return the path of a case page; empty without a case."""
    return f"/{quote(case_and_part(case)[0].replace('case/', 'cases/', 1))}" if case else ""
