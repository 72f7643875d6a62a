"""`clawback rules explain`: dry run of one rule on events, with its condition as a tree."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from clawback.cli.exits import ExitCode, Failure
from clawback.cli.output import AsJson, print_json, print_text
from clawback.cli.rule_folders import find_folder, load_folder, shown_path, unknown_rule
from clawback.cli.rules.dry_run_output import dry_run_lines, rule_lines, verdict_lines
from clawback.cli.rules.event_files import read_events
from clawback.cli.rules.event_reading import read_by_id
from clawback.cli.rules.explain_output import explanation_data, show
from clawback.correlation.progress import Progress
from clawback.ingest.single_events import BY_ID, enrichments_for
from clawback.model.events import Event
from clawback.model.folders import AccountProviders
from clawback.model.texts import plural
from clawback.rules import Rule, RuleSet
from clawback.rules.eligibility import age_limit_in_force
from clawback.rules.tools.dry_run import DryRun, DryRunContext, EventResult, dry_run
from clawback.settings import load_settings


def explain(  # noqa: PLR0913 - one parameter for each option
    rule: Annotated[str, typer.Argument(help="Name of the rule.")],
    *,
    event: Annotated[
        list[str] | None,
        typer.Option(
            help="File of events, JSON or JSON lines: records, corpus lines or API responses; "
            "- is stdin. Repeatable."
        ),
    ] = None,
    api_id: Annotated[
        list[str] | None,
        typer.Option("--id", help="Investigate or submission id, read from the API. Repeatable."),
    ] = None,
    rules: Annotated[
        Path | None,
        typer.Option(help="Folder of rules, default CLAWBACK_RULES.", show_default=False),
    ] = None,
    matches_only: Annotated[
        bool, typer.Option("--matches-only", help="Show only the events that match.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Explain how a rule evaluates events.

    Shows its condition, its actions and what stops them.

    Exit code 0: it would respond, if only in shadow. 1: it would not, or not yet. 2: usage error.
    3: the API is unavailable. 4: it refused.
    """
    settings = load_settings()
    folder = find_folder(rules)[0]
    loaded = load_folder(folder)
    loaded = loaded.with_providers(AccountProviders(stated=settings.providers))
    if rule not in loaded.rules:
        raise unknown_rule(rule, loaded)

    now = datetime.now(UTC)
    events = _events(loaded.rules[rule], loaded, event or [], api_id or [], now)
    under = DryRunContext(
        settings.ceiling, age_limit_in_force(settings.age_limit, loaded.safety), now
    )
    verdicts, cases = dry_run(loaded, rule, events, under)
    if not verdicts:
        kinds = " or ".join(loaded.rules[rule].kinds)
        raise Failure(
            f"{rule} evaluates a {kinds}; the event is a {events[0].kind}", ExitCode.USAGE
        )

    count = len(verdicts)
    if matches_only:
        verdicts = tuple(one for one in verdicts if one.outcome)

    explained = loaded.rules[rule]
    explained = replace(explained, path=shown_path(folder, explained.path))
    if as_json:
        print_json(_data(explained, under, verdicts, cases))
    else:
        show(rule_lines(explained, loaded.window_of(explained)))
        show(line for verdict in verdicts for line in verdict_lines(loaded, verdict))
        show(line for case in cases for line in dry_run_lines(loaded.rules[rule], case))
        if matches_only:
            print_text(f"\n{len(verdicts):,} of {plural(count, 'event')} match")

    return (
        ExitCode.OK
        if any(
            not one.is_barred and (one.progress is None or one.progress.is_satisfied)
            for one in cases
        )
        else ExitCode.NO
    )


def _events(
    rule: Rule, rules: RuleSet, files: list[str], ids: list[str], now: datetime
) -> list[Event]:
    if not files and not ids:
        raise Failure(
            "give an event: --event FILE (- is stdin), or --id ID",
            ExitCode.USAGE,
        )

    if ids and not BY_ID.intersection(rule.kinds):
        kinds = " or ".join(rule.kinds)
        raise Failure(
            f"{rule.name} evaluates a {kinds}, --id reads a message or submission; use --event",
            ExitCode.USAGE,
        )

    fetched = asyncio.run(_fetch(rule, rules, ids, now)) if ids else []
    return [*(read_events(files, rule.kinds, now) if files else []), *fetched]


async def _fetch(rule: Rule, rules: RuleSet, ids: list[str], now: datetime) -> list[Event]:
    wanted = enrichments_for(rules, rule)
    return await read_by_id(ids, rule.kinds, now, wanted=wanted)


def _data(
    rule: Rule,
    under: DryRunContext,
    verdicts: tuple[EventResult, ...],
    cases: tuple[DryRun, ...],
) -> dict[str, Any]:
    return {
        "rule": {
            "name": rule.name,
            "title": rule.title,
            "path": rule.path,
            "line": rule.line,
            "version": rule.version,
        },
        "ceiling": under.ceiling,
        "acts": any(case.acts for case in cases),
        "events": [_verdict_data(verdict) for verdict in verdicts],
        "cases": [_case_data(case) for case in cases],
    }


def _verdict_data(verdict: EventResult) -> dict[str, Any]:
    return {
        "event": verdict.event.key,
        "at": verdict.event.at.isoformat(),
        "outcome": verdict.outcome,
        "reasons": [{"code": reason.code, "text": reason.text} for reason in verdict.reasons],
        "condition": [explanation_data(tree) for tree in verdict.trees],
    }


def _case_data(case: DryRun) -> dict[str, Any]:
    standing = case.progress
    window = _window_data(standing) if standing else None
    return {
        "case": case.plan.case_id,
        "group": case.plan.group,
        "state": case.state,
        "written_mode": case.written_mode,
        "mode": case.plan.mode,
        "acts": case.acts,
        "events": list(case.events),
        "window": window,
        "actions": [
            planned.action.model_dump(mode="json")
            | {"outcomes": planned.outcomes, "elsewhere": planned.elsewhere}
            for planned in case.planned
        ],
        "while_held": case.while_held
        and case.while_held.action.model_dump(mode="json") | {"outcomes": case.while_held.outcomes},
        "notifications": [notice.model_dump(mode="json") for notice in case.plan.notifications],
        "reasons": [{"code": reason.code, "text": reason.text} for reason in case.reasons],
    }


def _window_data(standing: Progress) -> dict[str, Any]:
    events = [
        {"event": one.key, "at": one.at.isoformat(), "rule": one.rule, "values": one.values}
        for one in standing.window
    ]
    return {
        "fires": standing.is_satisfied,
        "seen": standing.seen,
        "wanted": standing.wanted,
        "missing": standing.missing,
        "events": events,
    }
