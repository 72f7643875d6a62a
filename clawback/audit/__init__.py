"""The audit: every decision and every outcome as one OCSF JSON line in a chained, append-only file.

An export: nothing decides by it.

AuditUnavailable    the file cannot be written; nothing of the batch was
"""

from clawback.audit.chain import GENESIS, Link, read_records
from clawback.audit.log import AuditLog, AuditUnavailable
from clawback.audit.tail import Tail
from clawback.audit.verify import Broken, Verified, verify, verify_tail
from clawback.audit.writer import AuditWriter

__all__ = [
    "GENESIS",
    "AuditLog",
    "AuditUnavailable",
    "AuditWriter",
    "Broken",
    "Link",
    "Tail",
    "Verified",
    "read_records",
    "verify",
    "verify_tail",
]
