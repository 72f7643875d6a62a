"""The rules: a list with what became of their cases, and everything about one of them."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from clawback.console.sources.rule_outcomes import WINDOW, DayCount, RuleOutcomes
from clawback.console.views.mail_text import show_mail_text, show_rule_text
from clawback.console.views.rule_source import SourceLine, highlight
from clawback.console.views.rule_versions import VersionComparison
from clawback.console.views.times import ShownTime, show_time
from clawback.guard import Demotion
from clawback.inventory.rule_catalogue import CataloguedRule, RuleCatalogue
from clawback.model.mode import Mode
from clawback.model.texts import plural

PRECISION: Final = (
    "cases of 30 days that acted and were neither denied nor undone ÷ those that acted or were "
    "denied"
)
_NOTHING: Final = RuleOutcomes()


@dataclass(frozen=True)
class Choice:
    """One option of a filter."""

    value: str
    is_chosen: bool


@dataclass(frozen=True)
class RuleRow:
    """One rule of the list."""

    name: str
    path: str
    title: str
    mode: str
    mode_note: str
    status: str
    level: str
    author: str
    of_day: str
    cases: str
    decisions: str
    precision: str
    is_demoted: bool
    tests: str
    tests_tone: str
    coverage: str


@dataclass(frozen=True)
class RulesView:
    """The list."""

    rows: tuple[RuleRow, ...]
    modes: tuple[Choice, ...]
    statuses: tuple[Choice, ...]
    summary: str
    problem: str
    precision: str


@dataclass(frozen=True)
class Fact:
    """A name and a text."""

    name: str
    text: str


@dataclass(frozen=True)
class DayRow:
    """One day of a rule, for the table and the chart that reads it."""

    day: str
    cases: str
    messages: str
    denied: str
    undone: str


@dataclass(frozen=True)
class TestRow:
    """One test of a rule."""

    name: str
    line: str
    passed: bool
    result: str


@dataclass(frozen=True)
class DemotionView:
    """Why a rule asks first now."""

    by: str
    at: ShownTime
    reason: str
    undone: str


@dataclass(frozen=True)
class RuleView:
    """One rule."""

    name: str
    path: str
    title: str
    description: str
    facts: tuple[Fact, ...]
    does: tuple[str, ...]
    outcomes: tuple[Fact, ...]
    days: tuple[DayRow, ...]
    demotion: DemotionView | None
    is_demoted: bool
    may_confirm: bool
    may_compute: bool
    tests: tuple[TestRow, ...]
    tests_summary: str
    gaps: tuple[str, ...]
    source: tuple[SourceLine, ...]
    file: str
    problem: str
    cases_path: str
    spans: tuple[Choice, ...]
    comparison: VersionComparison | None


def build_rules(
    catalogue: RuleCatalogue,
    outcomes: Mapping[str, RuleOutcomes],
    demoted: Collection[str],
    *,
    mode: str,
    status: str,
) -> RulesView:
    """Build the list of the rules that have a mode and a status; empty ones mean any."""
    chosen = [
        rule
        for rule in catalogue.rules
        if mode in {"", rule.listed.mode or "none"} and status in {"", rule.listed.status}
    ]
    statuses = sorted({rule.listed.status for rule in catalogue.rules})
    return RulesView(
        rows=tuple(
            _build_row(rule, outcomes.get(rule.listed.name, _NOTHING), demoted) for rule in chosen
        ),
        modes=tuple(Choice(one, one == mode) for one in (*Mode, "none")),
        statuses=tuple(Choice(one, one == status) for one in statuses),
        summary=(
            f"{len(chosen):,} of {plural(len(catalogue.rules), 'rule')}, "
            f"version {catalogue.version}, ceiling {catalogue.ceiling}"
        ),
        problem=show_rule_text(catalogue.problem),
        precision=PRECISION,
    )


def rule_path(name: str) -> str:
    """Return the path of a rule's page."""
    return f"/rules/{quote(name, safe='')}"


def _build_row(rule: CataloguedRule, outcomes: RuleOutcomes, demoted: Collection[str]) -> RuleRow:
    listed, total = rule.listed, outcomes.total
    mode, note = _describe_mode(rule)
    has_decisions = bool(outcomes.decided)
    return RuleRow(
        name=listed.name,
        path=rule_path(listed.name),
        title=show_rule_text(listed.title),
        mode=mode,
        mode_note=note,
        status=listed.status,
        level=listed.level,
        author=show_rule_text(rule.author),
        of_day=f"{outcomes.messages_of_day:,}",
        cases=f"{total.cases:,}",
        decisions=(
            f"{outcomes.approved:,} / {total.denied:,} / {total.undone:,}" if has_decisions else ""
        ),
        precision=_describe_precision(outcomes),
        is_demoted=listed.name in demoted,
        tests=_describe_tests(rule),
        tests_tone="danger-text" if rule.failed else "",
        coverage="" if rule.coverage is None else f"{rule.coverage:.0%}",
    )


def _describe_mode(rule: CataloguedRule) -> tuple[str, str]:
    listed = rule.listed
    if listed.mode is None:
        return "building block", ""
    return listed.mode, "" if listed.mode is listed.mode_of_rule else f"of {listed.mode_of_rule}"


