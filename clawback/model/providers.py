"""Providers of mailboxes."""

from enum import StrEnum


class Provider(StrEnum):
    """Where mailboxes are; the values are those of `inbox_provider` of a domain (OpenAPI)."""

    MICROSOFT = "Microsoft"
    GOOGLE = "Google"

    @property
    def product(self) -> str:
        """What people call it."""
        return "Microsoft 365" if self is Provider.MICROSOFT else "Google Workspace"


def read_provider(name: str | None) -> Provider | None:
    """Read the provider of a domain; None if the API does not say, or names another."""
    known = {one.value.lower(): one for one in Provider}
    return known.get((name or "").strip().lower())
