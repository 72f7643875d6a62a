"""Finds out whether an unsafe POST was executed after its response was lost. Reads only.

This serves people and covers every operation. Containment has cheaper ways of its own for a
thousand messages. Source: reference §3.3.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any, Protocol

from clawback.cloudflare.account_settings.policy_list import Batch, PolicyList
from clawback.cloudflare.client import EmailSecurity
from clawback.cloudflare.errors import NotFound
from clawback.cloudflare.operation_catalogue import Operation
from clawback.cloudflare.operations.feedback import Resubmission
from clawback.cloudflare.operations.investigate import ActionLogEntry
from clawback.cloudflare.paging import pages
from clawback.cloudflare.steady_reads import read_steadily
from clawback.cloudflare.wire_model import WireModel
from clawback.model.messages import postfix_id_of

SKEW = timedelta(minutes=1)
"""How far our clock may be ahead of the API's."""

RELEASES = frozenset({"RELEASE", "QUARANTINE_RELEASE"})
"""The names of a release in action logs."""


class RecoveryResult(StrEnum):
    """What the API shows of a request whose response was lost."""

    DONE = "done"
    NOT_DONE = "not done"
    PARTLY = "partly done"


class RecoveryCheck(Protocol):
    """Looks for the effect of a call, given its arguments and the time it was made."""

    async def __call__(
        self, api: EmailSecurity, arguments: Mapping[str, Any], since: datetime
    ) -> RecoveryResult:
        """Return what the API shows."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """How to find out; `source` says where it looks and what that costs, for people."""

    source: str
    check: RecoveryCheck


def recovery_of(operation: Operation) -> Recovery | None:
    """Return how to find out whether an unsafe POST was executed; None if it may be repeated."""
    if not operation.is_unsafe:
        return None

    match operation.command[1]:
        case "create" if operation.name.startswith("settings."):
            return Recovery("the list, by its fields: 1 request a page", _check_created(operation))
        case "batch":
            return Recovery("the whole list: 1 request a page", _check_batch(operation))
        case _:
            return _BY_NAME[operation.name]


def is_since(entry: ActionLogEntry, since: datetime) -> bool:
    """Whether an action happened since a time of our clock."""
    return _time_of(entry) >= since - SKEW


def _time_of(entry: ActionLogEntry) -> datetime:
    """When an action happened; an action without a time comes before all others."""
    return entry.completed_at or entry.started_at or datetime.min.replace(tzinfo=UTC)


def _summarise(done: Sequence[bool]) -> RecoveryResult:
    if all(done):
        return RecoveryResult.DONE
    return RecoveryResult.PARTLY if any(done) else RecoveryResult.NOT_DONE


# ---- messages


def _message_ids(arguments: Mapping[str, Any]) -> Sequence[str]:
    return arguments["ids"] if "ids" in arguments else [arguments["id"]]


async def _read_action_log(api: EmailSecurity, identity: str) -> Sequence[ActionLogEntry]:
    try:
        return await read_steadily(partial(api.action_log, identity))
    except NotFound:
        return ()


async def _check_moved(
    api: EmailSecurity,
    arguments: Mapping[str, Any],
    since: datetime,  # noqa: ARG001 - only the folder counts, not the time
) -> RecoveryResult:
    """Check that the newest move of each message went to the requested folder."""

    async def is_there(identity: str) -> bool:
        moves = [
            entry
            for entry in await _read_action_log(api, identity)
            if entry.operation == "MOVE" and entry.success is not False
        ]
        # The order of the log is not documented (reference §2.8).
        newest = max(moves, key=_time_of, default=None)
        return newest is not None and newest.properties.get("folder") == arguments["destination"]

    return _summarise([await is_there(identity) for identity in _message_ids(arguments)])


async def _check_released(
    api: EmailSecurity, arguments: Mapping[str, Any], since: datetime
) -> RecoveryResult:
    async def is_released(identity: str) -> bool:
        return any(
            entry.operation in RELEASES and is_since(entry, since)
            for entry in await _read_action_log(api, identity)
        )

    return _summarise([await is_released(identity) for identity in _message_ids(arguments)])


async def _check_reclassified(
    api: EmailSecurity, arguments: Mapping[str, Any], since: datetime
) -> RecoveryResult:
    wanted = (postfix_id_of(arguments["id"]), arguments["disposition"])
    return _summarise([wanted in await _read_submissions(api, since)])


async def _check_submitted(
    api: EmailSecurity, arguments: Mapping[str, Any], since: datetime
) -> RecoveryResult:
    """Check that each message has such a submission.

    Submissions name no alert, so each alert is looked up for the postfix id of its message.
    """
    submissions, messages = await _read_submissions(api, since), arguments["messages"]

    async def is_submitted(message: Resubmission) -> bool:
        start, end = since - timedelta(days=90), datetime.now(UTC)
        search = partial(api.messages, start=start, end=end, alert_id=message.alert_id)
        found = await read_steadily(search)
        return any((item.postfix_id, message.disposition) in submissions for item in found.items)

    return _summarise([await is_submitted(message) for message in messages])


async def _read_submissions(
    api: EmailSecurity, since: datetime
) -> set[tuple[str | None, str | None]]:
    listing = pages(api.submissions, start=since - SKEW, end=datetime.now(UTC) + SKEW)
    return {
        (item.original_postfix_id, item.requested_disposition)
        async for page in listing
        for item in page.items
    }


async def _check_job(
    api: EmailSecurity,
    arguments: Mapping[str, Any],
    since: datetime,  # noqa: ARG001 - the comment is unique
) -> RecoveryResult:
    found = [
        job
        async for page in pages(api.jobs)
        for job in page.items
        if job.comment == arguments["comment"]
    ]
    return _summarise([bool(found)])


# ---- policies


def _check_created(operation: Operation) -> RecoveryCheck:
    async def check(
        api: EmailSecurity, arguments: Mapping[str, Any], since: datetime
    ) -> RecoveryResult:
        filters = _list_of(operation, api).filters_for(arguments)
        matches = [
            _is_created(record, arguments, since)
            async for record in _read_list(operation, api, **filters)
        ]
        return _summarise([any(matches)])

    return check


def _check_batch(operation: Operation) -> RecoveryCheck:
    async def check(
        api: EmailSecurity, arguments: Mapping[str, Any], since: datetime
    ) -> RecoveryResult:
        changes: Batch = arguments["changes"]
        records = {
            str(record.record.get("id")): record async for record in _read_list(operation, api)
        }
        # A batch is described as atomic (reference §3.3); what the list shows decides all the same.
        deleted = (identity not in records for identity in changes.deletes)
        changed = (
            identity in records and _has_fields(records[identity], fields)
            for identity, fields in {**changes.patches, **changes.puts}.items()
        )
        created = (
            any(_is_created(record, fields, since) for record in records.values())
            for fields in changes.posts
        )

        return _summarise([*deleted, *changed, *created])

    return check


def _list_of(operation: Operation, api: EmailSecurity) -> PolicyList[Any]:
    policies: PolicyList[Any] = getattr(api.settings, operation.name.split(".")[1])
    return policies


async def _read_list(
    operation: Operation, api: EmailSecurity, **filters: Any
) -> AsyncIterator[WireModel]:
    policies = _list_of(operation, api)
    listing = policies.list  # type: ignore[attr-defined] # subclasses define it
    async for page in pages(listing, **filters):
        for record in page.items:
            yield record


def _is_created(record: WireModel, fields: Mapping[str, Any], since: datetime) -> bool:
    created = getattr(record, "created_at", None)
    return _has_fields(record, fields) and (created is None or created >= since - SKEW)


def _has_fields(record: WireModel, fields: Mapping[str, Any]) -> bool:
    return all(record.record.get(name) == value for name, value in fields.items())


_BY_NAME: Mapping[str, Recovery] = {
    "move": Recovery("the action log of each message: 1 request a message", _check_moved),
    "move_one": Recovery("the action log of the message: 1 request", _check_moved),
    "release": Recovery("the action log of each message: 1 request a message", _check_released),
    "reclassify": Recovery("the submissions since: 1 request a page", _check_reclassified),
    "submit": Recovery(
        "the submissions since, and the message of each alert: 1 request a page and 1 an alert",
        _check_submitted,
    ),
    "move_all": Recovery("the jobs, by their unique comment: 1 request a page", _check_job),
    "release_all": Recovery("the jobs, by their unique comment: 1 request a page", _check_job),
}
