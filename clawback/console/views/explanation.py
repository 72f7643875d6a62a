"""How a rule evaluates one message, clause by clause, and what a backtest of it found."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from clawback.console.jobs.backtest_runs import BacktestRun
from clawback.console.jobs.rule_jobs import MOST_DETECTIONS, BacktestResult, ExplainedMessage
from clawback.console.views.mail_text import show_address, show_mail_text, show_rule_text
from clawback.console.views.times import ShownTime, describe_duration, format_absolute, show_time
from clawback.model.durations import format_duration
from clawback.model.texts import plural
from clawback.rules.tools.explained_line import ExplainedLine

_WORDS: Final = {
    True: ("true", "good-text"),
    False: ("false", "faint"),
    None: ("not known", "warn-text"),
}
_DEEPEST: Final = 8


@dataclass(frozen=True)
class ClauseRow:
    """One clause: its answer, the question and the values found. `depth` is a class."""

    answer: str
    tone: str
    depth: str
    asked: str
    found: str


@dataclass(frozen=True)
class ExplanationView:
    """One rule and one message. Without a `sentence` nothing has been asked yet."""

    rule: str
    rule_path: str
    message: str
    problem: str
    sentence: str
    about: str
    at: ShownTime | None
    clauses: tuple[ClauseRow, ...]
    actions: tuple[str, ...]
    reasons: tuple[str, ...]


def build_explanation(  # noqa: PLR0913 - what the page shows
    rule: str,
    path: str,
    message: str,
    found: ExplainedMessage | None,
    *,
    problem: str,
    now: datetime,
    zone: ZoneInfo,
) -> ExplanationView:
    """Build the view of an explanation, or of why there is none."""
    return ExplanationView(
        rule=rule,
        rule_path=path,
        message=show_mail_text(message),
        problem=show_mail_text(problem, 1_000),
        sentence=_sentence(found) if found else "",
        about=_about(found) if found else "",
        at=show_time(found.at, now, zone) if found else None,
        clauses=tuple(map(_clause, found.lines)) if found else (),
        actions=tuple(map(show_mail_text, found.actions)) if found else (),
        reasons=tuple(map(show_mail_text, found.reasons)) if found else (),
    )


def _sentence(found: ExplainedMessage) -> str:
    if found.outcome is None:
        return "Not known: the condition depends on what was not read."
    if not found.outcome:
        return "It does not match."
    return (
        "It matches, and would act at once."
        if found.acts
        else ("It matches, and would change nothing by itself.")
    )


def _about(found: ExplainedMessage) -> str:
    return f"{show_mail_text(found.subject) or '(no subject)'}, from {show_address(found.sender)}"


def _clause(line: ExplainedLine) -> ClauseRow:
    answer, tone = _WORDS[line.outcome]
    return ClauseRow(
        answer=answer,
        tone=tone,
        depth=f"depth-{min(line.depth, _DEEPEST)}",
        asked=show_rule_text(line.asked),
        found=show_mail_text(line.found.removeprefix("← "), 1_000),
    )


# ---- backtests


@dataclass(frozen=True)
class MatchRow:
    """One message that the rule matched."""

    at: ShownTime
    subject: str
    sender: str
    mailbox: str
    verdict: str
    responded: str
    explain_path: str


@dataclass(frozen=True)
class BacktestView:
    """A backtest: running, ended with a problem, or ended with a result."""

    rule: str
    rule_path: str
    path: str
    is_running: bool
    progress: str
    problem: str
    started: str
    facts: tuple[tuple[str, str], ...]
    matches: tuple[MatchRow, ...]
    more: str
    note: str


def build_backtest(run: BacktestRun, path: str, now: datetime, zone: ZoneInfo) -> BacktestView:
    """Build the view of a backtest."""
    result = run.result
    lasted = describe_duration((run.ended or now) - run.began)
    return BacktestView(
        rule=run.rule,
        rule_path=path,
        path=f"/backtests/{run.id}",
        is_running=run.ended is None,
        progress=f"{show_mail_text(run.progress)} · {lasted}",
        problem=show_mail_text(run.problem, 1_000),
        started=(
            f"The last {format_duration(run.since)}, started at "
            f"{format_absolute(run.began, zone)} by {show_mail_text(run.by)}"
        ),
        facts=tuple(_facts(result)) if result else (),
        matches=tuple(_match_rows(result, path, now, zone)) if result else (),
        more=_describe_more(result) if result else "",
        note=_describe_undecided(result) if result else "",
    )


def _facts(result: BacktestResult) -> Iterator[tuple[str, str]]:
    yield "Matches", f"{result.matches:,} of {plural(result.events, 'event')}"
    yield "Cases", f"{result.cases:,}, of which {result.responses:,} would respond"
    yield "Messages", f"{result.messages:,}"
    for name, counts in (
        ("Actions", result.actions),
        ("Would be held for", result.held),
        ("Refused", result.refused),
    ):
        if counts:
            yield name, ", ".join(f"{count:,} {what.replace('_', ' ')}" for what, count in counts)
    yield "Rules", f"version {result.version}"
    yield "Took", f"{result.seconds:.0f} s"


def _match_rows(
    result: BacktestResult, path: str, now: datetime, zone: ZoneInfo
) -> Iterable[MatchRow]:
    for one in result.listed:
        yield MatchRow(
            at=show_time(one.at, now, zone),
            subject=show_mail_text(one.subject) or "(no subject)",
            sender=show_address(one.sender),
            mailbox=show_address(one.mailbox),
            verdict=show_mail_text(one.verdict),
            responded="yes" if one.responded else "below the threshold",
            explain_path=f"{path}/explain",
        )


def _describe_more(result: BacktestResult) -> str:
    listed = len(result.listed)
    return f"The newest {listed:,} of {result.matches:,}" if result.matches > listed else ""


def _describe_undecided(result: BacktestResult) -> str:
    if not result.undecided:
        return ""
    undecided = plural(result.undecided, "event")
    return f"{undecided} stayed undecided after {MOST_DETECTIONS} requests for detections."
