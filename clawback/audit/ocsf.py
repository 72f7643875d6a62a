"""Maps an audit record to OCSF 1.5, so that any SIEM can ingest it. Pure.

Cases are Incident Findings (2005), actions are Remediation Activity (7001), rule sets are
Application Lifecycle (6002), records that cannot be parsed and polls that fail are Application
Error (6008), sign-ins are Authentication (3002). The record itself is kept under `unmapped`.
Source: schema.ocsf.io, version 1.5.0.
"""

from enum import IntEnum
from typing import Any, NamedTuple

from clawback import __version__
from clawback.model.audit_record import AuditRecord, RecordKind

SCHEMA = "1.5.0"

_RESOURCE_UID = 10
_RULE = 1
_FAILURE = 2


class _Class(IntEnum):
    INCIDENT = 2005
    AUTHENTICATION = 3002
    LIFECYCLE = 6002
    ERROR = 6008
    REMEDIATION = 7001


class _Severity(IntEnum):
    INFORMATIONAL = 1
    LOW = 2
    MEDIUM = 3
    HIGH = 4


class _Mapping(NamedTuple):
    """The OCSF class and activity of a record kind.

    `status` is Success 1 or Failure 2; for incidents New 1, In Progress 2, On Hold 3, Resolved 4,
    Closed 5.
    """

    ocsf_class: _Class
    activity: int
    name: str
    status: int = 1
    severity: _Severity = _Severity.INFORMATIONAL


def _update(status: int = 2, severity: _Severity = _Severity.INFORMATIONAL) -> _Mapping:
    return _Mapping(_Class.INCIDENT, 2, "Update", status, severity)


_MAPPINGS = {
    RecordKind.EVENT_REJECTED: _Mapping(_Class.ERROR, 2, "Translation Error", 2, _Severity.LOW),
    RecordKind.SET_ASIDE: _Mapping(_Class.ERROR, 99, "Set Aside", 2, _Severity.MEDIUM),
    RecordKind.MATCHES_DROPPED: _Mapping(_Class.ERROR, 1, "General Error", 2, _Severity.MEDIUM),
    RecordKind.GUARD_LOST: _Mapping(_Class.ERROR, 1, "General Error", 2, _Severity.HIGH),
    RecordKind.PAYLOADS_REFUSED: _Mapping(_Class.ERROR, 1, "General Error", 2, _Severity.HIGH),
    RecordKind.POLL_DEGRADED: _Mapping(_Class.ERROR, 1, "General Error", 2, _Severity.HIGH),
    RecordKind.POLL_RECOVERED: _Mapping(_Class.LIFECYCLE, 8, "Update"),
    RecordKind.POLL_STATE_LOST: _Mapping(_Class.ERROR, 1, "General Error", 2, _Severity.HIGH),
    RecordKind.AUDIT_KEY_CHANGED: _Mapping(
        _Class.LIFECYCLE, 8, "Update", severity=_Severity.MEDIUM
    ),
    RecordKind.AUDIT_FILES_REMOVED: _Mapping(_Class.LIFECYCLE, 8, "Update"),
    RecordKind.RULES_LOADED: _Mapping(_Class.LIFECYCLE, 8, "Update"),
    RecordKind.RULES_REFUSED: _Mapping(_Class.LIFECYCLE, 8, "Update", 2, _Severity.MEDIUM),
    RecordKind.CASE_OPENED: _Mapping(_Class.INCIDENT, 1, "Create"),
    RecordKind.HELD: _update(3, _Severity.MEDIUM),
    RecordKind.HOLD_ENDED: _update(2),
    RecordKind.DENIED: _update(4),
    RecordKind.EXPIRED: _update(4, _Severity.MEDIUM),
    RecordKind.CASE_CLOSED: _Mapping(_Class.INCIDENT, 3, "Close", 5),
    RecordKind.ACTED: _Mapping(_Class.REMEDIATION, 1, "Isolate"),
    RecordKind.BLOCK_EXPIRED: _Mapping(_Class.REMEDIATION, 3, "Restore"),
    RecordKind.BLOCK_LIFTED: _Mapping(_Class.REMEDIATION, 3, "Restore"),
    RecordKind.BLOCK_FORBIDDEN: _update(3, _Severity.MEDIUM),
    RecordKind.POLICY_CHANGED: _update(3, _Severity.MEDIUM),
    RecordKind.UNDONE: _Mapping(_Class.REMEDIATION, 3, "Restore"),
    RecordKind.TOKEN_CREATED: _Mapping(_Class.LIFECYCLE, 8, "Update", 1, _Severity.MEDIUM),
    RecordKind.TOKEN_REVOKED: _Mapping(_Class.LIFECYCLE, 8, "Update"),
    RecordKind.SESSION_REVOKED: _Mapping(_Class.LIFECYCLE, 8, "Update"),
    RecordKind.RESTORED: _Mapping(_Class.LIFECYCLE, 8, "Update", severity=_Severity.MEDIUM),
    RecordKind.SIGNED_IN: _Mapping(_Class.AUTHENTICATION, 1, "Logon"),
    RecordKind.SIGNED_OUT: _Mapping(_Class.AUTHENTICATION, 2, "Logoff"),
    RecordKind.SIGN_IN_REFUSED: _Mapping(_Class.AUTHENTICATION, 1, "Logon", 2, _Severity.LOW),
    RecordKind.BY_HAND: _Mapping(_Class.REMEDIATION, 99, "Other"),
}


