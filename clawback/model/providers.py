"""Providers of mailboxes, and which folders each of them lacks."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from clawback.model.messages import Destination


class Provider(StrEnum):
    """Where mailboxes are; the values are those of `inbox_provider` of a domain (OpenAPI)."""

    MICROSOFT = "Microsoft"
    GOOGLE = "Google"

    @property
    def product(self) -> str:
        """What people call it."""
        return "Microsoft 365" if self is Provider.MICROSOFT else "Google Workspace"


LACKING: Final[Mapping[Provider, frozenset[Destination]]] = {
    Provider.MICROSOFT: frozenset(),
    Provider.GOOGLE: frozenset({Destination.RECOVERABLE}),
}
"""Folders that Cloudflare documents for the other provider only (reference §2.1)."""
NEAREST: Final[Mapping[Destination, Destination]] = {Destination.RECOVERABLE: Destination.DELETED}
"""The folder that comes nearest to one that a provider lacks."""


def read_provider(name: str | None) -> Provider | None:
    """Read the provider of a domain; None if the API does not say, or names another."""
    known = {one.value.lower(): one for one in Provider}
    return known.get((name or "").strip().lower())
