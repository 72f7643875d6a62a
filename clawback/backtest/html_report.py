"""The report of a backtest as one HTML file.

Everything inline, no script, no request, light and dark, fit for print.

Everything that came from mail is escaped, and the page forbids itself to load anything.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from html import escape
from importlib.resources import files
from typing import Any

from clawback.backtest.charts import Series, bars_by_day, rows_by_name
from clawback.backtest.results import Change, Result, RuleResult
from clawback.model.durations import format_duration
from clawback.model.mode import Mode

_STYLES = {"move": "one", "block_sender": "two", "reclassify": "three"}
_BY_MODE = {Mode.ENFORCE: "one", Mode.APPROVE: "two", Mode.SHADOW: "faint"}
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_MOST_RULES = 25


def write_page(result: Result, against: str | None = None) -> str:
    """Write the whole page; `against` is what the user called the other version."""
    style = files("clawback.backtest").joinpath("page.css").read_text(encoding="utf-8")
    span = f"{result.first} to {result.last}"
    versions = f"rules <code>{escape(result.version)}</code>"
    if result.against:
        versions += f" against <code>{escape(against or result.against)}</code> (<code>{escape(result.against)}</code>)"
    body = "".join(
        [
            _tiles(result),
            _plots(result),
            _rules(result),
            _changes(result),
            _senders(result),
            _campaigns(result),
            _notes(result),
        ]
    )
    head = f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    head += f'<meta name="viewport" content="width=device-width"><title>Backtest, {span}</title><style>{style}</style>'
    title = f"<header><h1>Backtest</h1><p>{result.traffic.events:,} events, {span}; {versions}</p></header>"
    return f'<!doctype html><html lang="en"><head>{head}</head><body><main>{title}{body}</main></body></html>\n'


def _tiles(result: Result) -> str:
    acting, shadow = result.actions(shadow=False), result.actions(shadow=True)
    days = result.days or 1
    tiles = [
        (f"{result.matched:,}", "events came to a response"),
        (
            f"{acting.total():,}",
            f"actions in enforce or approve, {acting.total() / days:,.1f} a day",
        ),
        (f"{shadow.total():,}", f"actions in shadow, {shadow.total() / days:,.1f} a day"),
        (
            f"{result.share:.2%}",
            f"of delivered mail moved: {result.moved:,} of {result.traffic.delivered:,}",
        ),
        (
            f"{result.share_with_shadow:.2%}",
            f"were shadow to act too: {result.moved_with_shadow:,}",
        ),
    ]
    if result.against:
        new, lost = (sum(getattr(rule, what) for rule in result.rules) for what in ("new", "lost"))
        tiles.append((f"{new:,} / {lost:,}", "matches new and lost"))
    return (
        '<section class="tiles">'
        + "".join(f"<div><b>{number}</b>{escape(text)}</div>" for number, text in tiles)
        + "</section>"
    )


def _plots(result: Result) -> str:
    if result.first is None or result.last is None:
        return ""
    rest: Mapping[date, int] = {
        day: count - result.matches_by_day[day] for day, count in result.traffic.days.items()
    }
    traffic = [
        Series("matched", "one", result.matches_by_day),
        Series("not matched", "faint", rest),
    ]
    actions = [
        Series(name, _STYLES.get(name, "four"), days)
        for name, days in sorted(result.actions_by_day.items())
    ]
    ranked = sorted(
        (rule for rule in result.rules if rule.matches), key=lambda rule: -rule.matches
    )[:_MOST_RULES]
    rows = [(rule.rule, rule.matches, _BY_MODE[rule.mode]) for rule in ranked]
    legend = "Matches by rule (blue enforce, orange approve, grey shadow)"
    plots = [
        bars_by_day(traffic, result.first, result.last, "Events"),
        bars_by_day(actions, result.first, result.last, "Actions"),
    ]
    return f"<section><h2>Over time</h2>{''.join(plots)}</section><section><h2>By rule</h2>{rows_by_name(rows, legend)}</section>"


def _rules(result: Result) -> str:
    columns = [
        "rule",
        "mode",
        "matches",
        "watched",
        "cases",
        "responses",
        "messages",
        "actions",
        "refused",
        "busiest window",
    ]
    columns += ["before", "new", "lost"] if result.against else []
    busy = [rule for rule in result.rules if rule.watched or rule.before or rule.new]
    ranked = sorted(busy, key=lambda rule: (-rule.matches, -rule.watched, rule.rule))
    quiet = ", ".join(rule.rule for rule in result.rules if rule not in busy)
    said = f"<p>Nothing matched: {escape(quiet)}</p>" if quiet else ""
    return f"<section><h2>Rules</h2>{_table(columns, [_rule(rule, compared=result.against is not None) for rule in ranked])}{said}</section>"


def _rule(rule: RuleResult, *, compared: bool) -> list[Any]:
    peaks = "; ".join(
        f"{peak.most:,} of {peak.allowed:,} in {format_duration(peak.per)}{': would be held' if peak.over else ''}"
        for peak in rule.peaks
    )
    counts = [
        rule.matches,
        rule.watched if rule.watched != rule.matches else None,
        rule.cases,
        rule.responses,
        rule.messages,
    ]
    row = [rule.rule, rule.mode, *counts, _counted(rule.actions), _counted(rule.refused), peaks]
    return row + ([rule.before, rule.new, rule.lost] if compared else [])


def _changes(result: Result) -> str:
    parts = []
    for name, changes in (("New", result.new), ("Lost", result.lost)):
        total = sum(getattr(rule, name.lower()) for rule in result.rules)
        if total:
            shown = f", the first {len(changes)}" if total > len(changes) else ""
            parts.append(
                f"<section><h2>{name} matches: {total:,}{shown}</h2>{_change_table(changes)}</section>"
            )
    return "".join(parts)


def _change_table(changes: Iterable[Change]) -> str:
    return _table(
        ["rule", "at", "sender", "subject"],
        [[one.rule, f"{one.at:%F %T}", one.sender, one.subject] for one in changes],
    )


def _senders(result: Result) -> str:
    rows = [[one.sender or "(none)", one.matches, one.moved] for one in result.senders]
    return (
        f"<section><h2>Senders hit most</h2>{_table(['sender', 'matches', 'messages moved'], rows)}</section>"
        if rows
        else ""
    )


def _campaigns(result: Result) -> str:
    rows = [
        [
            one.rule,
            ", ".join(f"{name}={value}" for name, value in one.group.items()),
            one.messages,
            one.senders,
            f"{one.first:%F %H:%M}",
            f"{one.last:%F %H:%M}",
            one.subject,
        ]
        for one in result.campaigns
    ]
    columns = ["rule", "group", "messages", "senders", "first", "last", "subject"]
    return f"<section><h2>Largest cases</h2>{_table(columns, rows)}</section>" if rows else ""


def _notes(result: Result) -> str:
    traffic = result.traffic
    return (
        "<footer><p>Every event is taken to be seen when it happened, and every approval to be given at once. Modes are the files' own; "
        "CLAWBACK_MODE may be lower. Budgets are shown and hold nothing back here; the age limit is not applied. "
        f"Left out: {traffic.repeated:,} seen before, {traffic.ignored:,} of an ignored delivery mode, "
        f"{traffic.undecided:,} undecided without /detections, {traffic.rejected:,} not understood.</p></footer>"
    )


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)


def _table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(value: Any) -> str:
    if isinstance(value, int):
        return f'<td class="number">{value:,}</td>'
    return f"<td>{escape('' if value is None else str(value))}</td>"
