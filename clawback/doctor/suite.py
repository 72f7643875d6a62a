"""Which checks are made, in which order, from the settings of this environment."""

import asyncio
from functools import partial

from clawback.doctor.account import check_clock, check_cloudflare
from clawback.doctor.channels import check_channels
from clawback.doctor.check import Check, Finding, look, ok, problem, warning
from clawback.doctor.folders import check_audit, check_disk_space, check_rules
from clawback.doctor.integration import check_integration
from clawback.doctor.permissions import check_permissions
from clawback.doctor.processes import (
    WorkerPage,
    check_health,
    check_never_block,
    check_running_rules,
)
from clawback.doctor.server import check_temporal
from clawback.local.installation import Installation, plan_installation
from clawback.settings import Settings, SettingsError, load_settings


async def examine() -> list[Finding]:
    """Make every check; settings that cannot be read leave only that finding, for all else depends on them."""
    try:
        settings = load_settings()
        installation = plan_installation(settings)
    except SettingsError as error:
        return [
            problem("settings", str(error), "set it right, or unset it; all else depends on it")
        ]
    checks = _checks(settings, installation)
    found = await asyncio.gather(*(look(name, check) for name, check in checks.items()))
    return [
        ok("settings", f"read; {installation.headline}"),
        check_mode(settings, installation),
        *(one for group in found for one in group),
    ]


def check_mode(settings: Settings, installation: Installation) -> Finding:
    """Say how far any rule may go."""
    ceiling = settings.model_copy(update={"api_url": installation.api_url}).ceiling
    if (
        settings.mode is None
        and not installation.settings.on_simulator
        and installation.simulator_port is None
    ):
        return warning(
            "mode",
            f"{ceiling}, by default: nothing is touched",
            "set CLAWBACK_MODE to approve or enforce when you trust the rules",
        )
    return ok("mode", f"no rule goes beyond {ceiling}")


def _checks(settings: Settings, installation: Installation) -> dict[str, Check]:
    page = WorkerPage(installation)
    return {
        "rules": partial(asyncio.to_thread, check_rules, settings.rules),
        "running rules": partial(check_running_rules, page, settings.rules),
        "never-block list": partial(check_never_block, page),
        "channels": partial(check_channels, settings.channels, settings.rules),
        "worker": partial(check_health, page),
        "temporal": partial(check_temporal, settings),
        "audit": partial(asyncio.to_thread, check_audit, settings.audit_file),
        "disk": partial(asyncio.to_thread, check_disk_space, settings),
        "cloudflare": partial(check_cloudflare, settings, installation),
        "permissions": partial(check_permissions, settings, installation),
        "integration": partial(check_integration, settings, installation),
        "clock": partial(check_clock, settings, installation),
    }