def to_ocsf(record: AuditRecord) -> dict[str, Any]:
    """Map one record to an OCSF event; the record itself is under `unmapped`."""
    mapping = _MAPPINGS.get(record.kind, _update())
    unmapped = record.model_dump(mode="json", exclude_none=True)
    return {
        "metadata": {
            "uid": record.id,
            "version": SCHEMA,
            "event_code": record.kind.value,
            **({"correlation_uid": record.trace_id} if record.trace_id else {}),
            "product": {"name": "clawback", "vendor_name": "clawback", "version": __version__},
        },
        "time": int(record.at.timestamp() * 1000),
        # OCSF composes its ids: a class begins with its category, a type with its class.
        "category_uid": mapping.ocsf_class // 1000,
        "class_uid": int(mapping.ocsf_class),
        "activity_id": mapping.activity,
        "activity_name": mapping.name,
        "type_uid": mapping.ocsf_class * 100 + mapping.activity,
        "severity_id": int(_severity(record, mapping)),
        "status_id": _status(record, mapping),
        "message": _message(record),
        "actor": _actor(record),
        **_class_fields(record, mapping.ocsf_class),
        "observables": _observables(record),
        "unmapped": unmapped,
    }


def _class_fields(record: AuditRecord, ocsf_class: _Class) -> dict[str, Any]:
    match ocsf_class:
        case _Class.INCIDENT:
            analytic = {"name": record.rule, "version": record.rule_version, "type_id": _RULE}
            return {
                "finding_info_list": [
                    {"uid": record.case, "title": record.rule, "analytic": analytic}
                ]
            }
        case _Class.REMEDIATION:
            return {"command_uid": record.id, "status_detail": record.outcome}
        case _Class.AUTHENTICATION:
            return {"user": {"name": record.actor, "uid": record.target}}
        case _Class.LIFECYCLE:
            return {"app": {"name": "clawback", "vendor_name": "clawback", "version": __version__}}
        case _Class.ERROR:
            return {"raw_data": record.detail}


def _observables(record: AuditRecord) -> list[dict[str, Any]]:
    resources = {"event": record.event, "target": record.target, "case": record.case}
    return [
        {"name": name, "type_id": _RESOURCE_UID, "value": value}
        for name, value in resources.items()
        if value is not None
    ]


def _actor(record: AuditRecord) -> dict[str, Any]:
    if record.actor == "clawback":
        return {"app_name": "clawback"}
    person: dict[str, Any] = {"user": {"name": record.actor}}
    if record.host is not None:
        person["session"] = {"terminal": record.host}
    return person


def _status(record: AuditRecord, mapping: _Mapping) -> int:
    if mapping.ocsf_class is _Class.REMEDIATION and not _is_success(record):
        return _FAILURE
    return mapping.status


def _is_success(record: AuditRecord) -> bool:
    return record.outcome is None or not record.outcome.startswith(("failed", "unknown"))


def _severity(record: AuditRecord, mapping: _Mapping) -> _Severity:
    return mapping.severity if _is_success(record) else _Severity.HIGH


def _message(record: AuditRecord) -> str:
    words = [
        record.kind.replace("_", " "),
        record.action,
        record.outcome,
        record.rule and f"by rule {record.rule}",
    ]
    return " · ".join(word for word in words if word)
