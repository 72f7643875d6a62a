"""Prints the result of a backtest, as text and as JSON."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass, replace
from typing import Any

from clawback.backtest.match_list import ListedMatch, RuleMatches
from clawback.backtest.results import Change, Result, RuleResult
from clawback.cli.output import print_table, print_text
from clawback.model.durations import format_duration
from clawback.model.texts import plural, printable


def print_result(result: Result, top: int) -> None:
    """Print traffic, a table by rule, changes, matches, top senders and largest cases.

    Of the changes and of the matches of each rule it prints `top`. Where matches were reviewed
    before, senders and cases are left out.
    """
    for line in _headline(result):
        print_text(line)

    busy = [rule for rule in result.rules if rule.watched or rule.before or rule.new]
    columns = [
        "rule",
        "mode",
        "matches",
        "of",
        "cases",
        "responses",
        "messages",
        "actions",
        "a day",
        "refused",
        "held",
    ]
    ranked = sorted(busy, key=lambda rule: (-rule.matches, -rule.watched, rule.rule))
    _print_table(
        [*columns, *(["before", "new", "lost"] if result.against else [])],
        [_row(rule, result.days) for rule in ranked],
    )

    for line in _quiet(rule for rule in result.rules if rule not in busy):
        print_text(line)

    for line in _limits(result.rules):
        print_text(line)

    for name, changes in (("New", result.new), ("Lost", result.lost)):
        _print_changes(name, changes, top)

    for found in result.matches:
        _print_matches(found, top)

    if any(found.reviewed for found in result.matches):
        return  # a review is about what is new

    if result.senders:
        print_text("\nTop senders")
        _print_table(
            ("sender", "matches", "moved"),
            [asdict(one) | {"sender": one.sender or "(none)"} for one in result.senders],
        )

    if result.campaigns:
        print_text("\nLargest cases")
        _print_table(
            ("rule", "group", "messages", "senders", "from", "to", "subject"),
            list(_campaigns(result)),
        )


def _quiet(rules: Iterable[RuleResult]) -> Iterator[str]:
    """Name the rules that matched nothing, and those that the history could not ask."""
    by_reason: dict[str, list[str]] = {}
    for rule in rules:
        by_reason.setdefault(rule.not_asked, []).append(rule.rule)

    for reason, names in sorted(by_reason.items()):
        count = plural(len(names), "rule")
        what = f"not asked: {reason} in this history" if reason else "without a match"
        yield f"{count} {what}: {', '.join(names)}"


def _print_matches(found: RuleMatches, top: int) -> None:
    """Print the newest matches of a rule; of a correlation that never responded, what it saw."""
    matches = found.responded or found.matches
    left_out = f"; {found.reviewed:,} reviewed before" if found.reviewed else ""
    if not matches or not top:
        if found.reviewed:
            print_text(f"\n{found.rule}: nothing new{left_out}")
        return

    kind = "" if found.responded else ", below the threshold"
    which = f", the newest {top} (all: --json)" if len(matches) > top else ""
    print_text(f"\n{found.rule}: {len(matches):,} matched{kind}{which}{left_out}")
    print_matches(matches[:top])


def print_matches(matches: Sequence[ListedMatch]) -> None:
    """Print matches as a table; long texts are cut."""
    rows = [match_data(one) for one in matches]
    _print_table(
        ("time", "sender", "subject", "mailbox", "verdict", "id"),
        [
            row
            | {
                "time": f"{row['at']:%F %T}",
                "sender": row["sender"][:48],
                "subject": row["subject"][:60],
                "mailbox": row["mailbox"][:48],
            }
            for row in rows
        ],
    )


def match_data(listed: ListedMatch) -> dict[str, Any]:
    """Return one match as data."""
    match = listed.match
    return {
        "rule": listed.rule,
        "at": match.at,
        "sender": match.sender,
        "subject": match.subject,
        "mailbox": printable(match.mailbox, replacement=" "),
        "verdict": match.verdict,
        "id": match.id,
        "event": match.key,
        "responded": listed.responded,
    }


def _print_table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    print_table(columns, [[_cell(row.get(column)) for column in columns] for row in rows])


def _cell(value: object) -> str:
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def result_data(result: Result) -> dict[str, Any]:
    """Return a result as JSON data; durations are text, days are keys in order."""
    matches, result = result.matches, replace(result, matches=[])
    data: dict[str, Any] = _data(result)
    data["matches"] = [match_data(one) for found in matches for one in found.matches]
    data["reviewed"] = sum(found.reviewed for found in matches)
    for rule, written in zip(result.rules, data["rules"], strict=True):
        written["peaks"] = [
            {
                "allowed": one.allowed,
                "per": format_duration(one.per),
                "most": one.most,
                "over": one.over,
            }
            for one in rule.peaks
        ]

    data["traffic"] |= {"days": _by_day(result.traffic.days), "events": result.traffic.events}
    data["matches_by_day"] = _by_day(result.matches_by_day)
    data["actions_by_day"] = {
        action: _by_day(days) for action, days in result.actions_by_day.items()
    }
    actions = {
        "acting": dict(result.actions(shadow=False)),
        "shadow": dict(result.actions(shadow=True)),
    }

    return data | {
        "share": result.share,
        "share_with_shadow": result.share_with_shadow,
        "days": result.days,
        "actions": actions,
    }


def _data(value: Any) -> Any:
    """Turn dataclasses into mappings; `asdict` breaks a Counter on Python 3.11."""
    if is_dataclass(value):
        return {one.name: _data(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _data(one) for key, one in value.items()}
    return [_data(one) for one in value] if isinstance(value, list | tuple) else value


def _by_day(days: Mapping[Any, int]) -> dict[str, int]:
    return {str(day): days[day] for day in sorted(days)}


def _headline(result: Result) -> Iterator[str]:
    traffic = result.traffic
    kinds = ", ".join(f"{count:,} {kind}s" for kind, count in traffic.kinds.items())
    yield (
        f"{traffic.events:,} events ({kinds}) from {result.first} to {result.last}; "
        f"rules {result.version}" + (f" against {result.against}" if result.against else "")
    )
    yield f"{result.matched:,} events would have led to a response"

    for name, shadow, moved, share in (
        ("rules in enforce or approve", False, result.moved, result.share),
        ("with those in shadow too   ", True, result.moved_with_shadow, result.share_with_shadow),
    ):
        actions = result.actions(shadow=False) + (
            result.actions(shadow=True) if shadow else Counter[str]()
        )
        total = f"{_a_day(actions.total(), result.days)} actions a day"
        part = f"{moved:,} of {traffic.delivered:,} delivered messages moved ({share:.2%})"
        yield f"{name}: {_counts(actions) or 'no action'}; {total}; {part}"

    left_out = {
        "seen before": traffic.repeated,
        "matched, but of an ignored delivery mode": traffic.ignored,
        "undecided without /detections": traffic.undecided,
        "not understood": traffic.rejected,
    }
    if any(left_out.values()):
        yield "left out: " + ", ".join(
            f"{count:,} {why}" for why, count in left_out.items() if count
        )

    yield ""


def _row(rule: RuleResult, days: int) -> dict[str, Any]:
    total = rule.actions.total()
    row = {
        "rule": rule.rule,
        "mode": rule.mode,
        "matches": rule.matches,
        "of": rule.watched if rule.watched != rule.matches else None,
        "cases": rule.cases,
        "responses": rule.responses,
        "messages": rule.messages,
        "actions": _counts(rule.actions),
        "a day": _a_day(total, days),
        "refused": _counts(rule.refused),
        "held": _counts(rule.held),
    }
    return row | {"before": rule.before, "new": rule.new or None, "lost": rule.lost or None}


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} {what}" for what, count in counts.most_common())


def _a_day(total: int, days: int) -> str:
    return f"{total / days:,.1f}" if days else "0"


def _limits(rules: Sequence[RuleResult]) -> Iterator[str]:
    for rule in rules:
        for peak in rule.peaks:
            if peak.over:
                per = format_duration(peak.per)
                yield (
                    f"{rule.rule} would have been held: {peak.most:,} messages within {per}, "
                    f"limit {peak.allowed:,}"
                )


def _print_changes(name: str, changes: Sequence[Change], top: int) -> None:
    if changes:
        which = f", the first {top}" if len(changes) > top else ""
        print_text(f"\n{name} matches: {len(changes):,}{which}")
        rows = [
            {
                "rule": one.rule,
                "at": f"{one.at:%F %T}",
                "sender": one.sender[:48],
                "subject": one.subject[:60],
                "id": one.event,
            }
            for one in changes[:top]
        ]
        _print_table(("rule", "at", "sender", "subject", "id"), rows)


def _campaigns(result: Result) -> Iterator[dict[str, Any]]:
    for one in result.campaigns:
        group = ", ".join(str(value) for value in one.group.values())
        span = {"from": f"{one.first:%F %H:%M}", "to": f"{one.last:%F %H:%M}"}
        yield {
            "rule": one.rule,
            "group": group[:44],
            "messages": one.messages,
            "senders": one.senders,
            **span,
            "subject": one.subject[:50],
        }
