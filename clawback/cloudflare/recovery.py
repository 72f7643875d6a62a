"""What to do where the answer of an unsafe POST was lost.

Find out from the API whether it was done. It only reads, and repeats nothing.

The containment of cases has its own ways, cheaper for a thousand messages; these serve people, and
every operation. Source: reference §3.3.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from clawback.cloudflare.catalogue import Operation
from clawback.cloudflare.client import EmailSecurity
from clawback.cloudflare.errors import NotFound
from clawback.cloudflare.feedback import Resubmission
from clawback.cloudflare.paging import pages
from clawback.cloudflare.policies import Batch, Policies
from clawback.cloudflare.records import ActionLogEntry
from clawback.cloudflare.wire import Wire

SKEW = timedelta(minutes=1)
"""How far our clock may be ahead of the API's."""
RELEASES = frozenset({"RELEASE", "QUARANTINE_RELEASE"})
"""What action logs call a release."""


class Found(StrEnum):
    """What the API shows of a request whose answer was lost."""

    DONE = "done"
    NOT_DONE = "not done"
    PARTLY = "partly done"


class Search(Protocol):
    """Looks for what a call of an operation did: its arguments, and when it was made."""

    async def __call__(
        self, api: EmailSecurity, given: Mapping[str, Any], since: datetime
    ) -> Found:
        """Say what the API shows."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """How to find out: `looks_at` says where and at which cost, for people."""

    looks_at: str
    search: Search


def recovery_of(operation: Operation) -> Recovery | None:
    """Give the way to find out whether an unsafe POST was done.

    None for what may simply be made again.
    """
    if not operation.unsafe:
        return None
    match operation.command[1]:
        case "create" if operation.name.startswith("settings."):
            return Recovery("the list, by its fields: 1 request a page", _created(operation))
        case "batch":
            return Recovery("the whole list: 1 request a page", _batched(operation))
        case _:
            return _OTHERS[operation.name]


def _judged(done: Sequence[bool]) -> Found:
    return Found.DONE if all(done) else Found.PARTLY if any(done) else Found.NOT_DONE


# ---- messages


def _identities(given: Mapping[str, Any]) -> Sequence[str]:
    return given["ids"] if "ids" in given else [given["id"]]


async def _log_of(api: EmailSecurity, identity: str) -> Sequence[ActionLogEntry]:
    try:
        return await api.action_log(identity)
    except NotFound:
        return ()


async def _moved(api: EmailSecurity, given: Mapping[str, Any], since: datetime) -> Found:  # noqa: ARG001 - the folder counts, not the time
    """Whether the newest move of each message in its action log is the one that was asked for."""

    async def is_there(identity: str) -> bool:
        moves = [
            entry
            for entry in await _log_of(api, identity)
            if entry.operation == "MOVE" and entry.success is not False
        ]
        return bool(moves) and moves[-1].properties.get("folder") == given["destination"]

    return _judged([await is_there(identity) for identity in _identities(given)])


async def _released(api: EmailSecurity, given: Mapping[str, Any], since: datetime) -> Found:
    async def is_out(identity: str) -> bool:
        return any(
            entry.operation in RELEASES and is_since(entry, since)
            for entry in await _log_of(api, identity)
        )

    return _judged([await is_out(identity) for identity in _identities(given)])


def is_since(entry: ActionLogEntry, since: datetime) -> bool:
    """Whether something was done since a moment of our clock."""
    at = entry.completed_at or entry.started_at
    return at is not None and at >= since - SKEW


async def _reclassified(api: EmailSecurity, given: Mapping[str, Any], since: datetime) -> Found:
    wanted = (given["id"].partition("-")[0], given["disposition"])
    return _judged([wanted in await _submitted(api, since)])


async def _resubmitted(api: EmailSecurity, given: Mapping[str, Any], since: datetime) -> Found:
    """Whether each alert's message has such a submission.

    The alert is looked up to learn its postfix id.
    """
    made, messages = await _submitted(api, since), given["messages"]

    async def is_made(message: Resubmission) -> bool:
        found = await api.messages(
            start=since - timedelta(days=90), end=datetime.now(UTC), alert_id=message.alert_id
        )
        return any((item.postfix_id, message.disposition) in made for item in found.items)

    return _judged([await is_made(message) for message in messages])


async def _submitted(api: EmailSecurity, since: datetime) -> set[tuple[str | None, str | None]]:
    found = pages(api.submissions, start=since - SKEW, end=datetime.now(UTC) + SKEW)
    return {
        (made.original_postfix_id, made.requested_disposition)
        async for page in found
        for made in page.items
    }


async def _started(api: EmailSecurity, given: Mapping[str, Any], since: datetime) -> Found:  # noqa: ARG001 - the comment is unique
    found = [
        job
        async for page in pages(api.jobs)
        for job in page.items
        if job.comment == given["comment"]
    ]
    return _judged([bool(found)])


# ---- policies


def _created(operation: Operation) -> Search:
    async def search(api: EmailSecurity, given: Mapping[str, Any], since: datetime) -> Found:
        filters = {
            name: given[name]
            for name in ("pattern", "pattern_type")
            if name in given and operation.endpoint in _FILTERED
        }
        return _judged(
            [
                any(
                    [
                        _is_made(record, given, since)
                        async for record in _records(operation, api, **filters)
                    ]
                )
            ]
        )

    return search


_FILTERED = frozenset(
    {"settings/allow_policies", "settings/block_senders", "settings/trusted_domains"}
)
"""The lists that take the pattern as an exact filter."""


def _batched(operation: Operation) -> Search:
    async def search(api: EmailSecurity, given: Mapping[str, Any], since: datetime) -> Found:
        changes: Batch = given["changes"]
        records = {
            str(record.record.get("id")): record async for record in _records(operation, api)
        }
        changed = {**changes.patches, **changes.puts}
        return _judged(
            [
                *(identity not in records for identity in changes.deletes),
                *(
                    identity in records and _holds(records[identity], fields)
                    for identity, fields in changed.items()
                ),
                *(
                    any(_is_made(record, fields, since) for record in records.values())
                    for fields in changes.posts
                ),
            ]
        )

    return search


async def _records(operation: Operation, api: EmailSecurity, **filters: Any) -> AsyncIterator[Wire]:
    policies: Policies[Any] = getattr(api.settings, operation.name.split(".")[1])
    listing: Callable[..., Awaitable[Any]] = policies.list  # type: ignore[attr-defined] # every kind has its own
    async for page in pages(listing, **filters):
        for record in page.items:
            yield record


def _is_made(record: Wire, fields: Mapping[str, Any], since: datetime) -> bool:
    created = getattr(record, "created_at", None)
    return _holds(record, fields) and (created is None or created >= since - SKEW)


def _holds(record: Wire, fields: Mapping[str, Any]) -> bool:
    return all(record.record.get(name) == value for name, value in fields.items())


_OTHERS: Mapping[str, Recovery] = {
    "move": Recovery("the action log of each message: 1 request a message", _moved),
    "move_one": Recovery("the action log of the message: 1 request", _moved),
    "release": Recovery("the action log of each message: 1 request a message", _released),
    "reclassify": Recovery("the submissions since: 1 request a page", _reclassified),
    "submit": Recovery(
        "the submissions since, and the message of each alert: 1 request a page and 1 an alert",
        _resubmitted,
    ),
    "move_all": Recovery("the jobs, by the mark in their comment: 1 request a page", _started),
    "release_all": Recovery("the jobs, by the mark in their comment: 1 request a page", _started),
}
