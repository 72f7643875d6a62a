"""The audit of a case and the receipt of a decision, finished for the page."""

from collections.abc import Iterator
from dataclasses import dataclass

from clawback.audit import FoundRecord
from clawback.cases import Decision
from clawback.console.views.mail_text import show_mail_text
from clawback.console.views.times import Clock, ShownTime
from clawback.model.audit_record import AuditRecord

_LONGEST = 500


@dataclass(frozen=True)
class RecordRow:
    """One line of the audit."""

    number: str
    at: ShownTime
    kind: str
    actor: str
    what: str
    outcome: str
    detail: str


@dataclass(frozen=True)
class RecordsView:
    """The audit of one case."""

    short_id: str
    case_path: str
    records: tuple[RecordRow, ...]
    earlier: str
    problem: str
    command: str


@dataclass(frozen=True)
class DecidedMessage:
    """One message of a decision."""

    id: str
    text: str


@dataclass(frozen=True)
class DecisionReceipt:
    """What proves a decision: who decided what, under which digest, and where it is recorded.

    `messages_text` says what the list is; it may not be the one that was decided.
    """

    case: str
    case_path: str
    short_id: str
    verb: str
    by: tuple[str, ...]
    at: ShownTime
    reason: str
    digest: str
    rule: str
    rule_version: str
    messages: tuple[DecidedMessage, ...]
    messages_text: str
    is_list_exact: bool
    record: str
    head: str
    verify: str
    data_path: str


def build_records(found: tuple[FoundRecord, ...], clock: Clock) -> tuple[RecordRow, ...]:
    """Build the rows of an audit, the newest first."""
    return tuple(
        RecordRow(
            number=f"{one.sequence:,}",
            at=clock.show(one.record.at),
            kind=one.record.kind.replace("_", " "),
            actor=show_mail_text(one.record.actor)
            + (" (unverified)" if one.record.verified is False else ""),
            what=show_mail_text(" ".join(_subject(one.record)), _LONGEST),
            outcome=show_mail_text((one.record.outcome or "").replace("_", " ")),
            detail=show_mail_text(one.record.detail, _LONGEST),
        )
        for one in reversed(found)
    )


def name_deciders(decisions: tuple[Decision, ...]) -> tuple[str, ...]:
    """Name everybody who decided, each once, with what vouches for them."""
    return tuple(
        dict.fromkeys(
            show_mail_text(one.actor.label)
            + ("" if one.actor.identity.is_verified else " (unverified)")
            for one in decisions
        )
    )


def _subject(record: AuditRecord) -> Iterator[str]:
    if record.action:
        yield record.action.replace("_", " ")
    if record.target or record.event:
        yield record.target or record.event or ""
    if record.after:
        yield f"→ {record.after}"
