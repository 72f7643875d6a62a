"""The inbox: campaigns that wait for people, grouped by rule and cause."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from clawback.cases import CaseState
from clawback.cases.hold_cause import HoldCause
from clawback.console.requests.case_query import CasePageOfList, CaseQuery, Sort, StateChoice
from clawback.console.sources.read_model import CaseTotals, ListedCase
from clawback.console.views.mail_text import show_address, show_mail_text
from clawback.console.views.times import ShownTime, show_time
from clawback.model.level import Level

MOST_REVIEWED: Final = 100
HELD_FOR: Final[Mapping[HoldCause, str]] = {
    HoldCause.APPROVAL: "approval",
    HoldCause.CHANGED: "changed since it matched",
    HoldCause.DEMOTED: "rule demoted",
    HoldCause.CAMPAIGN: "campaign limit",
    HoldCause.RULE_LIMIT: "limit of the rule",
    HoldCause.RULE_BUDGET: "budget of the rule",
    HoldCause.SHARE: "budget of all rules",
    HoldCause.SURGE: "surge",
}
_AGES: Final = ("1h", "8h", "24h", "7d", "30d")


@dataclass(frozen=True)
class Choice:
    """One option of a filter, or one tab."""

    value: str
    text: str
    is_chosen: bool = False
    path: str = ""


@dataclass(frozen=True)
class Row:
    """One campaign, finished for the page."""

    id: str
    short_id: str
    path: str
    key: str
    state: str
    due: ShownTime | None
    level: str
    subject: str
    sender: str
    sender_name: str
    more_senders: str
    authentication: str
    rule: str
    mode: str
    counts: str
    proposes: tuple[str, ...]
    held_for: str
    arrivals: str
    approvals: str
    assignee: str
    unreadable: str
    is_held: bool


@dataclass(frozen=True)
class Group:
    """The cases of one rule that are held for one cause."""

    title: str
    rows: tuple[Row, ...]
    review_path: str
    review_text: str


@dataclass(frozen=True)
class InboxView:
    """The whole inbox. `empty` says why there is nothing, and what that means."""

    groups: tuple[Group, ...]
    tabs: tuple[Choice, ...]
    rules: tuple[Choice, ...]
    levels: tuple[Choice, ...]
    causes: tuple[Choice, ...]
    ages: tuple[Choice, ...]
    sorts: tuple[Choice, ...]
    text: str
    state: str
    is_mine: bool
    is_filtered: bool
    has_hashes: bool
    hashes: Mapping[str, str]
    clear_path: str
    range: str
    next_path: str
    empty: str
    version: str
    may_decide: bool
    has_held: bool


def build_inbox(  # noqa: PLR0913 - what the page shows
    wanted: CaseQuery,
    page: CasePageOfList,
    totals: CaseTotals,
    counts: Mapping[str, int],
    *,
    now: datetime,
    zone: ZoneInfo,
    empty: str,
    version: int,
    may_decide: bool,
) -> InboxView:
    """Build the view of one page of the inbox; `counts` are the messages of campaigns by id."""
    rows = [_build_row(case, counts.get(case.id, case.messages), now, zone) for case in page.cases]
    groups = tuple(_group(rows, may_decide=may_decide))
    cleared = CaseQuery(state=wanted.state, sort=wanted.sort)
    return InboxView(
        groups=groups,
        tabs=tuple(_tabs(wanted, totals)),
        rules=_options(totals.rules, wanted.rule),
        levels=_options(list(reversed(Level)), wanted.level or "", is_sorted=True),
        causes=tuple(Choice(one, text, wanted.held_for is one) for one, text in HELD_FOR.items()),
        ages=_options(_AGES, wanted.age_text, is_sorted=True),
        sorts=tuple(Choice(one, _SORTS[one], wanted.sort is one) for one in Sort),
        text=show_mail_text(wanted.text),
        state=wanted.state,
        is_mine=wanted.is_mine,
        is_filtered=replace(wanted, after="") != cleared,
        has_hashes=bool(wanted.hashes),
        hashes={name: value for name, value in wanted.named_hashes if value},
        clear_path=cleared.url(),
        range=_describe_range(page),
        next_path=wanted.url(after=page.next_after) if page.next_after else "",
        empty="" if page.cases else empty,
        version=str(version),
        may_decide=may_decide,
        has_held=may_decide and any(row.is_held for row in rows),
    )


_SORTS: Final[Mapping[Sort, str]] = {
    Sort.DUE: "due first",
    Sort.NEWEST: "newest first",
    Sort.MESSAGES: "most messages first",
    Sort.LEVEL: "highest level first",
}


def _build_row(case: ListedCase, messages: int, now: datetime, zone: ZoneInfo) -> Row:
    more = case.senders - 1
    cause = HELD_FOR.get(case.hold_cause, "") if case.hold_cause else ""
    return Row(
        id=case.id,
        short_id=case.short_id,
        path=case.path,
        key=f"{case.rule}/{case.hash}",
        state=case.state,
        due=show_time(case.deadline, now, zone) if case.deadline else None,
        level=case.level,
        subject=show_mail_text(case.subject) or "(no subject)",
        sender=show_address(case.sender) or "(no sender)",
        sender_name=show_mail_text(case.sender_name),
        more_senders=f"and {more:,} more senders" if more > 0 else "",
        authentication=case.authentication,
        rule=case.rule,
        mode=case.mode,
        counts=f"{messages:,} in {case.mailboxes:,}",
        proposes=case.proposes,
        held_for=cause,
        arrivals=f"{case.arrived_while_held:,} since held" if case.arrived_while_held else "",
        approvals=f"{case.approvals} of {case.needs} approved" if case.approvals else "",
        assignee=show_mail_text(case.assignee),
        unreadable=case.unreadable,
        is_held=case.state == CaseState.HELD,
    )


def _group(rows: Iterable[Row], *, may_decide: bool) -> Iterator[Group]:
    """Group rows by rule and cause; groups come in the order of their first rows."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.rule, row.held_for), []).append(row)

    for (rule, held_for), together in groups.items():
        held = [row for row in together if row.is_held][:MOST_REVIEWED]
        path = f"/review?{urlencode([('case', row.key) for row in held])}"
        yield Group(
            title=f"{rule} · held for {held_for}" if held_for else rule,
            rows=tuple(together),
            review_path=path if held and may_decide else "",
            review_text=f"Review {len(held):,}" if len(held) > 1 else "Review",
        )


def _tabs(wanted: CaseQuery, totals: CaseTotals) -> Iterator[Choice]:
    for state, title, count in (
        (StateChoice.HELD, "Held", totals.held),
        (StateChoice.RESPONDING, "Responding", totals.by_state.get(StateChoice.RESPONDING, 0)),
        (StateChoice.OPEN, "All open", totals.open),
        (StateChoice.ALL, "All", totals.all),
    ):
        yield Choice(state, f"{title} {count:,}", wanted.state is state, wanted.url(state=state))


def _options(values: Iterable[str], chosen: str, *, is_sorted: bool = False) -> tuple[Choice, ...]:
    ordered = list(values) if is_sorted else sorted(values)
    return tuple(Choice(value, value, value == chosen) for value in ordered)


def _describe_range(page: CasePageOfList) -> str:
    if not page.cases:
        return ""
    return f"{page.first:,} to {page.first + len(page.cases) - 1:,} of {page.total:,}"