def _describe_precision(outcomes: RuleOutcomes) -> str:
    if outcomes.precision is None:
        return ""
    return f"{outcomes.precision:.0%} of {outcomes.decided:,}"


def _describe_tests(rule: CataloguedRule) -> str:
    count = len(rule.tests)
    return f"{count - rule.failed} of {count}" if rule.failed else f"{count:,}"


# ---- one rule


def build_rule(  # noqa: PLR0913 - what the page shows
    rule: CataloguedRule,
    outcomes: RuleOutcomes | None,
    demotion: Demotion | None,
    *,
    is_demoted: bool,
    now: datetime,
    zone: ZoneInfo,
    may_confirm: bool,
    may_compute: bool,
    problem: str,
    comparison: VersionComparison | None = None,
) -> RuleView:
    """Build the page of one rule; `demotion` is None if it is not demoted, or not known why."""
    listed, found = rule.listed, outcomes or _NOTHING
    return RuleView(
        name=listed.name,
        path=rule_path(listed.name),
        title=show_rule_text(listed.title),
        description=show_rule_text(rule.description),
        facts=tuple(_build_facts(rule)),
        does=tuple(show_rule_text(one) for one in rule.does),
        outcomes=tuple(_describe_outcomes(found)),
        days=tuple(_build_days(found.days, now.date())),
        demotion=_build_demotion(demotion, now, zone) if demotion else None,
        is_demoted=is_demoted or demotion is not None,
        may_confirm=may_confirm,
        may_compute=may_compute,
        tests=tuple(
            TestRow(
                name=show_rule_text(test.name),
                line=str(test.line),
                passed=test.passed,
                result=(
                    test.found if test.passed else f"expected {test.expected}, found {test.found}"
                ),
            )
            for test in rule.tests
        ),
        tests_summary=_summarize_tests(rule),
        gaps=tuple(show_rule_text(gap) for gap in rule.gaps),
        source=highlight(rule.source, listed.line),
        file=show_rule_text(listed.file),
        problem=show_rule_text(problem),
        cases_path=f"/?{urlencode({'state': 'all', 'rule': listed.name})}",
        spans=tuple(Choice(one, one == _SPANS[1]) for one in _SPANS),
        comparison=comparison,
    )


_SPANS: Final = ("6h", "1d", "3d", "7d")


def _build_facts(rule: CataloguedRule) -> Iterable[Fact]:
    listed = rule.listed
    mode, note = _describe_mode(rule)
    yield Fact("Mode", f"{mode}, {note} as written" if note else mode)
    yield Fact("Status", listed.status)
    yield Fact("Level", listed.level)
    kind = f"{listed.kind}, {listed.correlation}" if listed.correlation else listed.kind
    yield Fact("Reads", kind.replace("_", " "))
    for name, values in (
        ("Author", (rule.author,) if rule.author else ()),
        ("One case for each", rule.group_by),
        ("Limits", rule.limits),
        ("Exceptions", rule.exceptions),
        ("Tags", rule.tags),
        ("False positives", rule.falsepositives),
        ("References", rule.references),
    ):
        if values:
            yield Fact(name, show_rule_text(", ".join(values)))
    yield Fact("Version", listed.version)


def _describe_outcomes(outcomes: RuleOutcomes) -> Iterable[Fact]:
    total = outcomes.total
    day = (
        f"{plural(outcomes.messages_of_day, 'message')} in {plural(outcomes.cases_of_day, 'case')}"
    )
    month = f"{plural(total.messages, 'message')} in {plural(total.cases, 'case')}"
    yield Fact("24 hours", day)
    yield Fact("30 days", month)
    yield Fact(
        "People",
        f"{outcomes.approved:,} approved, {total.denied:,} denied, "
        f"{total.undone:,} undone, {outcomes.expired:,} expired",
    )
    yield Fact("Held now", f"{outcomes.held:,}")
    yield Fact("Precision", _describe_precision(outcomes) or "no case has acted or was denied yet")


def _build_days(days: Mapping[date, DayCount], today: date) -> Iterable[DayRow]:
    """Build a row for each day of the window, oldest first, also for those without a case."""
    for back in range(WINDOW.days, -1, -1):
        day = today - timedelta(days=back)
        count = days.get(day, _NO_CASES)
        yield DayRow(
            day=day.isoformat(),
            cases=str(count.cases),
            messages=str(count.messages),
            denied=str(count.denied),
            undone=str(count.undone),
        )


_NO_CASES: Final = DayCount()


def _build_demotion(demotion: Demotion, now: datetime, zone: ZoneInfo) -> DemotionView:
    return DemotionView(
        by=show_mail_text(demotion.actor.label),
        at=show_time(demotion.at, now, zone),
        reason=show_mail_text(demotion.reason) or "no reason given",
        undone=plural(demotion.undone, "outcome"),
    )


def _summarize_tests(rule: CataloguedRule) -> str:
    count = len(rule.tests)
    passed = f"{count - rule.failed:,} of {plural(count, 'test')} pass"
    covered = (
        ""
        if rule.coverage is None
        else (f"; they cover {rule.coverage:.0%} of the outcomes of its parts")
    )
    return passed + covered
