"""Every number of a report: its title, unit and formula, and how it is computed. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil
from statistics import median
from typing import Final

from clawback.cases import CaseState
from clawback.model.texts import plural
from clawback.reports.audit_facts import AuditFacts
from clawback.reports.case_numbers import CountedCases
from clawback.reports.report import Measure, Report, Unit

_NO_AUDIT: Final = "there is no audit on this machine"
_NO_ARRIVALS: Final = "the audit has no message that was contained in the period"
_P90: Final = 0.9
_MOST_CASES: Final = 100_000


@dataclass(frozen=True)
class RequestsUsed:
    """The requests that a worker sent since it started."""

    count: int
    since: datetime


@dataclass(frozen=True)
class Evidence:
    """Everything that a report is computed from.

    `audit` is None if there is none on this machine, `requests` if no worker answers here.
    """

    since: datetime
    until: datetime
    cases: CountedCases = field(default_factory=CountedCases)
    audit: AuditFacts | None = None
    blocks_created: int = 0
    blocks_ended: int = 0
    requests: RequestsUsed | None = None


@dataclass(frozen=True)
class Found:
    """The value of a number, and how many things it was computed from."""

    value: float | None
    count: int = 0
    note: str = ""


@dataclass(frozen=True)
class Definition:
    """What a number is and how it is computed."""

    title: str
    unit: Unit
    formula: str
    compute: Callable[[Evidence], Found]


def build_report(evidence: Evidence, now: datetime) -> Report:
    """Compute all numbers."""
    measures = []
    for name, one in DEFINITIONS.items():
        found = one.compute(evidence)
        measures.append(
            Measure(
                name=name,
                title=one.title,
                unit=one.unit,
                formula=one.formula,
                value=found.value,
                count=found.count,
                note=found.note,
            )
        )
    return Report(
        since=evidence.since,
        until=evidence.until,
        made_at=now,
        numbers=tuple(measures),
        rules=evidence.cases.count_rules(),
        people=evidence.cases.count_people(),
        notes=tuple(_notes(evidence)),
    )


def percentile(values: Iterable[float], share: float) -> float | None:
    """Return the value that a share of all values does not exceed (nearest rank)."""
    every = sorted(values)
    return every[max(ceil(share * len(every)) - 1, 0)] if every else None


def _notes(evidence: Evidence) -> Iterable[str]:
    if count := evidence.cases.unreadable:
        are = "is" if count == 1 else "are"
        yield f"{plural(count, 'case')} cannot be read and {are} counted without its contents"
    begins = evidence.audit.begins_at if evidence.audit else None
    if begins is not None and begins > evidence.since:
        yield f"the audit on this machine begins at {begins:%F %H:%M} UTC"
    if len(evidence.cases.cases) >= _MOST_CASES:
        yield f"only {_MOST_CASES:,} cases were read"


def _containment(evidence: Evidence, summarize: Callable[[list[float]], float | None]) -> Found:
    if evidence.audit is None:
        return Found(None, note=_NO_AUDIT)
    delays = evidence.audit.delays
    if not delays:
        return Found(None, note=_NO_ARRIVALS)
    undated = evidence.audit.undated
    note = f"of {plural(undated, 'message')} no arrival is recorded" if undated else ""
    return Found(summarize(delays), len(delays), note)


def _contained(evidence: Evidence) -> Found:
    cases = [one.contained for one in evidence.cases.cases]
    return Found(sum(cases), sum(count > 0 for count in cases))


def _moved(evidence: Evidence) -> Found:
    if evidence.audit is None:
        return Found(None, note=_NO_AUDIT)
    moved = len(evidence.audit.delays) + evidence.audit.undated
    return Found(moved, moved)


def _decisions(evidence: Evidence) -> Found:
    count = len(evidence.cases.decisions)
    return Found(count, count)


def _read_before(evidence: Evidence) -> Found:
    count = sum(one.contained for one in evidence.cases.cases)
    return Found(None, count, "Cloudflare does not report whether a message was read")


def _opened(evidence: Evidence) -> Found:
    return _of_cases(evidence, len(evidence.cases.cases))


def _held(evidence: Evidence) -> Found:
    return _of_cases(evidence, sum(one.is_held_once for one in evidence.cases.cases))


def _waiting(evidence: Evidence) -> Found:
    held = sum(one.line.shown_state == CaseState.HELD for one in evidence.cases.cases)
    return _of_cases(evidence, held)


def _answer_times(evidence: Evidence) -> list[float]:
    times = (one.answered_after for one in evidence.cases.cases)
    return [one for one in times if one is not None]


def _answered(evidence: Evidence) -> Found:
    return _of_cases(evidence, len(_answer_times(evidence)))


def _time_to_answer(evidence: Evidence) -> Found:
    times = _answer_times(evidence)
    if not times:
        return Found(None, note="nobody decided a case that opened in the period")
    return Found(median(times), len(times))


def _approved(evidence: Evidence) -> Found:
    return _of_cases(evidence, sum(one.decided_as("approved") for one in evidence.cases.cases))


def _denied(evidence: Evidence) -> Found:
    return _of_cases(evidence, sum(one.is_denied for one in evidence.cases.cases))


def _expired(evidence: Evidence) -> Found:
    return _of_cases(evidence, sum(one.is_expired for one in evidence.cases.cases))


def _undone(evidence: Evidence) -> Found:
    return _of_cases(evidence, sum(one.is_undone for one in evidence.cases.cases))


def _of_cases(evidence: Evidence, value: float) -> Found:
    return Found(value, len(evidence.cases.cases))


def _requests(evidence: Evidence) -> Found:
    used = evidence.requests
    if used is None:
        return Found(None, note="no worker answers on this machine; see its /metrics")
    note = f"of the worker here since it started, {used.since:%F %H:%M} UTC; not of the period"
    return Found(used.count, used.count, note)


def _notifications_failed(evidence: Evidence) -> Found:
    if evidence.audit is None:
        return Found(None, note=_NO_AUDIT)
    return Found(evidence.audit.notifications_failed, evidence.audit.notified)


_OF_THESE = "of the cases that opened in the period: "

DEFINITIONS: Final[Mapping[str, Definition]] = {
    "time_to_containment_median": Definition(
        "Arrival to containment, median",
        Unit.SECONDS,
        "median of (time moved minus time scanned by Cloudflare) over messages moved in the period",
        lambda evidence: _containment(evidence, median),
    ),
    "time_to_containment_p90": Definition(
        "Arrival to containment, 90th percentile",
        Unit.SECONDS,
        "90th percentile (nearest rank) of the same",
        lambda evidence: _containment(evidence, lambda delays: percentile(delays, _P90)),
    ),
    "messages_contained": Definition(
        "Messages contained",
        Unit.MESSAGES,
        f"{_OF_THESE}messages that were moved, each once",
        _contained,
    ),
    "messages_moved": Definition(
        "Messages moved in the period",
        Unit.MESSAGES,
        "moves in the audit of this machine, whenever the case opened; what is moved twice counts "
        "twice",
        _moved,
    ),
    "messages_read_before": Definition(
        "Already read when contained",
        Unit.MESSAGES,
        "contained messages that somebody had opened before",
        _read_before,
    ),
    "cases_opened": Definition(
        "Cases opened", Unit.CASES, "cases that opened in the period", _opened
    ),
    "cases_held": Definition(
        "Cases held", Unit.CASES, f"{_OF_THESE}those that ever waited for people", _held
    ),
    "cases_answered": Definition(
        "Cases answered", Unit.CASES, f"{_OF_THESE}those held that people decided", _answered
    ),
    "cases_waiting": Definition(
        "Cases waiting now", Unit.CASES, f"{_OF_THESE}those that are held now", _waiting
    ),
    "time_to_answer_median": Definition(
        "Held to decision, median",
        Unit.SECONDS,
        f"{_OF_THESE}median of (time decided minus time held) over those that people decided",
        _time_to_answer,
    ),
    "cases_decided": Definition(
        "Decided in the period",
        Unit.CASES,
        "cases whose last decision was made in the period, whenever they opened",
        _decisions,
    ),
    "cases_approved": Definition(
        "Approved", Unit.CASES, f"{_OF_THESE}those whose last decision approved them", _approved
    ),
    "cases_denied": Definition(
        "Denied", Unit.CASES, f"{_OF_THESE}those whose last decision denied them", _denied
    ),
    "cases_expired": Definition(
        "Expired", Unit.CASES, f"{_OF_THESE}those that ended because nobody decided", _expired
    ),
    "cases_undone": Definition(
        "Undone", Unit.CASES, f"{_OF_THESE}those of which somebody undid anything", _undone
    ),
    "blocks_created": Definition(
        "Blocks created",
        Unit.BLOCKS,
        "sender blocks that clawback created in the period",
        lambda evidence: Found(evidence.blocks_created, evidence.blocks_created),
    ),
    "blocks_ended": Definition(
        "Blocks ended",
        Unit.BLOCKS,
        "sender blocks of clawback that expired or were lifted in the period",
        lambda evidence: Found(evidence.blocks_ended, evidence.blocks_ended),
    ),
    "notifications_failed": Definition(
        "Notifications failed",
        Unit.NOTIFICATIONS,
        "notifications of the period that no attempt could deliver",
        _notifications_failed,
    ),
    "requests_used": Definition(
        "Requests used",
        Unit.REQUESTS,
        "requests to the API (`clawback_api_requests_total` of the worker)",
        _requests,
    ),
}
"""Every number by its name, in the order of the report."""
