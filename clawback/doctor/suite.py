"""Runs all checks, with the settings of this environment."""

import asyncio
from functools import partial

from clawback.doctor.account_checks import check_clock, check_cloudflare
from clawback.doctor.channel_checks import check_channels
from clawback.doctor.check import TIMEOUT, Check, Finding, ok, problem, run_check, warning
from clawback.doctor.domain_checks import check_domains
from clawback.doctor.file_checks import (
    check_audit,
    check_collector,
    check_disk_space,
    check_privacy,
    check_program,
    check_rules,
)
from clawback.doctor.identity_checks import check_provider_clock
from clawback.doctor.permission_checks import check_permissions
from clawback.doctor.secret_checks import check_secrets
from clawback.doctor.temporal_checks import check_temporal
from clawback.doctor.worker_checks import (
    WorkerPage,
    check_health,
    check_never_block,
    check_running_rules,
)
from clawback.local.installation import Installation, plan_installation
from clawback.settings import Settings, SettingsError, load_settings

_COMPILING = frozenset({"rules", "running rules", "channels"})
_COMPILING_TIMEOUT = 60.0
"""Compiling the rules takes seconds of CPU time, which a busy machine stretches."""


async def run_checks() -> list[Finding]:
    """Run every check; with invalid settings that is the only finding, as all else needs them."""
    try:
        settings = load_settings()
        installation = plan_installation(settings)
    except SettingsError as error:
        return [problem("settings", str(error), "correct or unset it; all other checks need it")]

    checks = _checks(settings, installation)
    groups = await asyncio.gather(
        *(
            run_check(name, check, _COMPILING_TIMEOUT if name in _COMPILING else TIMEOUT)
            for name, check in checks.items()
        )
    )
    return [
        ok("settings", f"valid; {installation.headline}"),
        check_mode(settings, installation),
        *(finding for group in groups for finding in group),
    ]


def check_mode(settings: Settings, installation: Installation) -> Finding:
    """Report the ceiling of all rules."""
    ceiling = settings.model_copy(update={"api_url": installation.api_url}).ceiling
    is_simulated = settings.on_simulator or installation.simulator_port is not None
    if settings.mode is None and not is_simulated:
        found = f"{ceiling}, by default: nothing is changed"
        remedy = "set CLAWBACK_MODE to approve or enforce once you trust the rules"
        return warning("mode", found, remedy)

    return ok("mode", f"no rule goes beyond {ceiling}")


def _checks(settings: Settings, installation: Installation) -> dict[str, Check]:
    page = WorkerPage(installation)
    embedded: dict[str, Check] = {}
    if installation.temporal is not None:
        embedded["temporal program"] = partial(asyncio.to_thread, check_program)
    return {
        **embedded,
        "rules": partial(asyncio.to_thread, check_rules, settings.rules, settings.safety),
        "running rules": partial(check_running_rules, page, settings.rules, settings.safety),
        "never-block list": partial(check_never_block, page),
        "channels": partial(check_channels, settings.channels, settings.rules, settings.safety),
        "worker": partial(check_health, page),
        "temporal": partial(check_temporal, settings),
        "audit": partial(asyncio.to_thread, check_audit, settings),
        "audit collector": partial(asyncio.to_thread, check_collector, settings),
        "disk": partial(asyncio.to_thread, check_disk_space, settings),
        "secrets": partial(asyncio.to_thread, check_secrets, settings),
        "privacy": partial(asyncio.to_thread, check_privacy, settings),
        "cloudflare": partial(check_cloudflare, settings, installation),
        "permissions": partial(check_permissions, settings, installation),
        "domains": partial(check_domains, settings, installation),
        "clock": partial(check_clock, settings, installation),
        "identity provider's clock": partial(check_provider_clock, settings),
    }
