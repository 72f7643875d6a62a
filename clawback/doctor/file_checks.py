"""Files: rules, audit log, free space, modes. Nothing is written; all of it blocks on the disk.

A folder that does not exist yet is judged by its nearest existing parent.
"""

import os
import shutil
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shlex import quote

from clawback.app_files import describe_rules
from clawback.audit import AuditKeyError, Backlog, Broken, read_public_keys, verify_tail
from clawback.audit.backlog import MOST_LINES
from clawback.doctor.check import Finding, ok, problem, warning
from clawback.local import SetupError
from clawback.local.preflight import MIN_FREE_BYTES
from clawback.local.temporal_program import TESTED, VERSION, hash_program
from clawback.local.temporal_server import find_temporal
from clawback.model.texts import plural
from clawback.private_files import find_exposed
from clawback.rules import RuleErrors, RuleSet, load_rules
from clawback.settings import Settings
from clawback.shipping import read_cursor

_COMFORTABLE = 5 * MIN_FREE_BYTES
_MOST_NAMED = 5
_SHIPPED_WITHIN = timedelta(minutes=15)


def check_rules(folder: Path, safety: Path | None = None) -> Iterable[Finding]:
    """Load the rules as a worker does."""
    if not folder.is_dir():
        remedy = "set CLAWBACK_RULES to the folder of rules"
        return [problem("rules", f"there is no folder {folder}", remedy)]

    try:
        rules = load_rules(folder, safety)
    except RuleErrors as error:
        lines = str(error).splitlines()
        more = f" (and {len(lines) - 1} more lines)" if len(lines) > 1 else ""
        remedy = "run `clawback rules check`; a running worker keeps its current set"
        return [problem("rules", f"{folder} is refused: {lines[0]}{more}", remedy)]

    where = describe_rules(folder)
    found = ok("rules", f"{where}: {len(rules.rules)} rules, version {rules.version}")
    return [found, *_weakened_rules(rules), *_writable_safety(safety)]


def _weakened_rules(rules: RuleSet) -> Iterator[Finding]:
    """Report the rules that ask for more than the safety document allows."""
    names = [rule.name for rule in rules.weakened]
    if names:
        shown = ", ".join(names[:_MOST_NAMED]) + (", …" if len(names) > _MOST_NAMED else "")
        found = f"safety.yml does not allow the status of {plural(len(names), 'rule')}: {shown}"
        remedy = "`clawback rules check` says where; until then they ask first, or only record"
        yield warning("rules", found, remedy)


def _writable_safety(safety: Path | None) -> Iterator[Finding]:
    """Report a safety document that is kept apart from the rules, but not from this user."""
    # Root may write everywhere, and says nothing about the user of the worker.
    if safety is None or os.geteuid() == 0:
        return
    if any(os.access(one, os.W_OK) for one in (safety, safety.parent)):
        found = f"this user can change {safety}, which limits what rules may do"
        remedy = "give the file and its folder to root, or mount it read-only"
        yield warning("safety", found, remedy)


def check_audit(settings: Settings) -> Iterable[Finding]:
    """Verify the end of the audit log, and that it can be written."""
    file = settings.audit_file
    nearest = _nearest_existing(file)
    if not os.access(nearest, os.W_OK) or not (nearest.is_dir() or file.is_file()):
        remedy = "give the worker's user write access, or set CLAWBACK_AUDIT; cases wait until then"
        return [problem("audit", f"{file} cannot be written", remedy)]
    if not file.exists():
        return [ok("audit", f"{file} does not exist yet")]

    try:
        tail = verify_tail(file, read_public_keys(settings.audit_key))
    except AuditKeyError as error:
        remedy = "restore the key file from a copy, or set CLAWBACK_AUDIT_KEY_FILE"
        return [problem("audit", f"{file} cannot be verified: {error}", remedy)]

    if isinstance(tail, Broken):
        remedy = (
            "`clawback audit verify` says where; "
            "move the file away, and the worker starts a new one"
        )
        return [problem("audit", f"{file} is damaged near its end: {tail.reason}", remedy)]

    return [ok("audit", f"{file}: intact and signed at its end, head {tail.head}")]


def check_program() -> Iterable[Finding]:
    """Compare the program of the embedded Temporal server with those that were tested."""
    name, remedy = "temporal program", "compare it as docs/operations/supply-chain.md says"
    try:
        path = Path(find_temporal())
        found = hash_program(path)
    except (SetupError, OSError) as error:
        return [problem(name, str(error), "run `make env`, or install clawback again")]

    if found in TESTED:
        return [ok(name, f"{path} is the tested {VERSION} for {TESTED[found]}")]
    return [warning(name, f"{path} is not the tested {VERSION}: its SHA-256 is {found}", remedy)]


def check_collector(settings: Settings) -> Iterable[Finding]:
    """Compare what the collector of the audit has with what there is."""
    if settings.audit_collector is None:
        return []

    cursor = read_cursor(settings.audit_file)
    waiting = Backlog(settings.audit_file).read(cursor)
    if not waiting:
        return [ok("audit collector", f"it has everything up to line {cursor.sequence:,}")]

    more = " or more" if len(waiting) == MOST_LINES else ""
    since = f"{waiting[0].at:%Y-%m-%d %H:%M:%S} UTC"
    found = f"it lacks {len(waiting):,} lines{more}, the oldest of {since}"
    if datetime.now(UTC) - waiting[0].at < _SHIPPED_WITHIN:
        return [ok("audit collector", found)]
    remedy = "`audit.collector_unavailable` in the worker's log says why; nothing is lost meanwhile"
    return [warning("audit collector", found, remedy)]


def check_disk_space(settings: Settings) -> Iterable[Finding]:
    """Check the free space of the state folder."""
    free = shutil.disk_usage(_nearest_existing(settings.folder)).free
    found = f"{free >> 20:,} MiB are free for {settings.folder}"
    if free < MIN_FREE_BYTES:
        needed = f"{MIN_FREE_BYTES >> 20} MiB"
        remedy = f"free at least {needed}, or set CLAWBACK_STATE to another folder"
        return [problem("disk", found, remedy)]
    if free < _COMFORTABLE:
        remedy = "free some space: cases wait once the audit log cannot be written"
        return [warning("disk", found, remedy)]

    return [ok("disk", found)]


def check_privacy(settings: Settings) -> Iterable[Finding]:
    """Check that no other user can access the state folder and the audit log."""
    if not (exposed := find_exposed(settings.private_paths())):
        return [ok("privacy", f"only this user can access {settings.folder}")]

    # The folders alone do not protect files that are open, or an audit log elsewhere.
    found = f"other users can access {exposed[0]}" + (
        f" and {len(exposed) - 1} more" if len(exposed) > 1 else ""
    )
    paths = " ".join(dict.fromkeys(quote(str(path)) for path in exposed[:_MOST_NAMED]))
    return [
        warning("privacy", found, f"restart the worker, which repairs it, or chmod go= {paths}")
    ]


def _nearest_existing(path: Path) -> Path:
    """Find the path itself, or its nearest existing parent."""
    return next(one for one in (path.absolute(), *path.absolute().parents) if one.exists())
