"""Letting mail out of quarantine, the one action that must never be repeated blindly: it delivers.

Source: reference §1.3, §2.4.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from clawback.cloudflare.operations import Operations
from clawback.cloudflare.requests import ApiRequest, Method, known_ids
from clawback.cloudflare.wire import Identity, Texts, Wire


class ReleaseItem(Wire):
    """What became of one message: its recipients by result."""

    renamed: ClassVar[Mapping[str, str]] = {"postfix_id": "id"}

    id: Identity
    delivered: Texts = ()
    undelivered: Texts = ()
    failed: Texts = ()

    @property
    def complete(self) -> bool:
        """Whether somebody got the message and nobody was left out."""
        return bool(self.delivered) and not self.undelivered and not self.failed


class Release(Operations):
    """Releases messages."""

    async def release(self, ids: Sequence[str]) -> tuple[ReleaseItem, ...]:
        """Release quarantined messages to their recipients: POST `investigate/release`.

        Permission: Write. At most 1,000, better 100.

        The body is disputed (reference §4.3): `{"ids": […]}` goes first, the bare array once if
        that is refused with 400 or 422; what was taken is remembered. After `UnknownOutcome` read
        `is_quarantined` or the action log before repeating: it might deliver twice.

        Raises:
            ValueError: no ids, or more than 1,000.
            ApiError: see `errors`.

        """
        known = known_ids(ids)
        current, former = (
            ApiRequest(Method.POST, "investigate/release", body={"ids": known}),
            ApiRequest(Method.POST, "investigate/release", body=known),
        )
        return self._items(current, await self._either(current, former), ReleaseItem)
