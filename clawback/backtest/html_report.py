"""The report of a backtest as one HTML file that loads nothing, for screen and print.

Jinja2 escapes every value. The content security policy of the page forbids requests, and every
script but the one that filters the table of matches.
"""

from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from clawback.backtest.charts import Chart, Series, bars_by_day, rows_by_name
from clawback.backtest.match_list import RuleMatches
from clawback.backtest.results import Change, Result, RuleResult
from clawback.model.durations import format_duration
from clawback.model.mode import Mode
from clawback.model.texts import printable

_ACTION_STYLES = {"move": "one", "block_sender": "two", "reclassify": "three"}
_MODE_STYLES = {Mode.ENFORCE: "one", Mode.APPROVE: "two", Mode.SHADOW: "faint"}
_MAX_RULES = 25
_MAX_ROWS = 10_000
_BY_RULE = "Matches by rule (blue enforce, orange approve, grey shadow)"
_RULE_COLUMNS = (
    "rule",
    "mode",
    "matches",
    "watched",
    "cases",
    "responses",
    "messages",
    "actions",
    "refused",
    "held",
    "busiest window",
)
_TEMPLATES = Environment(
    loader=PackageLoader("clawback.backtest"),
    autoescape=select_autoescape(),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

_SCRIPT = _TEMPLATES.get_template("filter.js").render()
"""Filters the matches. The policy of the page allows this text only; without it all are shown."""

Row = Sequence[Any]


@dataclass(frozen=True)
class Table:
    """A table of the report. Integers are right-aligned; None is an empty cell."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Row]
    note: str = ""


@dataclass(frozen=True)
class MatchTable:
    """The table of matches, with the rules to filter by."""

    title: str
    rules: Sequence[str]
    rows: Sequence[Sequence[str]]


def write_page(result: Result, against: str | None = None) -> str:
    """Render the whole page; `against` is what the user called the other version."""
    return _TEMPLATES.get_template("report.html").render(
        result=result,
        against=against or result.against,
        tiles=list(_tiles(result)),
        charts=_charts(result),
        by_rule=_chart_by_rule(result),
        matches=_list_matches(result.matches),
        script=_SCRIPT,
        script_hash=b64encode(sha256(_SCRIPT.encode()).digest()).decode(),
        tables=[table for table in _tables(result) if table.rows or table.note],
    )


def _list_matches(found: Sequence[RuleMatches]) -> MatchTable:
    """List the matches of every rule; of many, the newest of each."""
    total = sum(len(one.matches) for one in found)
    room = _MAX_ROWS // max(len(found), 1) if total > _MAX_ROWS else total
    kept = [one for of_rule in found for one in of_rule.matches[:room]]
    which = f", the newest {room:,} of each rule; --json has all" if len(kept) < total else ""
    reviewed = sum(one.reviewed for one in found)
    left_out = f"; {reviewed:,} reviewed before are left out" if reviewed else ""
    return MatchTable(
        f"Matches: {total:,}{which}{left_out}",
        sorted({one.rule for one in kept}),
        [
            (
                one.rule,
                f"{one.match.at:%F %T}",
                one.match.sender,
                one.match.subject,
                printable(one.match.mailbox, replacement=" "),
                one.match.verdict,
                one.match.id,
                "" if one.responded else "counted",
            )
            for one in kept
        ],
    )


def _tiles(result: Result) -> Iterator[tuple[str, str]]:
    """Pairs of a figure and what it counts."""
    acting = result.actions(shadow=False).total()
    shadow = result.actions(shadow=True).total()
    days = result.days or 1
    delivered = f"{result.moved:,} of {result.traffic.delivered:,}"

    yield f"{result.matched:,}", "events led to a response"
    yield f"{acting:,}", f"actions in enforce or approve, {acting / days:,.1f} a day"
    yield f"{shadow:,}", f"actions in shadow, {shadow / days:,.1f} a day"
    yield f"{result.share:.2%}", f"of delivered mail moved: {delivered}"
    yield f"{result.share_with_shadow:.2%}", f"if shadow acted too: {result.moved_with_shadow:,}"

    if result.against:
        new, lost = (sum(getattr(rule, what) for rule in result.rules) for what in ("new", "lost"))
        yield f"{new:,} / {lost:,}", "matches new and lost"


def _charts(result: Result) -> list[Chart]:
    if result.first is None or result.last is None:
        return []

    rest = {day: count - result.matches_by_day[day] for day, count in result.traffic.days.items()}
    events = [Series("matched", "one", result.matches_by_day), Series("not matched", "faint", rest)]
    actions = [
        Series(name, _ACTION_STYLES.get(name, "four"), days)
        for name, days in sorted(result.actions_by_day.items())
    ]

    return [
        bars_by_day(events, result.first, result.last, "Events"),
        bars_by_day(actions, result.first, result.last, "Actions"),
    ]


def _chart_by_rule(result: Result) -> Chart:
    ranked = sorted(result.rules, key=lambda rule: -rule.matches)[:_MAX_RULES]
    rows = [(rule.rule, rule.matches, _MODE_STYLES[rule.mode]) for rule in ranked if rule.matches]
    return rows_by_name(rows, _BY_RULE)


def _tables(result: Result) -> Iterator[Table]:
    yield _rule_table(result)
    for name, changes in (("New", result.new), ("Lost", result.lost)):
        shown = changes[:_MAX_ROWS]
        first = f", the first {len(shown):,}" if len(changes) > len(shown) else ""
        yield _change_table(f"{name} matches: {len(changes):,}{first}", shown)

    yield _sender_table(result)
    yield _campaign_table(result)


def _rule_table(result: Result) -> Table:
    active = [rule for rule in result.rules if rule.watched or rule.before or rule.new]
    ranked = sorted(active, key=lambda rule: (-rule.matches, -rule.watched, rule.rule))
    quiet = [rule for rule in result.rules if rule not in active]
    is_compared = result.against is not None

    return Table(
        title="Rules",
        columns=(*_RULE_COLUMNS, *(("before", "new", "lost") if is_compared else ())),
        rows=[_rule_row(rule, is_compared=is_compared) for rule in ranked],
        note=" ".join(_describe_quiet(quiet)),
    )


def _describe_quiet(rules: Sequence[RuleResult]) -> Iterator[str]:
    for reason in sorted({rule.not_asked for rule in rules}):
        names = ", ".join(rule.rule for rule in rules if rule.not_asked == reason)
        what = f"Not asked, {reason} in this history" if reason else "Nothing matched"
        yield f"{what}: {names}."


def _rule_row(rule: RuleResult, *, is_compared: bool) -> Row:
    peaks = "; ".join(
        f"{peak.most:,} of {peak.allowed:,} in {format_duration(peak.per)}"
        f"{': would be held' if peak.over else ''}"
        for peak in rule.peaks
    )
    row = (
        rule.rule,
        rule.mode,
        rule.matches,
        rule.watched if rule.watched != rule.matches else None,
        rule.cases,
        rule.responses,
        rule.messages,
        _format_counts(rule.actions),
        _format_counts(rule.refused),
        _format_counts(rule.held),
        peaks,
    )
    return (*row, rule.before, rule.new, rule.lost) if is_compared else row


def _change_table(title: str, changes: Iterable[Change]) -> Table:
    rows = [(one.rule, f"{one.at:%F %T}", one.sender, one.subject) for one in changes]
    return Table(title, ("rule", "at", "sender", "subject"), rows)


def _sender_table(result: Result) -> Table:
    rows = [(one.sender or "(none)", one.matches, one.moved) for one in result.senders]
    return Table("Top senders", ("sender", "matches", "messages moved"), rows)


def _campaign_table(result: Result) -> Table:
    columns = ("rule", "group", "messages", "senders", "first", "last", "subject")
    rows = [
        (
            one.rule,
            ", ".join(f"{name}={value}" for name, value in one.group.items()),
            one.messages,
            one.senders,
            f"{one.first:%F %H:%M}",
            f"{one.last:%F %H:%M}",
            one.subject,
        )
        for one in result.campaigns
    ]
    return Table("Largest cases", columns, rows)


def _format_counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
