"""The mark on every entry of ours: which case made it, when it ends, and what it was then.

`clawback case/<rule>/<group> expires <time> case-run:<run> by:<installation>/<seal>`, in the
comments; after the end, `extended <time>` says until when people have extended it. The seal is a
hash over the rest of the mark and the fields of the entry: it shows that somebody edited one of
them. It is no secret; whoever can write comments can also delete entries.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from clawback.model.claims import NEVER, Claim, Claims
from clawback.model.policies import Resource, normalised_fields
from clawback.model.times import parse_time

SEALED_FIELDS: Final[Mapping[Resource, tuple[str, ...]]] = {
    Resource.ALLOW_POLICIES: (
        "pattern",
        "pattern_type",
        "is_regex",
        "is_exempt_recipient",
        "is_trusted_sender",
        "is_acceptable_sender",
        "verify_sender",
    ),
    Resource.BLOCK_SENDERS: ("pattern", "pattern_type", "is_regex"),
    Resource.IMPERSONATION_REGISTRY: ("name", "email", "is_email_regex"),
    Resource.TRUSTED_DOMAINS: ("pattern", "is_regex", "is_recent", "is_similarity"),
}
"""The fields that clawback writes to each list: those of its actions."""

EXTENDED: Final = "person:extended"
"""The owner of the claim of an extension. Who made it is not in the comments."""
MAX_COMMENTS: Final = 1024
"""Characters that the API takes (reference §1.6)."""

_SEAL_DIGITS = 12
_MARK = re.compile(
    r"(?P<body>clawback (?P<case>case/(?P<rule>[^/\s]+)/\S+)"
    r"(?: expires (?P<end>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ))?"
    r"(?: extended (?P<extended>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ))?"
    r" (?P<owner>case-run:[\w-]{1,64}))"
    r" by:(?P<installation>[A-Za-z0-9_-]{1,100})/(?P<seal>[0-9a-f]{12})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class PolicyMark:
    """What the mark of an entry says. `is_intact`: neither it nor the fields were edited since.

    `extended_to` is until when people want it to stand beyond the end of its case.
    """

    case: str
    rule: str
    owner: str
    installation: str
    expires_at: datetime | None
    is_intact: bool
    extended_to: datetime | None = None

    @property
    def claims(self) -> Claims:
        """What the case that made it and whoever extended it want."""
        end = NEVER if self.expires_at is None else self.expires_at
        made = Claim(owner=self.owner, expires_at=end, rule=self.rule, case=self.case)
        claims = Claims(kept=(made,))
        if self.extended_to is None:
            return claims
        return claims.plus(Claim(owner=EXTENDED, expires_at=self.extended_to, by="an extension"))


def seal_comments(
    comments: str, resource: Resource, fields: Mapping[str, str | bool], installation: str
) -> str:
    """Add installation and seal to the comments of a new entry."""
    sealed = f"{comments} by:{installation}/{_seal(comments, resource, fields)}"
    return sealed if len(sealed) <= MAX_COMMENTS else comments


def read_mark(resource: Resource, record: object) -> PolicyMark | None:
    """Read the mark of an entry of a list; None if it has none."""
    found = _MARK.search(getattr(record, "comments", None) or "")
    if found is None:
        return None

    seal = _seal(found["body"], resource, fields_of(resource, record))
    expires_at, extended_to = parse_time(found["end"]), parse_time(found["extended"])
    return PolicyMark(
        case=found["case"],
        rule=found["rule"],
        owner=found["owner"],
        installation=found["installation"],
        expires_at=expires_at,
        # A time that does not exist was not written by us.
        is_intact=seal == found["seal"]
        and (expires_at is not None or found["end"] is None)
        and (extended_to is not None or found["extended"] is None),
        extended_to=extended_to,
    )


def extend_mark(resource: Resource, record: object, until: datetime) -> str | None:
    """Write into the comments of an entry until when it is extended; keep what others wrote.

    None where that has no place: the entry has no mark, somebody has edited it, the mark says so
    already, or the comments would be too long.
    """
    mark, comments = read_mark(resource, record), getattr(record, "comments", None) or ""
    found = _MARK.search(comments)
    if mark is None or found is None or not mark.is_intact:
        return None
    if mark.extended_to is not None and mark.extended_to >= until:
        return None

    end = f" expires {found['end']}" if found["end"] else ""
    body = f"clawback {mark.case}{end} extended {until:%FT%TZ} {mark.owner}"
    sealed = seal_comments(body, resource, fields_of(resource, record), mark.installation)
    extended = comments[: found.start()] + sealed + comments[found.end() :]
    return extended if sealed != body and len(extended) <= MAX_COMMENTS else None


def fields_of(resource: Resource, record: object) -> dict[str, str | bool]:
    """Return the fields of an entry that clawback writes; the API leaves out what is false."""
    return {name: getattr(record, name, None) or False for name in SEALED_FIELDS[resource]}


def _seal(body: str, resource: Resource, fields: Mapping[str, str | bool]) -> str:
    every = {name: fields.get(name, False) for name in SEALED_FIELDS[resource]}
    text = json.dumps([body, resource, sorted(normalised_fields(every))])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_SEAL_DIGITS]
