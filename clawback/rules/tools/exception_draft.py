"""Drafts an exception to a rule: a Sigma filter for one sender, to be completed by its owner."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from clawback.model.events import SOURCES, EventKind
from clawback.rules.tools.scaffold import escape_wildcards, quoted

LASTS: Final = timedelta(days=90)
_LONGEST_NAME: Final = 60


@dataclass(frozen=True, slots=True)
class ExceptionDraft:
    """What an exception is made from: the rule, and a message that it should not have matched.

    `passes_dmarc` says that nobody else could send with this address.
    """

    rule: str
    kind: EventKind
    sender: str
    passes_dmarc: bool
    today: date

    @property
    def path(self) -> str:
        """Where the file belongs in a folder of rules."""
        return f"exceptions/{self.name}.yml"

    @property
    def name(self) -> str:
        """A name that says which rule and whom it is about."""
        words = re.sub(r"[^a-z0-9]+", "_", f"{self.rule} {self.sender}".casefold())
        return words.strip("_")[:_LONGEST_NAME].rstrip("_")

    def render(self) -> str:
        """Write the file; it loads as it is."""
        prefix = SOURCES[self.kind].message_prefix
        fields = [f"{prefix}from: {quoted(escape_wildcards(self.sender))}"]
        if self.passes_dmarc:
            fields.append(f"{prefix}validation.dmarc: pass")
        warning = [] if self.passes_dmarc else [_WARNING]
        return "\n".join(
            (
                f"title: {quoted(f'Mail from {self.sender} is wanted'[:200])}",
                f"name: {self.name}",
                "description: Say why, and who has checked it.",
                "owner: you@example.com",
                f"expires: {self.today + LASTS}",
                "logsource:",
                f"  {{product: cloudflare, service: email_security, category: {self.kind}}}",
                "filter:",
                f"  rules: [{self.rule}]",
                *warning,
                "  wanted:",
                *(f"    {line}" for line in fields),
                "  condition: not wanted",
                "",
            )
        )


_WARNING: Final = (
    "  # This mail did not pass DMARC: anybody can send with the same address. Add something that\n"
    "  # cannot be forged, such as `smtp_previous_hop_ip|cidr: 192.0.2.0/28`."
)
