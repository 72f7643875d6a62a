"""`clawback rules list`: the rules, their effective modes, and when each last matched."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from clawback.app_files import describe_rules
from clawback.audit import latest_matches
from clawback.cli.exits import ExitCode
from clawback.cli.output import AsJson, print_json, print_table, print_text
from clawback.cli.rule_folders import find_folder, load_folder, shown_path
from clawback.inventory.loaded_rules import list_loaded
from clawback.inventory.rule_list import ListedRule, ceiling_of
from clawback.model.texts import plural
from clawback.rules import RuleSet
from clawback.settings import Settings, load_settings

_TIMEOUT = 5.0
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
    listed = list_loaded(rules, ceiling_of(settings), matches, chosen)
    rows = [one.model_copy(update={"file": shown_path(root, one.file)}) for one in listed.rules]

    if as_json:
        about = {
            "folder": root,
            "version": rules.version,
            "ceiling": listed.ceiling,
            "last_match_from": source,
            "detections_only": not listed.clean_mail,
        }
        print_json({**about, "rules": [one.model_dump(mode="json") for one in rows]})
    else:
        cells = [_cells(one) for one in rows]
        print_table(_COLUMNS, cells, drop_first=_DROP_FIRST, styles=_STYLES)
        print_text(_summary(root, rules, settings, source))
        print_text(_polled_mail(listed.clean_mail))

    return ExitCode.OK


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

    return f"{counts}; ceiling {ceiling_of(settings)}{where}; {known}"


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

    from clawback.inventory.last_matches import (  # noqa: PLC0415 - the same
        read_last_matches,
    )
    from clawback.temporal.account_binding import (  # noqa: PLC0415 - the same
        ForeignAccount,
        connect_to_own,
    )
    from clawback.temporal.client import (  # noqa: PLC0415 - the same
        TemporalUnreachable,
        server_address,
    )
    from clawback.temporal.key_ring import PayloadKeyError  # noqa: PLC0415 - the same

    refused = (ForeignAccount, PayloadKeyError)
    with suppress(TemporalUnreachable, RPCError, OSError, TimeoutError, *refused):
        async with asyncio.timeout(_TIMEOUT):
            await _check_listening(server_address(settings))
            return await read_last_matches(await connect_to_own(settings), names)

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


def _cells(rule: ListedRule) -> tuple[str, ...]:
    mode = rule.mode or _UNKNOWN
    capped = f"{mode} (of {rule.mode_of_rule})" if rule.mode != rule.mode_of_rule else mode
    kind = f"{rule.kind}, {rule.correlation}" if rule.correlation else rule.kind
    last = f"{rule.last_match:%Y-%m-%d %H:%M}" if rule.last_match else _UNKNOWN

    return (
        rule.name,
        rule.status,
        capped,
        rule.level,
        kind,
        str(rule.tests),
        last,
        rule.version,
        rule.file,
    )
