"""Which events rules may act on, and how far: the only copy of these conditions.

Ingest, dry run, backtest and search ask here. It is in `rules` because `safety.yml` holds the
conditions and because `rules.tools` may not import `ingest`.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from clawback.cases import CasePlan
from clawback.model.events import Event, is_too_old
from clawback.model.mode import Mode
from clawback.rules.source.safety import Safety

AgeLimit = timedelta | Literal["off"] | None
"""The setting `CLAWBACK_AGE_LIMIT`; None means that `safety.yml` decides."""


NO_TIME_TEXT = (
    "no time of it makes sense, so whether it is older than the age limit is unknown: "
    "it is reported (event_rejected), and a person decides"
)


class Ineligibility(StrEnum):
    """Why no rule acts on an event."""

    DELIVERY_MODE = "delivery_mode"
    AGE = "age"
    NO_TIME = "no_time"


def find_ineligibilities(
    event: Event, safety: Safety, age_limit: timedelta | None, now: datetime
) -> tuple[Ineligibility, ...]:
    """Return every reason why no rule acts on an event; empty if it is eligible.

    `age_limit` is the one in force (see `age_limit_in_force`).
    """
    found: list[Ineligibility] = []
    if is_mode_ignored(event, safety.ignored_delivery_modes):
        found.append(Ineligibility.DELIVERY_MODE)
    if age_limit is not None and not event.is_dated:
        found.append(Ineligibility.NO_TIME)
    elif is_too_old(event, now, age_limit):
        found.append(Ineligibility.AGE)
    return tuple(found)


def is_searchable(event: Event, ignored_delivery_modes: Collection[str]) -> bool:
    """Whether a message found by a search may be acted on: nobody has handled it already."""
    return not event.handled and not is_mode_ignored(event, ignored_delivery_modes)


def is_mode_ignored(event: Event, ignored_delivery_modes: Collection[str]) -> bool:
    """Whether the message of an event was delivered in a mode that is never acted on."""
    mode = event.message.get("delivery_mode")
    return isinstance(mode, str) and mode in ignored_delivery_modes


def age_limit_in_force(setting: AgeLimit, safety: Safety) -> timedelta | None:
    """Return the age limit in force; None means no limit."""
    if setting == "off":
        return None
    return setting or safety.maximum_age


def cap_plan(plan: CasePlan, safety: Safety, ceiling: Mode) -> CasePlan:
    """Return the plan as a case gets it: mode capped, forbidden actions refused.

    What a case does while it is held needs all that a rule needs that enforces, but its own mode.

    The mode is capped here and not in the compiled rules, so that a new safety document takes
    effect even if the rules beside it cannot be loaded.
    """
    refusals = {
        index: reason
        for index, action in enumerate(plan.actions)
        if (reason := safety.refuses(action)) is not None
    }
    allowed = ceiling.capped(safety.ceiling_of(plan.rule))
    mode = plan.mode.capped(allowed)
    may_act = allowed is Mode.ENFORCE and mode is not Mode.SHADOW
    while_held = plan.while_held if may_act else None
    return plan.model_copy(update={"mode": mode, "refusals": refusals, "while_held": while_held})
