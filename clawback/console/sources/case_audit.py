"""Reads what the audit of this machine says about one case, for people."""

import asyncio
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from clawback.audit import AuditFilter, AuditSearch, FoundRecord
from clawback.model.audit_record import RecordKind
from clawback.settings import Settings

MOST_RECORDS: Final = 500
DECISIONS: Final = frozenset({RecordKind.APPROVED, RecordKind.DENIED})


@dataclass(frozen=True)
class CaseRecords:
    """The newest records of a case, oldest first, and how many more there are.

    `problem` says why there are none: workers elsewhere have audits of their own.
    """

    found: tuple[FoundRecord, ...] = ()
    earlier: int = 0
    problem: str = ""


async def read_case_records(settings: Settings, case_id: str, since: datetime) -> CaseRecords:
    """Read the records of a campaign that opened at a time, from rotated files too."""
    return await asyncio.to_thread(_read, settings, AuditFilter(case=case_id, since=since))


async def find_decision(
    settings: Settings, case_id: str, kind: RecordKind, at: datetime
) -> FoundRecord | None:
    """Find the record of a decision in the file that is written now; None if it is elsewhere."""
    wanted = AuditFilter(case=case_id, kind=kind, since=at)
    return await asyncio.to_thread(_find_first, settings, wanted)


def _read(settings: Settings, wanted: AuditFilter) -> CaseRecords:
    if not settings.audit_file.exists():
        return CaseRecords(problem="The workers have their audit on another machine.")
    newest: deque[FoundRecord] = deque(maxlen=MOST_RECORDS)
    search = AuditSearch(settings.audit_file, wanted)
    try:
        newest.extend(search)
    except OSError as error:
        return CaseRecords(problem=f"The audit cannot be read: {error.strerror or error}.")
    return CaseRecords(tuple(newest), search.admitted - len(newest))


def _find_first(settings: Settings, wanted: AuditFilter) -> FoundRecord | None:
    try:
        return next(iter(AuditSearch(settings.audit_file, wanted, rotated=False)), None)
    except OSError:
        return None
