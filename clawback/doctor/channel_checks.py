"""The notification channels: configured, known to the rules, reachable. Nothing is sent."""

import asyncio
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from clawback.doctor.check import Finding, from_sentence, ok, problem, warning
from clawback.notifications import (
    Channel,
    ChannelFileError,
    Channels,
    read_channels,
    traits_of,
)
from clawback.rules import RuleErrors
from clawback.rules.loader import load_reviewed

_TIMEOUT = 5.0


async def check_channels(
    file: Path | None, rules: Path, safety: Path | None = None
) -> Iterable[Finding]:
    """Read the channel file, compare it with the rules, and connect to every channel."""
    try:
        channels = await asyncio.to_thread(read_channels, file)
    except ChannelFileError as error:
        return [problem("channels", str(error), "fix the file; a worker does not start with it")]

    findings = await asyncio.to_thread(_check_rules, rules, safety, channels)
    if file is None:
        return [*findings, ok("channels", "none are configured: nobody is notified")]

    findings += await asyncio.to_thread(_check_permissions, file)
    findings += await asyncio.gather(
        *(_check_reachable(name, channel) for name, channel in channels.items())
    )
    return findings


def _check_rules(rules: Path, safety: Path | None, channels: Channels) -> list[Finding]:
    """Report what rules require of channels that is missing.

    Rules that cannot be loaded at all are reported by `check_rules`.
    """
    try:
        load_reviewed(rules, traits_of(channels), safety=safety)
    except RuleErrors as error:
        with suppress(RuleErrors):
            load_reviewed(rules, safety=safety)
            return [from_sentence("channels", line) for line in str(error).splitlines()]

    return []


def _check_permissions(file: Path) -> list[Finding]:
    if file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        found = f"others can read {file}, and it may hold secrets"
        return [warning("channels", found, f"chmod 600 {file}")]
    return []


async def _check_reachable(name: str, channel: Channel) -> Finding:
    host, port = channel.endpoint
    try:
        async with asyncio.timeout(_TIMEOUT):
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
    except (OSError, TimeoutError):
        found = f"{channel.kind}: nothing responds at {host}:{port}"
        return warning(f"channel {name}", found, "check the network, or fix the channel")

    return ok(f"channel {name}", f"{channel.kind}: {host}:{port} responds")
