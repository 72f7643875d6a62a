"""Which folders each provider of mailboxes lacks, and where mail goes there instead (ADR 62)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

from clawback.model.messages import Destination, Target
from clawback.model.notations import canonical_address
from clawback.model.providers import Provider

LACKING: Final[Mapping[Provider, frozenset[Destination]]] = {
    Provider.MICROSOFT: frozenset(),
    Provider.GOOGLE: frozenset({Destination.RECOVERABLE}),
}
"""Folders that Cloudflare documents for the other provider only (reference §2.1)."""
NEAREST: Final[Mapping[Destination, Destination]] = {Destination.RECOVERABLE: Destination.DELETED}
"""The folder that comes nearest to one that a provider lacks. Every provider has it."""


def folder_at(provider: Provider | None, wanted: Destination) -> Destination:
    """Give the folder to ask a provider for; the one that is wanted if it is unknown."""
    is_lacking = provider is not None and wanted in LACKING[provider]
    return NEAREST[wanted] if is_lacking else wanted


@dataclass(frozen=True)
class AccountProviders:
    """The providers of the mailboxes of an account.

    `by_domain` is what the API says, by canonical domain. `stated` is the setting
    `CLAWBACK_PROVIDERS`, which counts where the API says nothing.
    """

    by_domain: Mapping[str, Provider] = field(default_factory=dict)
    stated: tuple[Provider, ...] = ()

    @property
    def known(self) -> frozenset[Provider]:
        """The providers that there are."""
        return frozenset((*self.stated, *self.by_domain.values()))

    def provider_of(self, mailbox: str | None) -> Provider | None:
        """Give the provider of a mailbox; None if none is known.

        For a mailbox in a domain of which the API does not say it, that is the provider which lacks
        the most folders, of those stated, else of those of the other domains: the nearest folder
        exists everywhere.
        """
        domain = canonical_address(mailbox or "").rpartition("@")[2]
        return self.by_domain.get(domain, self._elsewhere)

    def mark(self, targets: tuple[Target, ...]) -> tuple[Target, ...]:
        """Mark the messages in mailboxes of a provider that lacks folders."""
        if not any(LACKING[one] for one in self.known):
            return targets
        return tuple(map(self._mark, targets))

    def _mark(self, target: Target) -> Target:
        provider = self.provider_of(target.mailbox)
        is_lacking = provider is not None and LACKING[provider]
        return replace(target, provider=provider) if is_lacking else target

    @cached_property
    def _elsewhere(self) -> Provider | None:
        return _poorest(self.stated or self.by_domain.values())


def _poorest(providers: Iterable[Provider]) -> Provider | None:
    # By name too, so that the choice does not depend on the order.
    return max(providers, key=lambda one: (len(LACKING[one]), one), default=None)
