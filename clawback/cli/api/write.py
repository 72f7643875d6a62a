"""Commands that change something.

They say what they will do, ask, put it on record, do it once, and find out what a lost answer did.

They are by people and outside the cases: no rule, no guard and no undo knows of them. The kill
switch and the never-block list hold all the same.
"""

import asyncio
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import typer
from temporalio.service import RPCError

from clawback.audit import AuditLog, AuditUnavailable
from clawback.cli.api.output import cell, print_result
from clawback.cli.api.read import asked, opened, telling
from clawback.cli.cloudflare_access import read_safety
from clawback.cli.exits import ExitCode, Failure
from clawback.cli.output import print_status
from clawback.cli.rule_folders import load_folder
from clawback.cloudflare import (
    ApiError,
    Batch,
    ClientError,
    MoveItem,
    ReleaseItem,
    Resubmission,
    UnknownOutcome,
)
from clawback.cloudflare.catalogue import Operation
from clawback.cloudflare.recovery import RecoveryResult, recovery_of
from clawback.model.addresses import PatternKind
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.messages import Destination
from clawback.rules.source.safety import Safety
from clawback.settings import Settings, load_settings
from clawback.temporal.client import TemporalUnreachable, connect
from clawback.temporal.guard_gateway import GuardGateway

_BLOCKS = "settings.block_senders."
_JOBS = "investigate/bulk"
_ALL_OF_A_TIME = {"destination", "comment", "start", "end", "detections_only", "submissions"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A change that somebody asks for, and how."""

    operation: Operation
    arguments: Mapping[str, Any]
    by: str
    reason: str
    yes: bool
    force: bool
    as_json: bool

    @property
    def targets(self) -> tuple[str | None, ...]:
        """What it changes, by id or pattern, as far as it names any."""
        told = self.arguments
        return tuple(
            told.get("ids") or [told.get("id") or told.get("job_id") or told.get("pattern")]
        )


def change(wanted: Wanted) -> int:
    """Make a change: exit code 1 if part of it did not succeed.

    Raises:
        Failure: it is not allowed, not agreed to, cannot be recorded, was refused, or nobody knows
            what became of it.

    """
    settings = load_settings()
    asyncio.run(_must_be_allowed(wanted, settings))
    _must_be_agreed_to(wanted, settings)
    if not wanted.yes:  # whoever was asked may have thought for long
        asyncio.run(_must_be_allowed(wanted, settings))
    result = asyncio.run(_made(wanted, _Record(wanted, settings)))
    print_result(
        wanted.operation,
        {"outcome": str(result)} if isinstance(result, RecoveryResult) else result,
        as_json=wanted.as_json,
    )
    return ExitCode.NO if _failures(result) else ExitCode.OK


# ---- before


async def _must_be_allowed(wanted: Wanted, settings: Settings) -> None:
    _must_be_narrow(wanted)
    if (
        wanted.arguments.get("destination") == Destination.PURGES
        and not load_folder(settings.rules).safety.hard_delete
    ):
        raise Failure(
            "only an administrator could take that back, and rules/safety.yml does not permit hard deletes",
            ExitCode.NO,
        )
    if not wanted.force:
        await _must_not_be_stopped(settings)
    if blocks := list(_blocks(wanted)):
        with asked():
            async with opened() as api:
                safety = await read_safety(api, settings)
        if forbidden := [block["pattern"] for block in blocks if _is_forbidden(safety, block)]:
            raise Failure(
                f"the never-block list forbids {', '.join(forbidden)}; change rules/safety.yml if that is wrong",
                ExitCode.NO,
            )


def _must_be_narrow(wanted: Wanted) -> None:
    """Refuse a bulk job that would act on everything in its time."""
    if wanted.operation.endpoint == _JOBS and wanted.arguments.keys() <= _ALL_OF_A_TIME:
        raise Failure(
            "say what it is to act on: --sender, --subject, --disposition or another option; not everything",
            ExitCode.USAGE,
        )


async def _must_not_be_stopped(settings: Settings) -> None:
    remedy = "--force overrides"
    try:
        stopped = await GuardGateway(await connect(settings)).is_stopped()
    except (TemporalUnreachable, RPCError) as error:
        raise Failure(
            f"refused: cannot tell whether containment is stopped: {error}; {remedy}",
            ExitCode.ENVIRONMENT,
        ) from error
    if stopped:
        raise Failure(
            f"refused: containment is stopped, or no worker ever ran here; {remedy}",
            ExitCode.NO,
        )


def _blocks(wanted: Wanted) -> Iterator[Mapping[str, Any]]:
    """The fields of everything that would be blocked."""
    if not wanted.operation.name.startswith(_BLOCKS):
        return
    changes: Batch = wanted.arguments.get("changes", Batch())
    for fields in (
        wanted.arguments,
        *changes.posts,
        *changes.patches.values(),
        *changes.puts.values(),
    ):
        if isinstance(fields.get("pattern"), str):
            yield fields


def _is_forbidden(safety: Safety, block: Mapping[str, Any]) -> bool:
    """Whether the never-block list forbids a block, as whatever kind it may be."""
    pattern, kind = block["pattern"], str(block.get("pattern_type") or "").lower()
    if block.get("is_regex"):
        return safety.forbids_expression(pattern)
    return any(safety.forbids(pattern, one) for one in PatternKind if kind in {"", one})


def _must_be_agreed_to(wanted: Wanted, settings: Settings) -> None:
    """Show what will be done, and ask; without a terminal somebody must have said yes."""
    where = (
        f"account {settings.cloudflare_account_id}"
        if settings.cloudflare_api_token
        else "the simulator"
    )
    print_status(
        f"{wanted.operation.summary}: {wanted.operation.method} {wanted.operation.endpoint} of {where}"
    )
    shown = dict(_shown(wanted.arguments))
    for name, text in shown.items():
        print_status(f"  {name.ljust(max(map(len, shown)))}  {text}")
    if wanted.yes:
        return
    if not sys.stdin.isatty():
        raise Failure("nothing was done: say --yes to do this without being asked", ExitCode.USAGE)
    if not typer.confirm("Do this?", err=True):
        raise Failure("Nothing was done.", ExitCode.NO)


def _shown(arguments: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in arguments.items():
        match value:
            case Batch():
                yield from _shown(
                    {
                        part: changes
                        for part in ("deletes", "patches", "puts", "posts")
                        if (changes := getattr(value, part))
                    }
                )
            case bytes():
                yield name, f"{len(value):,} bytes"
            case list():
                yield name, cell([one if isinstance(one, str) else _in_words(one) for one in value])
            case _:
                yield name, cell(str(value) if isinstance(value, datetime) else value)


def _in_words(item: Any) -> str:
    """One of several things that are asked for: a resubmission, or the fields of a policy."""
    return (
        f"{item.alert_id} as {item.disposition}" if isinstance(item, Resubmission) else cell(item)
    )


# ---- doing it


async def _made(wanted: Wanted, record: "_Record") -> Any:
    """Do it once; what a lost answer did is found out, and never done again."""
    operation, since = wanted.operation, datetime.now(UTC)
    await record.write("begun")
    try:
        with asked():
            async with opened() as api, telling(lambda: "Cloudflare has not answered yet …"):
                try:
                    result = await operation.bind(api)(**wanted.arguments)
                except UnknownOutcome as lost:
                    result = await _found_out(wanted, since, lost)
    except Failure as error:
        await record.write(_outcome(error))
        raise
    await record.write("failed:in_part" if _failures(result) else "done")
    return result


def _outcome(error: Failure) -> str:
    match error.__cause__:
        case ClientError():
            return "failed:refused"
        case ValueError():
            return "failed:rejected"
        case UnknownOutcome():
            return "failed:not_done" if error.code is ExitCode.NO else "unknown"
    return "failed:unavailable"


async def _found_out(wanted: Wanted, since: datetime, lost: UnknownOutcome) -> RecoveryResult:
    """Find out what a lost answer did.

    Raises:
        Failure: it was not done, or nobody knows.

    """
    recovery = recovery_of(wanted.operation)
    found = None
    if recovery is not None:
        print_status(f"The answer was lost ({lost.text}); looking at {recovery.source}.")
        try:
            async with opened() as api:
                found = await recovery.check(api, wanted.arguments, since)
        except ApiError as error:
            print_status(f"That cannot be read now: {error}")
    match found:
        case RecoveryResult.DONE:
            return found
        case RecoveryResult.NOT_DONE:
            raise Failure(
                "the answer was lost, and it was not done, as far as Cloudflare shows: run it again",
                ExitCode.NO,
            ) from lost
    sentence = (
        "only part of it shows"
        if found is RecoveryResult.PARTLY
        else "nobody knows whether it was done"
    )
    raise Failure(
        f"the answer was lost, and {sentence}: look before you run it again", ExitCode.ENVIRONMENT
    ) from lost


def _failures(result: Any) -> int:
    """Count what did not succeed of a move or a release."""
    items = result if isinstance(result, tuple) else ()
    return sum(
        1
        for item in items
        if (isinstance(item, MoveItem) and not item.success)
        or (isinstance(item, ReleaseItem) and not item.is_complete)
    )


# ---- on record


class _Record:
    """Puts one change into the audit: before it is made, and what became of it."""

    def __init__(self, wanted: Wanted, settings: Settings) -> None:
        self._wanted = wanted
        self._log = AuditLog(settings.audit_file)
        self._id = f"by-hand/{uuid4()}"

    async def write(self, outcome: str) -> None:
        """Write one line for each target.

        Raises:
            Failure: the audit cannot be written.

        """
        wanted, at = self._wanted, datetime.now(UTC)
        lines = [
            AuditRecord(
                id=f"{self._id}/{number}/{outcome}",
                at=at,
                kind=RecordKind.BY_HAND,
                action=" ".join(wanted.operation.command),
                target=target,
                outcome=outcome,
                after=wanted.arguments.get("destination") or wanted.arguments.get("disposition"),
                detail=wanted.reason or None,
                actor=wanted.by,
            )
            for number, target in enumerate(wanted.targets)
        ]
        try:
            await asyncio.to_thread(self._log.append, lines)
        except AuditUnavailable as error:
            raise Failure(str(error), ExitCode.ENVIRONMENT) from error
