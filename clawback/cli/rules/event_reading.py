"""Reads single events from the API, and from a case, for commands that explain or make rules."""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from clawback.cli.cloudflare_access import api_errors, open_history_api
from clawback.cli.exits import ExitCode, Failure
from clawback.cloudflare import EmailSecurity, NotFound
from clawback.ingest.enrichment import Enricher
from clawback.ingest.join import Joiner
from clawback.model.events import Enrichment, Event, EventKind, build_event, message_event
from clawback.settings import load_settings

BY_ID = frozenset({EventKind.MESSAGE, EventKind.SUBMISSION})
"""The kinds of events that the API gives by id."""
_RETENTION = timedelta(days=90)
_MOST_OF_CASE = 20


async def read_by_id(
    ids: Sequence[str],
    kinds: Collection[EventKind],
    now: datetime,
    *,
    wanted: Collection[Enrichment],
) -> list[Event]:
    """Read messages or, where only that kind fits, submissions with their messages.

    `wanted` are the enrichments to read of each.

    Raises:
        Failure: there is no such id, or the API refused or cannot be reached.

    """
    with api_errors():
        async with open_history_api(load_settings()) as api:
            events = [await _read(api, kinds, one, now) for one in ids]
            enricher = Enricher(api, asyncio.Semaphore())
            return [await _enrich(enricher, event, wanted, now) for event in events]


async def read_messages(ids: Sequence[str], now: datetime) -> list[Event]:
    """Read messages with their detections; leave out those that are gone.

    Raises:
        Failure: the API refused or cannot be reached.

    """
    found: list[Event] = []
    with api_errors():
        async with open_history_api(load_settings()) as api:
            enricher = Enricher(api, asyncio.Semaphore())
            for id_ in ids:
                with suppress(NotFound):
                    event = message_event((await api.message(id_)).record, now)
                    found.append(await _enrich(enricher, event, {Enrichment.DETECTIONS}, now))
    return found


def messages_of_case(case_id: str) -> list[str]:
    """Give the investigate ids of the first messages of a case.

    Raises:
        Failure: there is no such case, or Temporal does not answer.

    """
    from clawback.cli.case.lookup import read_file  # noqa: PLC0415 - only for a case
    from clawback.cli.temporal_access import call_temporal  # noqa: PLC0415

    file = call_temporal(lambda client: read_file(client, case_id, whole=False))
    targets = file.case.snapshot.targets if file.case.snapshot else {}
    return list(targets)[:_MOST_OF_CASE]


async def _read(
    api: EmailSecurity, kinds: Collection[EventKind], identity: str, now: datetime
) -> Event:
    try:
        if EventKind.MESSAGE in kinds:
            return message_event((await api.message(identity)).record, now)
    except NotFound:
        if EventKind.SUBMISSION not in kinds:
            raise

    page = await api.submissions(start=now - _RETENTION, end=now, submission_id=identity)
    found = [one for one in page.items if one.submission_id == identity]
    if not found:
        raise Failure(
            f"there is no submission {identity[:80]} in the last {_RETENTION.days} days",
            ExitCode.NO,
        )

    return await Joiner(api).join(build_event(EventKind.SUBMISSION, found[0].record, now), now)


async def _enrich(
    enricher: Enricher, event: Event, wanted: Collection[Enrichment], now: datetime
) -> Event:
    for enrichment in sorted(wanted) if event.has_message else ():
        event = event.enriched(enrichment, await enricher.read(enrichment, event, now))
    return event
