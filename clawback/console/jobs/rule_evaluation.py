"""Explains and backtests rules, in the process of a job alone: it loads the rules anew.

No other module of the console imports this one, so that the console has no rule engine in memory.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

from clawback.backtest import Backtest, summarize
from clawback.backtest.results import Result
from clawback.cloudflare import ApiError, NotFound
from clawback.console.jobs.child_job import JobFailed, Report
from clawback.console.jobs.rule_jobs import (
    MOST_DETECTIONS,
    BacktestMatch,
    BacktestResult,
    ExplainedMessage,
)
from clawback.ingest.enrichment import Enricher
from clawback.ingest.single_events import (
    BY_ID,
    NoSuchSubmission,
    enrich_event,
    enrichments_for,
    read_event,
)
from clawback.local.worker_api import NoCredentials, open_worker_api
from clawback.model.events import Event
from clawback.model.folders import AccountProviders
from clawback.model.texts import bounded
from clawback.rules import RuleErrors, RuleSet, load_rules
from clawback.rules.eligibility import age_limit_in_force
from clawback.rules.tools.dry_run import DryRun, DryRunContext, EventResult, dry_run
from clawback.rules.tools.explained_lines import tree_lines
from clawback.settings import Settings

_MOST_MATCHES: Final = 50
_LONGEST: Final = 300


# ---- explain


def explain(report: Report, settings: Settings, rule: str, message: str) -> ExplainedMessage:
    """Read one message or submission, and explain a rule for it: two requests or a few more.

    Raises:
        JobFailed: there is no such rule or message, or the API refused or cannot be reached.

    """
    rules = _load(settings)
    if rule not in rules.rules:
        raise JobFailed(f"there is no rule {rule[:80]} in the folder of this console")
    if not BY_ID.intersection(rules.rules[rule].kinds):
        kinds = " or ".join(rules.rules[rule].kinds)
        raise JobFailed(f"{rule} reads a {kinds}, and the API gives only messages by id")

    report("reading the message")
    now = datetime.now(UTC)
    event = asyncio.run(_read_event(settings, rules, rule, message, now))
    limit = age_limit_in_force(settings.age_limit, rules.safety)
    context = DryRunContext(settings.ceiling, limit, now)
    results, cases = dry_run(rules, rule, [event], context)
    if not results:
        raise JobFailed(f"{rule} reads no {event.kind}; give the id of what it reads")
    return _describe(results[0], cases)


async def _read_event(
    settings: Settings, rules: RuleSet, rule: str, message: str, now: datetime
) -> Event:
    try:
        async with open_worker_api(settings) as api:
            event = await read_event(api, rules.rules[rule].kinds, message, now)
            wanted = enrichments_for(rules, rules.rules[rule])
            return await enrich_event(Enricher(api, asyncio.Semaphore()), event, wanted, now)
    except NotFound:
        raise JobFailed("Cloudflare has no message of that id; it keeps them for a while") from None
    except (NoSuchSubmission, NoCredentials) as error:
        raise JobFailed(str(error)) from None
    except ApiError as error:
        raise JobFailed(f"Cloudflare refused, or does not answer: {error}") from None


def _describe(result: EventResult, cases: tuple[DryRun, ...]) -> ExplainedMessage:
    message = result.event.message
    planned = [one for case in cases for one in case.planned]
    reasons = [*result.reasons, *(reason for case in cases for reason in case.reasons)]
    return ExplainedMessage(
        key=result.event.key,
        at=result.event.at,
        sender=bounded(str(message.get("from") or ""), _LONGEST),
        subject=bounded(str(message.get("subject") or ""), _LONGEST),
        outcome=result.outcome,
        lines=tuple(tree_lines(result.trees)),
        actions=tuple(one.action.describe_in_full() for one in planned),
        reasons=tuple(dict.fromkeys(reason.text for reason in reasons)),
        acts=any(case.acts for case in cases),
        mode=cases[0].plan.mode if cases else "",
    )


# ---- backtests


def backtest(report: Report, settings: Settings, rule: str, since: timedelta) -> BacktestResult:
    """Replay the history of the account against the rules; report how many records were read.

    Raises:
        JobFailed: there is no such rule, or the API refused or cannot be reached.

    """
    rules = _load(settings)
    if rule not in rules.rules:
        raise JobFailed(f"there is no rule {rule[:80]} in the folder of this console")

    began = datetime.now(UTC)
    run = Backtest([rules])
    asyncio.run(_feed(run, settings, began - since, began, report))
    if not run.traffic.events:
        raise JobFailed("the history has no event in this time")
    report("evaluating")
    result = summarize(run)
    return _pick(result, rule, (datetime.now(UTC) - began).total_seconds())


async def _feed(
    run: Backtest, settings: Settings, start: datetime, end: datetime, report: Report
) -> None:
    # The API's client takes half a second to import, and only this needs it.
    from clawback.backtest.api_history import Feed  # noqa: PLC0415 - see above

    counts: dict[str, int] = {}

    def tell(what: str, count: int) -> None:
        counts[what] = counts.get(what, 0) + count
        report(", ".join(f"{number:,} {name}" for name, number in counts.items()))

    try:
        async with open_worker_api(settings) as api:
            await Feed(api, start, end, MOST_DETECTIONS, tell).run(run)
    except NoCredentials as error:
        raise JobFailed(str(error)) from None
    except ApiError as error:
        raise JobFailed(f"Cloudflare refused, or does not answer: {error}") from None


def _pick(result: Result, rule: str, seconds: float) -> BacktestResult:
    found = next(one for one in result.rules if one.rule == rule)
    listed = next((one.matches for one in result.matches if one.rule == rule), ())
    return BacktestResult(
        version=result.version,
        events=result.traffic.events,
        undecided=result.traffic.undecided,
        matches=found.matches,
        cases=found.cases,
        responses=found.responses,
        messages=found.messages,
        actions=tuple(sorted(found.actions.items())),
        held=tuple(sorted(found.held.items())),
        refused=tuple(sorted(found.refused.items())),
        listed=tuple(
            BacktestMatch(
                at=one.match.at,
                sender=one.match.sender,
                subject=one.match.subject,
                mailbox=one.match.mailbox,
                verdict=one.match.verdict,
                id=one.match.id,
                responded=one.responded,
            )
            for one in listed[:_MOST_MATCHES]
        ),
        seconds=seconds,
    )


def _load(settings: Settings) -> RuleSet:
    try:
        rules = load_rules(settings.rules, settings.safety)
    except RuleErrors as error:
        raise JobFailed(f"the rules cannot be loaded: {bounded(str(error), 1_000)}") from None
    return rules.with_providers(AccountProviders(stated=settings.providers))
