"""The mailboxes of `lists/protected_people.yml`: mail to them has a reserve in the budgets."""

import re
from collections.abc import Iterable
from dataclasses import replace
from fnmatch import translate

from clawback.model.messages import Target
from clawback.model.notations import canonical_address

PROTECTED_PEOPLE = "protected_people"
"""The name of the list."""


class ProtectedPeople:
    """The patterns of the list; `*` and `?` are wildcards, and any notation will do."""

    def __init__(self, patterns: Iterable[str]) -> None:
        known = [canonical_address(pattern) for pattern in patterns]
        self._exact = {one for one in known if not set("*?") & set(one)}
        wild = [translate(one.replace("[", "[[]")) for one in known if one not in self._exact]
        self._wild = re.compile("|".join(wild)) if wild else None

    def covers(self, mailbox: str | None) -> bool:
        """Whether a mailbox is on the list."""
        if not mailbox:
            return False
        name = canonical_address(mailbox)
        return name in self._exact or (self._wild is not None and bool(self._wild.match(name)))

    def mark(self, targets: tuple[Target, ...]) -> tuple[Target, ...]:
        """Mark the messages that went to these mailboxes."""
        if not any(self.covers(target.mailbox) for target in targets):
            return targets
        return tuple(
            replace(target, protected=True) if self.covers(target.mailbox) else target
            for target in targets
        )
