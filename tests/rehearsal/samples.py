"""Corpus lines and the expectation for them under the shipped rules."""

from datetime import UTC, datetime, timedelta
from typing import Any

from clawback.rehearsal import Expectation, build_expectation
from clawback.simulator import Line, parse_line
from tests.shipped import shipped_rules

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def message(
    identity: str, disposition: str, *, hours: float = 0, sender: str = "a@x.test", **fields: Any
) -> Line:
    """A corpus line of a message that was scanned `hours` ago."""
    record = {
        "id": identity,
        "postfix_id": f"p-{identity}",
        "final_disposition": disposition,
        "scanned_at": (NOW - timedelta(hours=hours)).isoformat(),
        "from": sender,
        "validation": {"dmarc": "pass"},
        **fields,
    }
    return parse_line({"message": record, "detections": {}})


def expect(*lines: Line, age_limit: timedelta | None = None) -> Expectation:
    return build_expectation(lines, shipped_rules(), NOW, age_limit)
