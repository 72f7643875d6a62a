"""The audit log: every decision and outcome as one OCSF JSON line in a chained, append-only file.

Nothing decides by it. It is read only for people: `audit verify` and `doctor` check the chain,
`rules list` shows when a rule last matched, and `up` and `rehearse` show what happened. It holds
ids, hashes and times, free-text reasons, and records that could not be parsed, which may quote
mail: protect the file like mail.

AuditUnavailable    the file cannot be written; nothing of the batch was
"""

from clawback.audit.audit_log import AuditLog, AuditUnavailable
from clawback.audit.audit_writer import AuditWriter
from clawback.audit.chain import GENESIS, ChainLink
from clawback.audit.reading import Tail, latest_matches, read_records
from clawback.audit.verification import Broken, Verified, verify, verify_tail

__all__ = [
    "GENESIS",
    "AuditLog",
    "AuditUnavailable",
    "AuditWriter",
    "Broken",
    "ChainLink",
    "Tail",
    "Verified",
    "latest_matches",
    "read_records",
    "verify",
    "verify_tail",
]
