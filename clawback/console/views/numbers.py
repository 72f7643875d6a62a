"""The numbers of a period: each with its formula and how many things it was computed from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from clawback.console.sources.read_model import ListedCase
from clawback.console.views.mail_text import show_mail_text
from clawback.console.views.rules import rule_path
from clawback.console.views.times import format_absolute
from clawback.model.durations import format_duration
from clawback.reports.report import Report, format_precision

SPANS: Final = ("1d", "7d", "30d", "90d")
_MOST_DAYS: Final = 90


@dataclass(frozen=True)
class SpanLink:
    """One period to choose."""

    text: str
    path: str
    is_chosen: bool


@dataclass(frozen=True)
class NumberRow:
    """One number."""

    title: str
    text: str
    is_known: bool
    count: str
    formula: str
    note: str


@dataclass(frozen=True)
class RuleNumbersRow:
    """The cases of one rule."""

    rule: str
    path: str
    cases: str
    acted: str
    denied: str
    expired: str
    undone: str
    precision: str


@dataclass(frozen=True)
class PersonRow:
    """The decisions of one person."""

    person: str
    approved: str
    denied: str


@dataclass(frozen=True)
class DayRow:
    """One day (UTC): cases that opened, and their messages."""

    day: str
    cases: str
    messages: str


@dataclass(frozen=True)
class NumbersView:
    """The page of numbers; the report of the same period is for paper."""

    period: str
    spans: tuple[SpanLink, ...]
    report_path: str
    notes: tuple[str, ...]
    numbers: tuple[NumberRow, ...]
    rules: tuple[RuleNumbersRow, ...]
    people: tuple[PersonRow, ...]
    days: tuple[DayRow, ...]
    may_see_people: bool


def build_numbers(
    report: Report,
    cases: Iterable[ListedCase],
    *,
    since: timedelta,
    zone: ZoneInfo,
    may_see_people: bool,
) -> NumbersView:
    """Build the view of a report; `cases` are those of the read model, for the days."""
    chosen = format_duration(since)
    return NumbersView(
        period=f"{format_absolute(report.since, zone)} to {format_absolute(report.until, zone)}",
        spans=tuple(SpanLink(one, f"/numbers?since={one}", one == chosen) for one in SPANS),
        report_path=f"/numbers/report?since={chosen}",
        notes=tuple(show_mail_text(f"{one[0].upper()}{one[1:]}.") for one in report.notes),
        numbers=tuple(
            NumberRow(
                title=one.title,
                text=one.text,
                is_known=one.value is not None,
                count=f"{one.count:,}",
                formula=one.formula,
                note=show_mail_text(one.note),
            )
            for one in report.numbers
        ),
        rules=tuple(
            RuleNumbersRow(
                rule=show_mail_text(one.rule),
                path=rule_path(one.rule),
                cases=f"{one.cases:,}",
                acted=f"{one.acted:,}",
                denied=f"{one.denied:,}",
                expired=f"{one.expired:,}",
                undone=f"{one.undone:,}",
                precision=f"{format_precision(one.precision)} of {one.decided:,}",
            )
            for one in report.rules
        ),
        people=tuple(
            PersonRow(show_mail_text(one.person), f"{one.approved:,}", f"{one.denied:,}")
            for one in report.people
        ),
        days=tuple(_build_days(cases, report.since, report.until)),
        may_see_people=may_see_people,
    )


def _build_days(cases: Iterable[ListedCase], since: datetime, until: datetime) -> Iterable[DayRow]:
    counts: dict[date, tuple[int, int]] = {}
    for case in cases:
        if since <= case.opened_at < until:
            number, messages = counts.get(case.opened_at.date(), (0, 0))
            counts[case.opened_at.date()] = number + 1, messages + case.messages
    yield from _fill_days(counts, since.date(), until.date())


def _fill_days(counts: Mapping[date, tuple[int, int]], first: date, last: date) -> Iterable[DayRow]:
    """Build a row for each day, also for those without a case."""
    first = max(first, last - timedelta(days=_MOST_DAYS))
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        cases, messages = counts.get(day, (0, 0))
        yield DayRow(day.isoformat(), str(cases), str(messages))
