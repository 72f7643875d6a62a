"""The model of `safety.yml`: limits that hold for every rule.

Ingest applies delivery modes and age, plans the never-block list, the guard the budgets.
"""

import re
from collections.abc import Callable, Collection
from datetime import timedelta
from fnmatch import fnmatchcase
from ipaddress import ip_network
from typing import Annotated, Literal

import re2
from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, model_validator

from clawback import guard
from clawback.actions import Action, BudgetKind
from clawback.cases import Limit
from clawback.cases.undo_judgement import UndoLimits
from clawback.model.addresses import PatternKind, canonical_pattern, pattern_problem
from clawback.model.durations import Written, WrittenDuration
from clawback.model.level import Level
from clawback.model.mailboxes import canonical_mailbox
from clawback.model.mode import Mode
from clawback.model.notations import (
    canonical_domain,
    parse_network,
    share_an_address,
    unicode_domain,
)
from clawback.model.plain_errors import spelling
from clawback.rules.source.documents import LimitDocument, Limits, Strict
from clawback.rules.source.field_catalogue import DELIVERY_MODES

_DEFAULTS = (
    {"messages": 1000, "per": "1h"},
    {"messages": 5000, "per": "1d"},
    {"blocks": 20, "per": "1h"},
    {"reclassifications": 200, "per": "1h"},
    {"policies": 5, "per": "1h"},
    {"held_messages": 2000, "per": "1h"},
    {"held_messages": 5000, "per": "1d"},
)
"""The default budgets."""
_HELD = BudgetKind.HELD_MESSAGES
_WHOLE = 100
_SAMPLE_LOCAL_PART = "somebody"
_IGNORING_CASE = re2.Options()
_IGNORING_CASE.case_sensitive = False
_IGNORING_CASE.log_errors = False


_PATTERN_PROBLEMS = {
    "no_pattern": "must not be empty",
    "pattern_too_long": "is too long",
    "not_an_address": "must be an address such as news@example.com",
    "not_a_domain": "must be a domain such as example.com",
    "not_an_ip": "must be an IP address or network such as 192.0.2.0/24",
    "network_too_large": "is a larger network than can be blocked: list smaller ones",
}


def _check_pattern(kind: PatternKind) -> Callable[[str], str]:
    def check(text: str) -> str:
        # A private network may be listed, although no rule could block it.
        if (problem := pattern_problem(text, kind)) is not None and problem != "not_a_public_ip":
            raise ValueError(_PATTERN_PROBLEMS[problem])
        return canonical_pattern(text, kind)

    return check


def _delivery_mode(text: str) -> str:
    # The API may add one tomorrow; `rules check` warns of what is unknown today.
    if not re.fullmatch(r"[A-Z][A-Z0-9_-]{0,63}", text):
        raise ValueError(f"is no delivery mode; those known are {', '.join(DELIVERY_MODES)}")
    return text


class NeverBlock(Strict):
    """The never-block list.

    `addresses` are never blocked. `domains` are never blocked as a whole, but addresses in them may
    be (free mail, large senders). `suffixes` are never blocked, nor their subdomains and addresses
    (your own domains). No address in `networks` is ever blocked.
    """

    addresses: tuple[Annotated[str, AfterValidator(_check_pattern(PatternKind.EMAIL))], ...] = ()
    domains: tuple[Annotated[str, AfterValidator(_check_pattern(PatternKind.DOMAIN))], ...] = ()
    suffixes: tuple[Annotated[str, AfterValidator(_check_pattern(PatternKind.DOMAIN))], ...] = ()
    networks: tuple[Annotated[str, AfterValidator(_check_pattern(PatternKind.IP))], ...] = ()

    def covers(self, domain: str) -> bool:
        """Whether a domain is one of the suffixes or below one."""
        return any(_within(domain, suffix) for suffix in self.suffixes)


def _read_percent(value: object) -> object:
    if not isinstance(value, str) or not value.removesuffix("%").isdecimal():
        raise ValueError("write a whole number of percent, such as 20%")
    return int(value.removesuffix("%"))


Percent = Annotated[
    int,
    BeforeValidator(
        _read_percent,
        json_schema_input_type=Annotated[str, Field(pattern=r"^[0-9]{1,2}%$", examples=["20%"])],
    ),
    Field(ge=0, lt=100),
    PlainSerializer("{}%".format),
]


