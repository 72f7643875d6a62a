"""The audit log: every decision and outcome as one signed OCSF JSON line in an append-only chain.

Nothing decides by it. It is read only for people: `audit verify` and `doctor` check the chain,
`rules list` shows when a rule last matched, and `up` and `rehearse` show what happened. It holds
ids, hashes and times, free-text reasons, and records that could not be parsed, which may quote
mail: protect the file like mail.

AuditUnavailable    the file cannot be written; nothing of the batch was
AuditKeyError       a file of keys is unusable
"""

from clawback.audit.audit_log import AuditLog, AuditUnavailable, default_key_file
from clawback.audit.audit_writer import AuditWriter
from clawback.audit.backlog import START, AuditLine, Backlog, read_head
from clawback.audit.chain import GENESIS, ChainLink, Head
from clawback.audit.files import audit_files, open_audit_file, sequence_of
from clawback.audit.reading import Tail, latest_matches, read_records, read_records_after
from clawback.audit.retention import compress_rotated, find_removable
from clawback.audit.searching import AuditFilter, AuditSearch, FoundRecord, find_cases
from clawback.audit.signing import AuditKeyError, PublicKey, read_public_keys
from clawback.audit.verification import Broken, Verified, verify, verify_tail

__all__ = [
    "GENESIS",
    "START",
    "AuditFilter",
    "AuditKeyError",
    "AuditLine",
    "AuditLog",
    "AuditSearch",
    "AuditUnavailable",
    "AuditWriter",
    "Backlog",
    "Broken",
    "ChainLink",
    "FoundRecord",
    "Head",
    "PublicKey",
    "Tail",
    "Verified",
    "audit_files",
    "compress_rotated",
    "default_key_file",
    "find_cases",
    "find_removable",
    "latest_matches",
    "open_audit_file",
    "read_head",
    "read_public_keys",
    "read_records",
    "read_records_after",
    "sequence_of",
    "verify",
    "verify_tail",
]
