"""Links that sign a browser in, once and within five minutes.

Their secrets are signed with the keys of the installation, so whoever can read those can make a
link, from any process.
"""

import hmac
import secrets
import time
from collections.abc import Callable, Iterable
from typing import Final

LINK_SECONDS: Final = 300
_MOST_USED: Final = 10_000


class OneTimeLinks:
    """Makes links for one purpose and uses them up. What is used is known to this process alone."""

    def __init__(
        self, secrets: Iterable[bytes], purpose: str, now: Callable[[], float] = time.time
    ) -> None:
        label = f"clawback link {purpose}".encode()
        self._keys = [hmac.digest(secret, label, "sha256") for secret in secrets]
        self._now = now
        self._started = now()
        self._used: dict[str, float] = {}

    def create(self) -> str:
        """Make the secret of a link."""
        text = f"{secrets.token_urlsafe(12)}:{self._now()!r}"
        return f"{text}.{_sign(self._keys[0], text)}"

    def use(self, link: str) -> bool:
        """Use a link up; False if it is not ours, too old, or used."""
        text, _, signature = link.rpartition(".")
        given = signature.encode()
        if not any(hmac.compare_digest(given, _sign(key, text).encode()) for key in self._keys):
            return False

        made, now = float(text.rpartition(":")[2]), self._now()
        # What was used before this process started is not known: such a link is no good.
        if not max(self._started, now - LINK_SECONDS) <= made <= now or text in self._used:
            return False

        self._used = {one: at for one, at in self._used.items() if at > now - LINK_SECONDS}
        if len(self._used) >= _MOST_USED:
            return False
        self._used[text] = made
        return True


def _sign(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode("utf-8", "replace"), "sha256").hex()
