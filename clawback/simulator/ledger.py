"""What was done and what was asked: the two witnesses.

Rows are only ever appended; nothing here decides anything.
"""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from clawback.simulator.envelopes import stamp


class Operation(StrEnum):
    """What an effective change did."""

    MOVE = "move"
    RECLASSIFY = "reclassify"
    RELEASE = "release"
    CREATE = "create"
    EDIT = "edit"
    DELETE = "delete"


@dataclass(slots=True)
class Ledger:
    """Every effective change in order, one row per message or policy.

    A request that changed nothing leaves no row.
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
        """Add a row; of the details (`destination, disposition, pattern, pattern_type`) those that apply."""
        row = {
            "seq": len(self.rows) + 1,
            "at": stamp(at),
            "request": request,
            "operation": operation,
            "resource": resource,
            "id": identity,
        }
        self.rows.append(
            row | {name: value for name, value in details.items() if value is not None}
        )

    def since(self, seq: int) -> list[dict[str, Any]]:
        """The rows after that sequence number."""
        return self.rows[max(seq, 0) :]


@dataclass(slots=True)
class Asked:
    """One API request: `status` is None where no answer was sent, `fault` None where none befell it, `path` comes without the query."""

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
    """Every API request in order of arrival; `seconds` is None while it is being answered."""

    asked: list[Asked] = field(default_factory=list)
    forgotten: int = 0

    def begin(self, at: datetime, method: str, template: str, path: str, query: str) -> Asked:
        """Note that a request arrived; the caller fills in how it ended."""
        entry = Asked(
            self.forgotten + len(self.asked) + 1, stamp(at), method, template, path, query
        )
        self.asked.append(entry)
        return entry

    def since(self, seq: int) -> list[dict[str, Any]]:
        """The requests after that sequence number."""
        return [asdict(entry) for entry in self.asked[max(seq - self.forgotten, 0) :]]

    def keep(self, most: int) -> None:
        """Forget the oldest requests, down to so many; sequence numbers go on."""
        gone = max(len(self.asked) - most, 0)
        del self.asked[:gone]
        self.forgotten += gone

    def clear(self) -> None:
        """Forget every request and begin to count again."""
        self.asked.clear()
        self.forgotten = 0
