"""`clawback rules list`: the rules, their effective modes, and when each last matched."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from clawback.app_files import describe_rules
from clawback.audit import latest_matches
from clawback.cli.exits import ExitCode
from clawback.cli.output import AsJson, print_json, print_table, print_text
from clawback.cli.rule_folders import find_folder, load_folder, shown_path
from clawback.model.mode import Mode
from clawback.model.texts import plural
from clawback.rules import Rule, RuleSet
from clawback.rules.lint.clean_mail import rules_on_clean_mail
from clawback.settings import Settings, load_settings

_TIMEOUT = 5.0
_AT_ONCE = 8
_FEW_NAMES = 3
_UNKNOWN = "-"
_COLUMNS = ("name", "status", "mode", "level", "kind", "tests", "last match", "version", "file")
_DROP_FIRST = ("file", "version", "kind", "tests", "level")
_STYLES = {
    "enforce": "bold red",
    "approve": "yellow",
    "shadow": "cyan",
    "stable": "green",
    "test": "yellow",
    "experimental": "dim",
    "critical": "bold red",
    "high": "red",
    "medium": "yellow",
}


def list_rules(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="Folder of rules or a file in it, default CLAWBACK_RULES.",
            show_default=False,
        ),
    ] = None,
    *,
    as_json: AsJson = False,
) -> int:
    """List rules with mode, last match, version and file.

    The mode is the effective one, under the ceiling CLAWBACK_MODE and safety.yml.

    The last match is the newest case on the Temporal server, or in the audit if there is no server;
    - if unknown.
    """
    settings = load_settings()
    root, file = find_folder(folder)
    rules = load_folder(root)
    chosen = [rule for rule in rules.rules.values() if file is None or rule.path == file]
    names = [rule.name for rule in chosen if rule.response is not None]
    matches, source = _last_matches(settings, names)
    ceiling = _ceiling(settings)
    clean = rules_on_clean_mail(rules)
    rows = [
        _row(rule, rules.mode_of(rule), ceiling, matches.get(rule.name))
        | {"clean_mail": rule.name in clean, "file": shown_path(root, rule.path)}
        for rule in chosen
    ]

    if as_json:
        about = {
            "folder": root,
            "version": rules.version,
            "ceiling": ceiling,
            "last_match_from": source,
            "detections_only": not clean,
        }
        print_json({**about, "rules": rows})
    else:
        cells = [_cells(row) for row in rows]
        print_table(_COLUMNS, cells, drop_first=_DROP_FIRST, styles=_STYLES)
        print_text(_summary(root, rules, settings, source))
        print_text(_polled_mail(clean))

    return ExitCode.OK


def _ceiling(settings: Settings) -> Mode:
    """Return the strongest mode of any rule; on the simulator, without a token, all may act."""
    return settings.ceiling if settings.cloudflare_api_token else settings.mode or Mode.ENFORCE


def _row(rule: Rule, allowed: Mode | None, ceiling: Mode, last: datetime | None) -> dict[str, Any]:
    return {
        "name": rule.name,
        "title": rule.title,
        "status": rule.status,
        "mode": allowed.capped(ceiling) if allowed is not None else None,
        "mode_of_rule": rule.mode,
        "level": rule.level,
        "kind": ", ".join(rule.kinds),
        "correlation": rule.correlation.type if rule.correlation is not None else None,
        "version": rule.version,
        "line": rule.line,
        "tests": len(rule.tests),
        "last_match": last.isoformat() if last is not None else None,
    }


def _summary(root: Path, rules: RuleSet, settings: Settings, source: str | None) -> str:
    where = (
        ""
        if settings.cloudflare_api_token or settings.mode
        else " on the simulator (no CLOUDFLARE_API_TOKEN is set)"
    )
    counts = (
        f"{describe_rules(root)}: {len(rules.rules)} rules, {len(rules.filters)} exceptions, "
        f"version {rules.version}"
    )
    known = (
        f"last matches (UTC) from {source}"
        if source
        else "last matches unknown: no server, no audit"
    )

    return f"{counts}; ceiling {_ceiling(settings)}{where}; {known}"


def _polled_mail(clean: Sequence[str]) -> str:
    """Say what pollers read because of the rules, and which rules cause it."""
    if not clean:
        return "polling reads detections only: no rule can match clean mail"
    names = ", ".join(clean[:_FEW_NAMES]) + (", …" if len(clean) > _FEW_NAMES else "")
    return f"polling reads clean mail too: {plural(len(clean), 'rule')} may match it ({names})"


# ---- when a rule last matched


def _last_matches(
    settings: Settings, names: Sequence[str]
) -> tuple[Mapping[str, datetime], str | None]:
    """Read last matches from the server, else the audit; return them and their source."""
    known = asyncio.run(_cases(settings, names)) if names else None
    if known is not None:
        return known, "Temporal"
    found = latest_matches(settings.audit_file)
    return found, str(settings.audit_file) if settings.audit_file.exists() else None


async def _cases(settings: Settings, names: Sequence[str]) -> Mapping[str, datetime] | None:
    """Return when the newest case of each rule was opened; None if no server answers in time."""
    from temporalio.service import RPCError  # noqa: PLC0415 - takes half a second

    from clawback.temporal.account_binding import (  # noqa: PLC0415 - the same
        ForeignAccount,
        connect_to_own,
    )
    from clawback.temporal.case_gateway import CaseGateway  # noqa: PLC0415 - the same
    from clawback.temporal.case_index import CaseFilter  # noqa: PLC0415 - the same
    from clawback.temporal.client import (  # noqa: PLC0415 - the same
        TemporalUnreachable,
        server_address,
    )
    from clawback.temporal.key_ring import PayloadKeyError  # noqa: PLC0415 - the same

    refused = (ForeignAccount, PayloadKeyError)
    with suppress(TemporalUnreachable, RPCError, OSError, TimeoutError, *refused):
        async with asyncio.timeout(_TIMEOUT):
            await _check_listening(server_address(settings))
            cases = CaseGateway(await connect_to_own(settings))
            turn = asyncio.Semaphore(_AT_ONCE)

            async def newest(name: str) -> tuple[str, datetime] | None:
                async with turn:
                    lines = await cases.find(CaseFilter(rule=name), limit=1)
                    return (name, lines[0].opened_at) if lines else None

            answers = await asyncio.gather(*map(newest, names))
            return dict(answer for answer in answers if answer is not None)

    return None


async def _check_listening(address: str) -> None:
    """Check that something listens at an address: the SDK would retry for several seconds.

    Raises:
        OSError: nothing does.

    """
    host, _, port = address.rpartition(":")
    if port.isdecimal():
        _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
        writer.close()


# ---- printing


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    mode = row["mode"] or _UNKNOWN
    capped = f"{mode} (of {row['mode_of_rule']})" if row["mode"] != row["mode_of_rule"] else mode
    kind = f"{row['kind']}, {row['correlation']}" if row["correlation"] else row["kind"]
    last = (
        datetime.fromisoformat(row["last_match"]).strftime("%Y-%m-%d %H:%M")
        if row["last_match"]
        else _UNKNOWN
    )

    return (
        row["name"],
        row["status"],
        capped,
        row["level"],
        kind,
        str(row["tests"]),
        last,
        row["version"],
        row["file"],
    )
