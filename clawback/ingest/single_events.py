"""Reads single events from the API by id, with what a rule asks for beside them."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from clawback.cloudflare import EmailSecurity, NotFound
from clawback.ingest.enrichment import Enricher
from clawback.ingest.join import Joiner
from clawback.model.events import Enrichment, Event, EventKind, build_event, message_event
from clawback.rules import Rule, RuleSet
from clawback.rules.engine.compiler import enrichments_of

BY_ID: Final = frozenset({EventKind.MESSAGE, EventKind.SUBMISSION})
"""The kinds of events that the API gives by id."""
RETENTION: Final = timedelta(days=90)


class NoSuchSubmission(LookupError):
    """No submission of the last 90 days has the id."""


async def read_event(
    api: EmailSecurity, kinds: Collection[EventKind], identity: str, now: datetime
) -> Event:
    """Read a message or, where only that kind fits, a submission with its message.

    Raises:
        NoSuchSubmission: there is no such submission.
        ApiError: there is no such message, or the API refused or cannot be reached.

    """
    try:
        if EventKind.MESSAGE in kinds:
            return message_event((await api.message(identity)).record, now)
    except NotFound:
        if EventKind.SUBMISSION not in kinds:
            raise

    page = await api.submissions(start=now - RETENTION, end=now, submission_id=identity)
    found = [one for one in page.items if one.submission_id == identity]
    if not found:
        raise NoSuchSubmission(
            f"there is no submission {identity[:80]} in the last {RETENTION.days} days"
        )

    return await Joiner(api).join(build_event(EventKind.SUBMISSION, found[0].record, now), now)


async def enrich_event(
    enricher: Enricher, event: Event, wanted: Collection[Enrichment], now: datetime
) -> Event:
    """Add enrichments to an event that has a message.

    Raises:
        ApiError: a request failed.

    """
    for enrichment in sorted(wanted) if event.has_message else ():
        event = event.enriched(enrichment, await enricher.read(enrichment, event, now))
    return event


def enrichments_for(rules: RuleSet, rule: Rule) -> frozenset[Enrichment]:
    """Return what a rule and the rules below it may ask for beside an event."""
    trees = [tree for name in rules.leaves(rule) if (tree := rules.rules[name].tree) is not None]
    return frozenset[Enrichment]().union(*map(enrichments_of, trees))
