"""Reads single events from the API, and from a case, for commands that explain or make rules."""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import datetime

from clawback.cli.cloudflare_access import api_errors, open_history_api
from clawback.cli.exits import ExitCode, Failure
from clawback.cloudflare import NotFound
from clawback.ingest.enrichment import Enricher
from clawback.ingest.single_events import NoSuchSubmission, enrich_event, read_event
from clawback.model.events import Enrichment, Event, EventKind, message_event
from clawback.settings import load_settings

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
            try:
                events = [await read_event(api, kinds, one, now) for one in ids]
            except NoSuchSubmission as error:
                raise Failure(str(error), ExitCode.NO) from None
            enricher = Enricher(api, asyncio.Semaphore())
            return [await enrich_event(enricher, event, wanted, now) for event in events]


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
                    found.append(await enrich_event(enricher, event, {Enrichment.DETECTIONS}, now))
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