class ReservedDocument(Strict):
    """Part of each budget of all rules together that is kept for some mail.

    What is kept for a level may be used by rules of that level and above, `protected` by mail to
    the people of `lists/protected_people.yml`.
    """

    critical: Percent = 20
    high: Percent = 20
    medium: Percent = 0
    low: Percent = 0
    protected: Percent = 5

    @model_validator(mode="after")
    def _leave_something(self) -> "ReservedDocument":
        if sum(getattr(self, name) for name in type(self).model_fields) >= _WHOLE:
            raise ValueError("keep less than 100% in all, or nothing is left for the other mail")
        return self

    @property
    def shares(self) -> guard.Shares:
        """The shares as the guard takes them."""
        levels = {level: getattr(self, level, 0) for level in Level}
        kept = {level: percent for level, percent in levels.items() if percent}
        return guard.Shares(levels=kept, protected=self.protected)


class SurgeDocument(Strict):
    """A surge: more than `least` messages in an hour, and `factor` times the hourly average."""

    least: int = Field(default=500, gt=0)
    factor: float = Field(default=10.0, gt=1)


class Budgets(Strict):
    """Budgets of all rules together, of a rule without limits of its own, and of one case.

    `reserved` is what is kept of the first for critical rules and the like. `surge` holds the cases
    of a rule, or of a Cloudflare verdict, that suddenly matches far more than usual; `off` disables
    it.
    """

    overall: Limits = tuple(LimitDocument.model_validate(one) for one in _DEFAULTS)
    reserved: ReservedDocument = ReservedDocument()
    rule: Limits = ()
    campaign: int | None = Field(default=1000, gt=0)
    surge: SurgeDocument | Literal["off"] = SurgeDocument()

    @property
    def budgets(self) -> guard.Budgets:
        """The budgets as the guard takes them."""
        surge = (
            None
            if self.surge == "off"
            else guard.Surge(least=self.surge.least, factor=self.surge.factor)
        )
        return guard.Budgets(
            overall=self._overall,
            shares=self.reserved.shares,
            rule=tuple(limit.limit for limit in self.rule),
            campaign=self.campaign,
            surge=surge,
        )

    @property
    def _overall(self) -> tuple[Limit, ...]:
        """The budgets of all rules; without one of its own, what held cases move has a default.

        Nobody is asked about it, so it is never unlimited.
        """
        limits = tuple(limit.limit for limit in self.overall)
        if any(limit.kind is _HELD for limit in limits):
            return limits
        defaults = (LimitDocument.model_validate(one).limit for one in _DEFAULTS)
        return limits + tuple(limit for limit in defaults if limit.kind is _HELD)


class UndoDocument(Strict):
    """What one person may undo alone within a time: so much, and nothing that is malicious."""

    changes: int = Field(default=100, gt=0)
    cases: int = Field(default=20, gt=0)
    per: Annotated[timedelta, Written(longest=timedelta(days=7))] = timedelta(hours=1)


RulePattern = Annotated[
    str,
    spelling(r"^[a-z0-9_*?]{1,64}$", "the name of a rule, or a pattern of names such as junk_*"),
]
"""The name of a rule, or a pattern of names with `*` and `?`."""
_ALL: tuple[RulePattern, ...] = ("*",)


class Allow(Strict):
    """Which rules may do what. By default each may have any status.

    A rule with status `stable` that is not listed there asks people first, and one that may not
    even have status `test` only records. `hard_delete` narrows the switch of that name.
    """

    stable: tuple[RulePattern, ...] = _ALL
    test: tuple[RulePattern, ...] = _ALL
    hard_delete: tuple[RulePattern, ...] = _ALL

    def ceiling_of(self, rule: str) -> Mode:
        """The strongest mode that a rule may have."""
        if _matches(rule, self.stable):
            return Mode.ENFORCE
        return Mode.APPROVE if _matches(rule, self.test) else Mode.SHADOW


