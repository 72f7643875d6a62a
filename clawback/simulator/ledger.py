"""The two records of what happened: the ledger of changes and the log of requests."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from clawback.simulator.responses import format_time


class Operation(StrEnum):
    """What a change did."""

    MOVE = "move"
    RECLASSIFY = "reclassify"
    RELEASE = "release"
    CREATE = "create"
    EDIT = "edit"
    DELETE = "delete"


@dataclass(slots=True)
class Ledger:
    """Every change that took effect, in order: one row per message or policy.

    A request that changed nothing adds no row.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)

    def record(
        self,
        at: datetime,
        request: int,
        operation: Operation,
        resource: str,
        identity: str,
        **details: str | None,
    ) -> None:
        """Add a row. Details are `destination`, `disposition`, `pattern` and `pattern_type`."""
        row = {
            "seq": len(self.rows) + 1,
            "at": format_time(at),
            "request": request,
            "operation": operation,
            "resource": resource,
            "id": identity,
        }
        known = {name: value for name, value in details.items() if value is not None}
        self.rows.append(row | known)

    def since(self, seq: int) -> list[dict[str, Any]]:
        """Return the rows after a sequence number."""
        return self.rows[max(seq, 0) :]


@dataclass(slots=True)
class LoggedRequest:
    """One API request. `path` excludes the query.

    `status` is None if no response was sent, `fault` if there was none, `seconds` while the request
    is in progress.
    """

    seq: int
    at: str
    method: str
    template: str
    path: str
    query: str
    status: int | None = None
    fault: str | None = None
    seconds: float | None = None


@dataclass(slots=True)
class RequestLog:
    """API requests in order of arrival. The oldest may be dropped; sequence numbers go on."""

    entries: list[LoggedRequest] = field(default_factory=list)
    dropped: int = 0

    def begin(
        self, at: datetime, method: str, template: str, path: str, query: str
    ) -> LoggedRequest:
        """Log a request that arrived. The caller fills in how it ended."""
        seq = self.dropped + len(self.entries) + 1
        entry = LoggedRequest(seq, format_time(at), method, template, path, query)
        self.entries.append(entry)
        return entry

    def since(self, seq: int) -> list[dict[str, Any]]:
        """Return the requests after a sequence number."""
        return [asdict(entry) for entry in self.entries[max(seq - self.dropped, 0) :]]

    def truncate(self, limit: int) -> None:
        """Drop the oldest requests until `limit` are left."""
        excess = max(len(self.entries) - limit, 0)
        del self.entries[:excess]
        self.dropped += excess

    def clear(self) -> None:
        """Drop all requests and restart the sequence."""
        self.entries.clear()
        self.dropped = 0
