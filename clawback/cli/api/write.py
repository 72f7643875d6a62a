"""API commands that change something: check, confirm, record, send once, check a lost response.

They are manual and outside of cases: rules, guard and undo know nothing of them. The kill switch
and the never-block list apply.
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
from clawback.cli.api.read import api_call, open_for_person, report_waiting
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
from clawback.cloudflare.operation_catalogue import Operation
from clawback.cloudflare.recovery import RecoveryResult, recovery_of
from clawback.model.addresses import PatternKind
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.identity import Actor
from clawback.model.messages import Destination
from clawback.rules.source.safety import Safety
from clawback.settings import Settings, load_settings
from clawback.temporal.account_binding import ForeignAccount, connect_to_own
from clawback.temporal.client import TemporalUnreachable
from clawback.temporal.guard_gateway import GuardGateway
from clawback.temporal.key_ring import PayloadKeyError

_BLOCKS = "settings.block_senders."
_JOBS = "investigate/bulk"
_UNSELECTIVE = {"destination", "comment", "start", "end", "detections_only", "submissions"}


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """One change that somebody asks for."""

    operation: Operation
    arguments: Mapping[str, Any]
    actor: Actor
    reason: str
    yes: bool
    force: bool
    as_json: bool

    @property
    def targets(self) -> tuple[str | None, ...]:
        """The ids or patterns that it changes; (None,) if it names none."""
        given = self.arguments
        return tuple(
            given.get("ids") or [given.get("id") or given.get("job_id") or given.get("pattern")]
        )


def change(request: ChangeRequest) -> int:
    """Make a change and return 1 if part of it failed.

    Raises:
        Failure: it is not allowed, not confirmed, cannot be recorded, was refused, or its outcome
            is unknown.

    """
    settings = load_settings()
    asyncio.run(_check_allowed(request, settings))
    _confirm(request, settings)
    if not request.yes:  # the answer may have taken long
        asyncio.run(_check_allowed(request, settings))

    result = asyncio.run(_send(request, _AuditTrail(request, settings)))
    print_result(
        request.operation,
        {"outcome": str(result)} if isinstance(result, RecoveryResult) else result,
        as_json=request.as_json,
    )
    return ExitCode.NO if _failures(result) else ExitCode.OK


# ---- checks


async def _check_allowed(request: ChangeRequest, settings: Settings) -> None:
    _check_selective(request)
    if (
        request.arguments.get("destination") == Destination.PURGES
        and not load_folder(settings.rules).safety.hard_delete
    ):
        raise Failure(
            "refused: safety.yml does not allow hard deletes; only an administrator can undo one",
            ExitCode.NO,
        )

    if not request.force:
        await _check_not_stopped(settings)

    if blocks := list(_blocks(request)):
        with api_call():
            async with open_for_person() as api:
                safety = await read_safety(api, settings)

        if forbidden := [block["pattern"] for block in blocks if _is_forbidden(safety, block)]:
            raise Failure(
                f"refused: {', '.join(forbidden)} is on the never-block list (safety.yml)",
                ExitCode.NO,
            )


def _check_selective(request: ChangeRequest) -> None:
    """Refuse a bulk job that would act on every message of its time range."""
    if request.operation.endpoint == _JOBS and request.arguments.keys() <= _UNSELECTIVE:
        raise Failure(
            "refused: this would act on every message; add --sender, --subject or --disposition",
            ExitCode.USAGE,
        )


async def _check_not_stopped(settings: Settings) -> None:
    remedy = "--force overrides"
    try:
        stopped = await GuardGateway(await connect_to_own(settings)).is_stopped()
    except (ForeignAccount, PayloadKeyError) as error:
        raise Failure(f"refused: {error}", ExitCode.USAGE) from error
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


def _blocks(request: ChangeRequest) -> Iterator[Mapping[str, Any]]:
    """Yield the fields of every block that would be created or changed."""
    if not request.operation.name.startswith(_BLOCKS):
        return

    changes: Batch = request.arguments.get("changes", Batch())
    for fields in (
        request.arguments,
        *changes.posts,
        *changes.patches.values(),
        *changes.puts.values(),
    ):
        if isinstance(fields.get("pattern"), str):
            yield fields


def _is_forbidden(safety: Safety, block: Mapping[str, Any]) -> bool:
    """Whether the never-block list forbids a block; without a type, as any type."""
    pattern, kind = block["pattern"], str(block.get("pattern_type") or "").lower()
    if block.get("is_regex"):
        return safety.forbids_expression(pattern)
    return any(safety.forbids(pattern, one) for one in PatternKind if kind in {"", one})


def _confirm(request: ChangeRequest, settings: Settings) -> None:
    """Show the change and ask; without a terminal, --yes is required."""
    where = (
        f"account {settings.cloudflare_account_id}"
        if settings.cloudflare_api_token
        else "the simulator"
    )
    operation = request.operation
    print_status(f"{operation.summary}: {operation.method} {operation.endpoint} of {where}")
    shown = dict(_argument_lines(request.arguments))

    for name, text in shown.items():
        print_status(f"  {name.ljust(max(map(len, shown)))}  {text}")

    if request.yes:
        return
    if not sys.stdin.isatty():
        raise Failure("nothing was done: without a terminal, confirm with --yes", ExitCode.USAGE)
    if not typer.confirm("Do this?", err=True):
        raise Failure("nothing was done", ExitCode.NO)


def _argument_lines(arguments: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in arguments.items():
        match value:
            case Batch():
                yield from _argument_lines(
                    {
                        part: changes
                        for part in ("deletes", "patches", "puts", "posts")
                        if (changes := getattr(value, part))
                    }
                )
            case bytes():
                yield name, f"{len(value):,} bytes"
            case list():
                yield name, cell([one if isinstance(one, str) else _describe(one) for one in value])
            case _:
                yield name, cell(str(value) if isinstance(value, datetime) else value)


def _describe(item: Any) -> str:
    """Describe one item of a list: a resubmission, or the fields of a policy."""
    return (
        f"{item.alert_id} as {item.disposition}" if isinstance(item, Resubmission) else cell(item)
    )


# ---- the request


async def _send(request: ChangeRequest, record: "_AuditTrail") -> Any:
    """Send the request once; after a lost response, check what it did instead of repeating it."""
    operation, since = request.operation, datetime.now(UTC)
    await record.write("begun")
    try:
        with api_call():
            async with open_for_person() as api, report_waiting(lambda: "Waiting for Cloudflare …"):
                try:
                    result = await operation.bind(api)(**request.arguments)
                except UnknownOutcome as lost:
                    result = await _check_lost_response(request, since, lost)
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


async def _check_lost_response(
    request: ChangeRequest, since: datetime, lost: UnknownOutcome
) -> RecoveryResult:
    """Find out what a request did whose response was lost.

    Raises:
        Failure: it had no effect, or that is unknown.

    """
    recovery = recovery_of(request.operation)
    found = None
    if recovery is not None:
        print_status(f"Lost the response ({lost.text}); checking {recovery.source}.")
        try:
            async with open_for_person() as api:
                found = await recovery.check(api, request.arguments, since)
        except ApiError as error:
            print_status(f"Cannot check: {error}")

    match found:
        case RecoveryResult.DONE:
            return found
        case RecoveryResult.NOT_DONE:
            raise Failure(
                "lost the response; Cloudflare shows no effect: run the command again",
                ExitCode.NO,
            ) from lost

    outcome = (
        "only part of the change took effect"
        if found is RecoveryResult.PARTLY
        else "it is unknown whether the change took effect"
    )
    raise Failure(
        f"lost the response, and {outcome}: check before you run the command again",
        ExitCode.ENVIRONMENT,
    ) from lost


def _failures(result: Any) -> int:
    """Count the failed items of a move or a release."""
    items = result if isinstance(result, tuple) else ()
    return sum(
        1
        for item in items
        if (isinstance(item, MoveItem) and not item.success)
        or (isinstance(item, ReleaseItem) and not item.is_complete)
    )


# ---- the audit


class _AuditTrail:
    """Writes one change to the audit: before the request, and its outcome."""

    def __init__(self, request: ChangeRequest, settings: Settings) -> None:
        self._request = request
        self._log = AuditLog(settings.audit_file, settings.audit_key)
        self._id = f"by-hand/{uuid4()}"

    async def write(self, outcome: str) -> None:
        """Write one line for each target.

        Raises:
            Failure: the audit cannot be written.

        """
        request, at = self._request, datetime.now(UTC)
        lines = [
            AuditRecord(
                id=f"{self._id}/{number}/{outcome}",
                at=at,
                kind=RecordKind.BY_HAND,
                action=" ".join(request.operation.command),
                target=target,
                outcome=outcome,
                after=request.arguments.get("destination") or request.arguments.get("disposition"),
                detail=request.reason or None,
                **request.actor.audit_fields,
            )
            for number, target in enumerate(request.targets)
        ]
        try:
            await asyncio.to_thread(self._log.append, lines)
        except AuditUnavailable as error:
            raise Failure(str(error), ExitCode.ENVIRONMENT) from error
