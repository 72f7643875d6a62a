"""Pauses of workflows, a tenth as long."""

import sys

import pytest

from workflows import options

PAUSES = (
    "FIRST_PAUSE",
    "LONGEST_PAUSE",
    "REFUSED_PAUSE",
    "EFFECT_PAUSES",
    "LOST_PAUSES",
    "GUARD_PAUSE",
    "GUARD_TELLS",
    "WITHDRAWAL_PAUSE",
    "CLAIM_PAUSE",
    "SWEEP_PAUSE",
    "TROUBLE_PAUSE",
)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait a tenth of what production waits, in the same proportions."""
    for name in PAUSES:
        long = getattr(options, name)
        short = tuple(one / 10 for one in long) if isinstance(long, tuple) else long / 10
        set_option(monkeypatch, name, short)


def set_option(monkeypatch: pytest.MonkeyPatch, name: str, value: object) -> None:
    """Set an option of the workflows wherever it was imported; modules of the steps keep it."""
    loaded = [module for path, module in sys.modules.items() if path.startswith("workflows.")]
    for module in loaded:
        if hasattr(module, name):
            monkeypatch.setattr(module, name, value)
