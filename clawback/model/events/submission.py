"""Submissions: what users, administrators and clawback itself report to Cloudflare for review."""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from clawback.model.addresses import PatternKind, pattern_problem
from clawback.model.events.base import (
    Event,
    EventKind,
    EventSource,
    JoinSearch,
    canonical_addresses,
    first_time,
    text_or_none,
)
from clawback.model.events.canonical_record import SUBMISSION_FORMS, Forms

_CHANGING = (
    "requested_disposition",
    "outcome",
    "outcome_disposition",
    "status",
    "customer_status",
    "escalated_as",
    "escalated_at",
    "escalated_by",
    "escalated_submission_id",
)
"""Fields that change while a submission is reviewed; each change is an event of its own."""
_AROUND = timedelta(hours=1)
_BACK = timedelta(days=7)
"""How long before its submission a message may have come, if its subject narrows the search."""
_LONGEST_SUBJECT = 200


class SubmissionSource(EventSource):
    """A submission in its present state. Its time is `requested_at`, whenever it changed."""

    kind: ClassVar[EventKind] = EventKind.SUBMISSION
    forms: ClassVar[Forms] = SUBMISSION_FORMS
    short_name: ClassVar[str] = "submission"
    id_field: ClassVar[str] = "submission_id"
    verdict_fields: ClassVar[tuple[str, ...]] = ("outcome_disposition", "requested_disposition")
    sender_fields: ClassVar[tuple[str, ...]] = ("message.from",)
    subject_fields: ClassVar[tuple[str, ...]] = ("subject", "original_edf_hash")
    has_change_time: ClassVar[bool] = False
    settings_prefix: ClassVar[str] = "submission_"

    def build(self, record: Mapping[str, Any], seen_at: datetime) -> Event:
        state = "\0".join(str(record.get(name) or "") for name in _CHANGING)
        version = hashlib.sha256(state.encode("utf-8", "replace")).hexdigest()[:8]
        at = first_time(record, seen_at, "requested_at")
        return self._event(record, at, seen_at, version=version)

    def reporter(self, event: Event) -> str | None:
        """The user who submitted it; administrators and clawback are not reporters."""
        address = text_or_none(event.record.get("requested_by"))
        if address is None or not _is_of_user(event):
            return None
        return address if pattern_problem(address, PatternKind.EMAIL) is None else None

    def may_be_own(self, event: Event) -> bool:
        """What a user submits never is ours."""
        return not _is_of_user(event)

    def postfix_id(self, event: Event) -> str | None:
        return text_or_none(event.record.get("original_postfix_id"))

    def named_recipients(self, event: Event) -> frozenset[str]:
        """Whoever submits a message is taken for one of its recipients."""
        return canonical_addresses([event.record.get("requested_by")])

    def join_search(self, event: Event) -> JoinSearch:
        """Search by subject over the week before; without a subject, over the hour before."""
        subject = event.record.get("subject")
        is_known = isinstance(subject, str) and bool(subject.strip())
        at = event.at.replace(minute=0, second=0, microsecond=0)

        return JoinSearch(
            at - (_BACK if is_known else _AROUND),
            at + 2 * _AROUND,
            subject=str(subject)[:_LONGEST_SUBJECT] if is_known else None,
        )


def _is_of_user(event: Event) -> bool:
    return str(event.record.get("type")).lower() == "user"
