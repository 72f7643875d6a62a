"""What lies on the disk: rules, audit, room.

Nothing is written, so a folder that does not exist yet is looked at by its parent.

Each of these blocks on the disk: call it from a thread.
"""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from clawback.app_files import describe_rules
from clawback.audit import Broken, verify_tail
from clawback.doctor.check import Finding, ok, problem, warning
from clawback.local.preflight import ROOM
from clawback.rules import RuleErrors, load_rules
from clawback.settings import Settings

_PLENTY = 5 * ROOM


def check_rules(folder: Path) -> Iterable[Finding]:
    """Load the rules as a worker would."""
    if not folder.is_dir():
        return [
            problem(
                "rules", f"there is no folder {folder}", "set CLAWBACK_RULES to the folder of rules"
            )
        ]
    try:
        rules = load_rules(folder)
    except RuleErrors as error:
        lines = str(error).splitlines()
        more = f" (and {len(lines) - 1} more lines)" if len(lines) > 1 else ""
        return [
            problem(
                "rules",
                f"{folder} is refused: {lines[0]}{more}",
                "`clawback rules check` says everything; a worker that runs keeps its set",
            )
        ]
    return [
        ok("rules", f"{describe_rules(folder)}: {len(rules.rules)} rules, version {rules.version}")
    ]


def check_audit(file: Path) -> Iterable[Finding]:
    """Check the end of the audit, and whether it can be written on."""
    nearest = _nearest(file)
    if not os.access(nearest, os.W_OK) or not (nearest.is_dir() or file.is_file()):
        remedy = "give the worker's user the right to, or set CLAWBACK_AUDIT; cases wait until then"
        return [problem("audit", f"{file} cannot be written", remedy)]
    if not file.exists():
        return [ok("audit", f"{file} is not written yet")]
    tail = verify_tail(file)
    if isinstance(tail, Broken):
        remedy = (
            "`clawback audit verify` finds where; move the file away, and the worker begins another"
        )
        return [problem("audit", f"{file} is damaged near its end: {tail.reason}", remedy)]
    return [ok("audit", f"{file}: intact at its end, {tail.last} records")]


def check_disk_space(settings: Settings) -> Iterable[Finding]:
    """Look how much room the state folder has."""
    where = _nearest(settings.folder)
    free = shutil.disk_usage(where).free
    said = f"{free >> 20:,} MiB are free for {settings.folder}"
    if free < ROOM:
        return [
            problem(
                "disk",
                said,
                f"make room, {ROOM >> 20} MiB at least, or set CLAWBACK_STATE to another folder",
            )
        ]
    if free < _PLENTY:
        return [
            warning("disk", said, "make room before the audit cannot be written: cases wait then")
        ]
    return [ok("disk", said)]


def _nearest(path: Path) -> Path:
    """Find the path itself, or the nearest folder above it that exists."""
    return next(one for one in (path.absolute(), *path.absolute().parents) if one.exists())
