"""Bulk review: an explicit list of held cases, what approving them comes to, and what became."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from clawback.actions import BudgetKind
from clawback.cases import Limit
from clawback.cases.bulk import HeldCase, HeldSelection
from clawback.cases.hold_cause import HoldCause
from clawback.console.requests.case_keys import CaseKey
from clawback.console.sources.read_model import ListedCase
from clawback.console.views.inbox import HELD_FOR
from clawback.console.views.mail_text import show_address, show_mail_text
from clawback.console.views.times import ShownTime, format_absolute, show_time
from clawback.guard import Budgets, GuardSnapshot, Spending
from clawback.model.texts import plural
from clawback.rules.tools.rule_facts import RuleFacts


@dataclass(frozen=True)
class ReviewRow:
    """One held case of a selection; `digest` stands for exactly what it would do."""

    key: str
    id: str
    short_id: str
    path: str
    rule: str
    digest: str
    subject: str
    sender: str
    sentence: str
    due: ShownTime | None
    held_for: str
    approvals: str
    changed: str


@dataclass(frozen=True)
class LeftOut:
    """A case of a selection that waits for no decision, and why."""

    short_id: str
    path: str
    rule: str
    why: str


@dataclass(frozen=True)
class ReviewView:
    """A selection to decide. `problem` says why the last try decided nothing."""

    rows: tuple[ReviewRow, ...]
    left_out: tuple[LeftOut, ...]
    heading: str
    sums: tuple[str, ...]
    budgets: tuple[str, ...]
    digest: str
    key: str
    reason: str
    problem: str
    needs_sign_in: str
    approve: str
    deny: str


@dataclass(frozen=True)
class ResultLine:
    """What became of one case."""

    short_id: str
    path: str
    rule: str
    subject: str
    outcome: str
    kind: str


@dataclass(frozen=True)
class ResultView:
    """What became of each case of a selection."""

    heading: str
    lines: tuple[ResultLine, ...]
    sums: tuple[str, ...]
    held_path: str


def build_review(  # noqa: PLR0913 - what the page shows
    keys: Sequence[CaseKey],
    selection: HeldSelection,
    known: Mapping[str, ListedCase],
    *,
    now: datetime,
    zone: ZoneInfo,
    key: str,
    changed: Mapping[str, str] | None = None,
    problem: str = "",
    reason: str = "",
    budgets: Sequence[str] = (),
    needs_sign_in: str = "",
) -> ReviewView:
    """Build the view of a selection; `changed` says of cases by id how they have changed."""
    named = {one.id: one for one in keys}
    changes = changed or {}
    rows = tuple(
        _build_row(named[case.id], case, known.get(case.id), changes.get(case.id, ""), now, zone)
        for case in selection.cases
    )
    messages = selection.messages
    return ReviewView(
        rows=rows,
        left_out=tuple(_left_out(named, selection, known, zone)),
        heading=f"{plural(len(rows), 'held case')} with {plural(messages, 'message')}",
        sums=tuple(_describe_sums(selection)),
        budgets=tuple(budgets),
        digest=selection.digest if rows else "",
        key=key,
        reason=show_mail_text(reason, 2_000),
        problem=problem,
        needs_sign_in=needs_sign_in,
        approve=f"Approve {plural(len(rows), 'case')}",
        deny=f"Deny {plural(len(rows), 'case')}",
    )


def build_result(heading: str, lines: Sequence[ResultLine], held: Sequence[CaseKey]) -> ResultView:
    """Build the view of what became of a selection; `held` are those that still wait."""
    counts: dict[str, int] = {}
    for line in lines:
        counts[line.kind] = counts.get(line.kind, 0) + 1
    sums = tuple(f"{plural(count, 'case')} {kind}" for kind, count in counts.items())
    path = "/review?" + "&".join(f"case={one}" for one in held) if held else ""
    return ResultView(heading, tuple(lines), sums, path)


@dataclass(frozen=True)
class BudgetFacts:
    """What budgets are described by: the guard's counters, and the limits; None where unknown."""

    guard: GuardSnapshot | None
    budgets: Budgets | None
    rules: RuleFacts | None


def describe_budgets(facts: BudgetFacts, selection: HeldSelection, now: datetime) -> Iterator[str]:
    """Say what the budgets of each rule and of all would be after moving the messages."""
    if facts.guard is None:
        return
    spending, rules = Spending(facts.guard.counters), Counter[str]()
    for case in selection.cases:
        rules[case.id.split("/")[1]] += case.messages

    for rule, messages in sorted(rules.items()) if facts.rules else ():
        limits = facts.rules.limits_of(rule) if facts.rules else ()
        yield from _after(spending, f"rule/{rule}", f"the rule {rule}", limits, messages, now)
    overall = facts.budgets.overall if facts.budgets else ()
    yield from _after(spending, "all", "all rules", overall, selection.messages, now)