class Safety(Strict):
    """The whole of `safety.yml`."""

    never_block: NeverBlock = Field(default_factory=NeverBlock)
    ignored_delivery_modes: Annotated[
        frozenset[Annotated[str, AfterValidator(_delivery_mode)]], PlainSerializer(sorted)
    ] = frozenset()
    maximum_age: WrittenDuration | None = timedelta(hours=72)
    budgets: Budgets = Field(default_factory=Budgets)
    undo: UndoDocument | Literal["off"] = UndoDocument()
    hard_delete: bool = False
    allow: Allow = Field(default_factory=Allow)
    unverified_approvals: Literal["allowed", "refused"] = "refused"

    @property
    def undo_limits(self) -> UndoLimits | None:
        """What one person may undo alone; None if that is everything."""
        if self.undo == "off":
            return None
        return UndoLimits(**self.undo.model_dump())

    def ceiling_of(self, rule: str) -> Mode:
        """The strongest mode that a rule may have."""
        return self.allow.ceiling_of(rule)

    def permits_hard_delete(self, rule: str) -> bool:
        """Whether a rule may move to a folder from which only an administrator can restore."""
        return self.hard_delete and _matches(rule, self.allow.hard_delete)

    @property
    def allows_unverified(self) -> bool:
        """Whether people that nobody vouches for may approve what needs two people."""
        return self.unverified_approvals == "allowed"

    def forbids(self, pattern: str, kind: PatternKind) -> bool:
        """Whether blocking a pattern would block anything on the never-block list.

        Any notation will do. That includes a domain with a listed address or subdomain, and
        another name of a listed mailbox.
        """
        wanted = canonical_pattern(pattern, kind)
        listed = self.never_block
        match kind:
            case PatternKind.EMAIL:
                return any(map(self._protects, {wanted, canonical_mailbox(wanted)}))
            case PatternKind.DOMAIN:
                return listed.covers(wanted) or any(_within(one, wanted) for one in self._names())
            case PatternKind.IP:
                return any(_overlaps(pattern, network) for network in listed.networks)

    def _protects(self, address: str) -> bool:
        listed = self.never_block
        return (
            address in listed.addresses
            or address in {canonical_mailbox(one) for one in listed.addresses}
            or listed.covers(address.rpartition("@")[2])
        )

    def refuses(self, action: Action) -> str | None:
        """Give the code of the refusal of an action; None if it is allowed.

        Patterns on the never-block list may not be allowed by a rule either: own domains are
        spoofed, and anybody can send from free mail.
        """
        protected = action.protected_pattern
        return action.refusal if protected is not None and self.forbids(*protected) else None

    def forbids_expression(self, expression: str) -> bool:
        """Whether blocking a regular expression would block anything on the list.

        An expression that RE2 rejects (the API takes Java's syntax) cannot be judged and is
        forbidden.
        """
        try:
            finds = re2.compile(expression, _IGNORING_CASE).search
        except re2.error:
            return True

        listed = self.never_block
        canonical = (*listed.domains, *listed.suffixes)
        names = dict.fromkeys((*canonical, *map(unicode_domain, canonical)))
        networks = (
            str(ip_network(network, strict=False).network_address) for network in listed.networks
        )

        return any(
            finds(text)
            for text in (
                *listed.addresses,
                *names,
                *(f"{_SAMPLE_LOCAL_PART}@{name}" for name in names),
                *networks,
            )
        )

    def with_own_domains(self, domains: Collection[str]) -> "Safety":
        """Give the same with these domains added to the suffixes of the never-block list."""
        listed = self.never_block.model_copy(
            update={"suffixes": tuple(sorted(self._suffixes_with(domains)))}
        )
        return self.model_copy(update={"never_block": listed})

    def _suffixes_with(self, domains: Collection[str]) -> set[str]:
        return {*self.never_block.suffixes, *map(canonical_domain, domains)}

    def _names(self) -> tuple[str, ...]:
        listed = self.never_block
        return (
            *listed.domains,
            *listed.suffixes,
            *(address.rpartition("@")[2] for address in listed.addresses),
        )


def _matches(rule: str, patterns: Collection[str]) -> bool:
    return any(fnmatchcase(rule, pattern) for pattern in patterns)


def _within(name: str, domain: str) -> bool:
    return name == domain or name.endswith(f".{domain}")


def _overlaps(pattern: str, listed: str) -> bool:
    one, other = parse_network(pattern), parse_network(listed)
    return one is not None and other is not None and share_an_address(one, other)
