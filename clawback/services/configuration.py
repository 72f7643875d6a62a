"""What the components of a worker need, worked out from settings, channels and rules."""

from collections.abc import Callable, Collection, Mapping
from datetime import timedelta

from clawback.actions import ChannelTraits
from clawback.cloudflare import EmailSecurity, Permit
from clawback.identity.permission import Policy
from clawback.model.events import EventKind
from clawback.model.polling import PollerStart
from clawback.notifications import Channels, traits_of
from clawback.rules.act_check import LiveActCheck
from clawback.rules.live import LiveRules
from clawback.rules.live_budgets import LiveBudgets
from clawback.rules.live_undo_policy import LiveUndoPolicy
from clawback.settings import Settings
from clawback.telemetry.api_telemetry import ApiTelemetry

API_TIMEOUT = timedelta(seconds=15)
"""Shorter than any start-to-close timeout, so that the activity itself says what happened."""


def poller_starts(settings: Settings) -> list[PollerStart]:
    """Return the arguments of the pollers of an installation: one per source."""
    return [
        PollerStart(
            source=source,
            interval=settings.interval_of(source),
            lookback=settings.lookback_of(source),
            start=settings.start,
            page_size=settings.page_size,
            sweep_interval=None if settings.sweep_interval == "off" else settings.sweep_interval,
            sweep_lookback=settings.sweep_lookback,
        )
        for source in EventKind
    ]


def channels_for_rules(
    settings: Settings, channels: Channels
) -> Mapping[str, ChannelTraits] | None:
    """Return the channels that rules may name; None if rules may name any.

    A rehearsal has no channels and notifies nobody. There rules may name any channel, and their
    notifications fail on record.
    """
    if settings.channels is None and settings.on_simulator:
        return None
    return traits_of(channels)


def connect_api(settings: Settings, permit: Permit | None = None) -> EmailSecurity:
    """Build the API client. The simulator takes any token.

    `permit` is the kill switch, for a client that changes something.
    """
    fallback = "simulator" if settings.on_simulator else ""
    return EmailSecurity(
        url=settings.api_url,
        account_id=settings.cloudflare_account_id or fallback,
        token=settings.cloudflare_api_token or fallback,
        observer=ApiTelemetry(),
        timeout=API_TIMEOUT,
        permit=permit,
    )


def build_check(
    settings: Settings,
    rules: LiveRules,
    demoted: Callable[[], Collection[str]] = frozenset,
) -> LiveActCheck:
    """Build the check that comes right before a request: of settings, rules and demotions."""
    return LiveActCheck(lambda: rules.current, settings.ceiling, settings.age_limit, demoted)


def build_undo_policy(settings: Settings, rules: LiveRules) -> LiveUndoPolicy:
    """Build what says what one person may undo alone: everything if the guard is unlimited."""
    return LiveUndoPolicy(lambda: rules.current, is_limited=settings.guard != "unlimited")


def build_budgets(settings: Settings, rules: LiveRules) -> LiveBudgets:
    """Build what gives reservations their budgets: none if the guard is unlimited."""
    return LiveBudgets(lambda: rules.current, is_limited=settings.guard != "unlimited")


def build_policy(settings: Settings, rules: LiveRules) -> Callable[[], Policy]:
    """Build what says what the installation asks of people now."""

    def policy() -> Policy:
        return Policy(
            has_provider=settings.has_identity_provider,
            allows_unverified=rules.current.safety.allows_unverified,
        )

    return policy