def _after(  # noqa: PLR0913, PLR0917 - what one line says
    spending: Spending,
    key: str,
    whose: str,
    limits: Iterable[Limit],
    messages: int,
    now: datetime,
) -> Iterator[str]:
    for limit in limits:
        if limit.kind is not BudgetKind.MESSAGES:
            continue
        spent = spending.spent(f"{key}/{limit.kind}", limit.per, now)
        which = "any rule" if key == "all" else "it"
        too_many = f"; further cases of {which} are then held"
        yield (
            f"Budget of {whose} after this: {spent + messages:,} of {limit} (now {spent:,})"
            f"{too_many if spent + messages > limit.most else ''}"
        )


def describe_decided(case: ListedCase | None, state: str, zone: ZoneInfo) -> str:
    """Say why a case waits for no decision: who has decided it and when, if that is known."""
    if case is None:
        return f"not held: {state}" if state and state != "unknown" else "there is no such case"
    note = case.undone or case.decision
    if note is None:
        return f"not held: {state or case.state}"
    by = " and ".join(map(show_mail_text, note.by)) or "somebody"
    return f"already {note.what} by {by} at {format_absolute(note.at, zone)}"


def _build_row(  # noqa: PLR0913, PLR0917 - what a row shows
    key: CaseKey,
    held: HeldCase,
    listed: ListedCase | None,
    changed: str,
    now: datetime,
    zone: ZoneInfo,
) -> ReviewRow:
    first = held.first
    mailboxes = sum(one.mailboxes for one in held.parts.values())
    actions = dict.fromkeys(text for one in held.parts.values() for text in one.proposes)
    would = "; ".join(show_mail_text(text) for text in actions) or "act as its rule says"
    boxes = "mailbox" if mailboxes == 1 else "mailboxes"
    counted = f"{plural(held.messages, 'message')} in {mailboxes:,} {boxes}"
    return ReviewRow(
        key=str(key),
        id=held.id,
        short_id=key.short_id,
        path=key.path if listed is None else listed.path,
        rule=key.rule,
        digest=case_digest(held.digests),
        subject=show_mail_text(first.subject) or "(no subject)",
        sender=show_address(first.sender) or "(no sender)",
        sentence=f"Approving will {would}: {counted}.",
        due=show_time(first.deadline, now, zone) if first.deadline else None,
        held_for=HELD_FOR.get(first.hold_cause, "") if first.hold_cause else "",
        approvals=_describe_approvals(first.approvals, first.needs),
        changed=changed,
    )


def case_digest(digests: Mapping[str, str]) -> str:
    """Return the digest of a case: that of its only part, or of all its held parts."""
    if len(digests) == 1:
        return next(iter(digests.values()))
    joined = "\0".join(f"{part}={digest}" for part, digest in sorted(digests.items()))
    messages = sum(map(_count_of, digests.values()))
    return f"{messages}-{hashlib.sha256(joined.encode()).hexdigest()[:12]}"


def describe_difference(shown: str, current: str) -> str:
    """Say how a case differs from what was shown, by the counts that digests start with."""
    before, after = _count_of(shown), _count_of(current)
    if before != after:
        return f"changed: {before:,} messages when it was shown, {after:,} now"
    return "changed: other messages or actions than were shown"


def _count_of(digest: str) -> int:
    count, _, _ = digest.partition("-")
    return int(count) if count.isdecimal() else 0


def _describe_approvals(approvals: int, needs: int) -> str:
    if needs <= 1:
        return ""
    return (
        f"{approvals:,} of {plural(needs, 'approval')} so far"
        if approvals
        else (f"needs {plural(needs, 'approval')}")
    )


def _left_out(
    named: Mapping[str, CaseKey],
    selection: HeldSelection,
    known: Mapping[str, ListedCase],
    zone: ZoneInfo,
) -> Iterator[LeftOut]:
    for case_id, state in selection.not_held.items():
        key = named[case_id]
        why = describe_decided(known.get(case_id), state, zone)
        yield LeftOut(key.short_id, key.path, key.rule, why)


def _describe_sums(selection: HeldSelection) -> Iterable[str]:
    for action, count in selection.count_proposed():
        yield f"{plural(count, 'case')}: {show_mail_text(action)}"
    for cause, count in selection.count_causes():
        yield f"{plural(count, 'case')} held for {HELD_FOR[HoldCause(cause)]}"
    if moved := selection.moved_while_held:
        yield f"{plural(moved, 'message')} moved aside while held; denying returns them"
