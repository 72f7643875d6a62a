"""The audit record that cases, activities and commands hand to the audit.

It carries no subject, body or address: ids, hashes, words and times.
"""

from enum import StrEnum

from clawback.model.payload import Payload
from clawback.model.times import UtcDatetime


class RecordKind(StrEnum):
    """Everything that is recorded; the values name log events too."""

    EVENT_REJECTED = "event_rejected"
    SET_ASIDE = "set_aside"
    EVENT_COUNTED = "event_counted"
    MATCHES_DROPPED = "matches_dropped"
    CASE_OPENED = "case_opened"
    EVENT_JOINED = "event_joined"
    HELD = "held"
    HOLD_ENDED = "hold_ended"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    COMMENTED = "commented"
    ASSIGNED = "assigned"
    ACTED = "acted"
    WOULD_HAVE_ACTED = "would_have_acted"
    NOTIFIED = "notified"
    CASE_CLOSED = "case_closed"
    BLOCK_EXPIRED = "block_expired"
    BLOCK_EXTENDED = "block_extended"
    BLOCK_LIFTED = "block_lifted"
    BLOCK_FORBIDDEN = "block_forbidden"
    POLICY_EXPIRED = "policy_expired"
    POLICY_ADOPTED = "policy_adopted"
    POLICY_CHANGED = "policy_changed"
    UNDONE = "undone"
    UNDO_STARTED = "undo_started"
    EXPIRY_WARNED = "expiry_warned"
    STOPPED = "stopped"
    RESUMED = "resumed"
    GUARD_LOST = "guard_lost"
    PAYLOADS_REFUSED = "payloads_refused"
    RULE_DEMOTED = "rule_demoted"
    RULE_CONFIRMED = "rule_confirmed"
    RULES_LOADED = "rules_loaded"
    RULES_REFUSED = "rules_refused"
    POLL_DEGRADED = "poll_degraded"
    POLL_RECOVERED = "poll_recovered"
    POLL_STATE_LOST = "poll_state_lost"
    AUDIT_KEY_CHANGED = "audit_key_changed"
    POLL_PAUSED = "poll_paused"
    POLL_RESUMED = "poll_resumed"
    POLL_REWOUND = "poll_rewound"
    AUDIT_FILES_REMOVED = "audit_files_removed"
    TOKEN_CREATED = "token_created"  # noqa: S105 - a name, not a secret
    TOKEN_REVOKED = "token_revoked"  # noqa: S105 - a name, not a secret
    SESSION_REVOKED = "session_revoked"
    SIGNED_IN = "signed_in"
    SIGNED_OUT = "signed_out"
    SIGN_IN_REFUSED = "sign_in_refused"
    BY_HAND = "by_hand"
    VIEWED = "viewed"
    RESTORED = "restored"


class AuditRecord(Payload):
    """One line of the audit.

    `id` is stable, so that readers can drop repeats. `event` is the key of the event, `target` the
    investigate id, pattern or channel, `arrived_at` when that message was scanned, `outcome` a
    value of `clawback.actions.outcomes` or of `Removal`. `before` and `after` say what changed, as
    far as known: a folder, a verdict.

    `actor` is `clawback` or the person who acted, `verified` whether an identity provider vouches
    for that, `host` the machine of a command. `on_behalf_of` is what the person typed. `trace_id`
    is that of the OpenTelemetry trace in which it was written, 32 hex digits.
    """

    id: str
    at: UtcDatetime
    kind: RecordKind
    rule: str | None = None
    rule_version: str | None = None
    case: str | None = None
    mode: str | None = None
    event: str | None = None
    action: str | None = None
    target: str | None = None
    arrived_at: UtcDatetime | None = None
    outcome: str | None = None
    before: str | None = None
    after: str | None = None
    detail: str | None = None
    actor: str = "clawback"
    verified: bool | None = None
    host: str | None = None
    on_behalf_of: str | None = None
    trace_id: str | None = None
