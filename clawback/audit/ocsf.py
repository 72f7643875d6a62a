"""A record in the words of OCSF 1.5, so that any SIEM can take it in.

Pure: a record in, a JSON object out.

Cases are Incident Findings (2005), what was done is Remediation Activity (7001), rule sets are
Application Lifecycle (6002), records that could not be understood and polls that fail are
Application Error (6008). Our own words are kept under `unmapped`, as they were. Source:
schema.ocsf.io, version 1.5.0.
"""

from enum import IntEnum
from typing import Any, NamedTuple

from clawback import __version__
from clawback.model.audit_record import AuditRecord, RecordKind

SCHEMA = "1.5.0"

_RESOURCE_UID = 10
_RULE = 1


class _Class(IntEnum):
    INCIDENT = 2005
    LIFECYCLE = 6002
    ERROR = 6008
    REMEDIATION = 7001


class _Severity(IntEnum):
    INFORMATIONAL = 1
    LOW = 2
    MEDIUM = 3
    HIGH = 4


class _Shape(NamedTuple):
    """How a kind is written: its class and activity; `status` is Success 1 or Failure 2.

    For incidents it is New 1, In Progress 2, On Hold 3, Resolved 4, Closed 5.
    """

    kind: _Class
    activity: int
    name: str
    status: int = 1
    severity: _Severity = _Severity.INFORMATIONAL


def _update(status: int = 2, severity: _Severity = _Severity.INFORMATIONAL) -> _Shape:
    return _Shape(_Class.INCIDENT, 2, "Update", status, severity)


_SHAPES = {
    RecordKind.EVENT_REJECTED: _Shape(_Class.ERROR, 2, "Translation Error", 2, _Severity.LOW),
    RecordKind.POLL_DEGRADED: _Shape(_Class.ERROR, 1, "General Error", 2, _Severity.HIGH),
    RecordKind.RULES_LOADED: _Shape(_Class.LIFECYCLE, 8, "Update"),
    RecordKind.RULES_REFUSED: _Shape(_Class.LIFECYCLE, 8, "Update", 2, _Severity.MEDIUM),
    RecordKind.CASE_OPENED: _Shape(_Class.INCIDENT, 1, "Create"),
    RecordKind.HELD: _update(3, _Severity.MEDIUM),
    RecordKind.DENIED: _update(4),
    RecordKind.EXPIRED: _update(4, _Severity.MEDIUM),
    RecordKind.CASE_CLOSED: _Shape(_Class.INCIDENT, 3, "Close", 5),
    RecordKind.ACTED: _Shape(_Class.REMEDIATION, 1, "Isolate"),
    RecordKind.BLOCK_EXPIRED: _Shape(_Class.REMEDIATION, 3, "Restore"),
    RecordKind.BLOCK_LIFTED: _Shape(_Class.REMEDIATION, 3, "Restore"),
    RecordKind.BLOCK_FORBIDDEN: _update(3, _Severity.MEDIUM),
    RecordKind.UNDONE: _Shape(_Class.REMEDIATION, 3, "Restore"),
    RecordKind.BY_HAND: _Shape(_Class.REMEDIATION, 99, "Other"),
}


def to_ocsf(record: AuditRecord) -> dict[str, Any]:
    """Write one record as an OCSF event; what it has no word for is under `unmapped`."""
    shape = _SHAPES.get(record.kind, _update())
    said = record.model_dump(mode="json", exclude_none=True)
    return {
        "metadata": {
            "uid": record.id,
            "version": SCHEMA,
            "event_code": record.kind.value,
            "product": {"name": "clawback", "vendor_name": "clawback", "version": __version__},
        },
        "time": int(record.at.timestamp() * 1000),
        "category_uid": shape.kind // 1000,
        "class_uid": int(shape.kind),
        "activity_id": shape.activity,
        "activity_name": shape.name,
        "type_uid": shape.kind * 100 + shape.activity,
        "severity_id": int(_severity(record, shape)),
        "status_id": 2
        if shape.kind is _Class.REMEDIATION and not _succeeded(record)
        else shape.status,
        "message": _message(record),
        "actor": {"app_name": "clawback"}
        if record.actor == "clawback"
        else {"user": {"name": record.actor}},
        **_particulars(record, shape.kind),
        "observables": _observables(record),
        "unmapped": said,
    }


def _particulars(record: AuditRecord, kind: _Class) -> dict[str, Any]:
    match kind:
        case _Class.INCIDENT:
            analytic = {"name": record.rule, "version": record.rule_version, "type_id": _RULE}
            return {
                "finding_info_list": [
                    {"uid": record.case, "title": record.rule, "analytic": analytic}
                ]
            }
        case _Class.REMEDIATION:
            return {"command_uid": record.id, "status_detail": record.outcome}
        case _Class.LIFECYCLE:
            return {"app": {"name": "clawback", "vendor_name": "clawback", "version": __version__}}
        case _Class.ERROR:
            return {"raw_data": record.detail}


def _observables(record: AuditRecord) -> list[dict[str, Any]]:
    named = {"event": record.event, "target": record.target, "case": record.case}
    return [
        {"name": name, "type_id": _RESOURCE_UID, "value": value}
        for name, value in named.items()
        if value is not None
    ]


def _succeeded(record: AuditRecord) -> bool:
    return record.outcome is None or not record.outcome.startswith(("failed", "unknown"))


def _severity(record: AuditRecord, shape: _Shape) -> _Severity:
    return shape.severity if _succeeded(record) else _Severity.HIGH


def _message(record: AuditRecord) -> str:
    words = [
        record.kind.replace("_", " "),
        record.action,
        record.outcome,
        record.rule and f"by rule {record.rule}",
    ]
    return " · ".join(word for word in words if word)
