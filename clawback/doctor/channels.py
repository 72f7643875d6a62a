"""The channels that rules notify.

Whether they are set up, whether rules name others, and whether anybody listens there.

Nothing is sent: a connection is opened and closed.
"""

import asyncio
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from clawback.doctor.check import Finding, ok, problem, told, warning
from clawback.notifications import (
    Channel,
    ChannelFileError,
    Channels,
    read_channels,
    traits_of,
)
from clawback.rules import RuleErrors
from clawback.rules.loader import load_reviewed

_PATIENCE = 5.0


async def check_channels(file: Path | None, rules: Path) -> Iterable[Finding]:
    """Read the file of channels, compare it with what rules name, and knock at every channel."""
    try:
        channels = await asyncio.to_thread(read_channels, file)
    except ChannelFileError as error:
        return [problem("channels", str(error), "mend the file; a worker does not start with it")]
    named = await asyncio.to_thread(_unknown, rules, channels)
    if file is None:
        return [*named, ok("channels", "none are set up: nobody is notified")]
    knocked = await asyncio.gather(*(_knock(name, channel) for name, channel in channels.items()))
    return [*named, *await asyncio.to_thread(_readable, file), *knocked]


def _unknown(rules: Path, channels: Channels) -> list[Finding]:
    """Say what rules ask of channels that cannot be.

    Other faults of the rules have a row of their own.
    """
    found = list[Finding]()
    with suppress(RuleErrors):
        load_reviewed(rules)
        try:
            load_reviewed(rules, traits_of(channels))
        except RuleErrors as error:
            found += [told("channels", line) for line in str(error).splitlines()]
    return found


def _readable(file: Path) -> list[Finding]:
    if file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        return [
            warning(
                "channels", f"others can read {file}, and it may hold secrets", f"chmod 600 {file}"
            )
        ]
    return []


async def _knock(name: str, channel: Channel) -> Finding:
    host, port = channel.endpoint
    try:
        async with asyncio.timeout(_PATIENCE):
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
    except (OSError, TimeoutError):
        return warning(
            f"channel {name}",
            f"{channel.kind}: nobody answers at {host}:{port}",
            "look at the network, or mend the channel",
        )
    return ok(f"channel {name}", f"{channel.kind}: {host}:{port} answers")
