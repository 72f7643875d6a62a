"""`safety.yml`: what no rule may do, whatever it says.

Read here; heeded by ingest (delivery modes, age), plans and the guard.
"""

from collections.abc import Callable, Collection
from datetime import timedelta
from ipaddress import ip_network
from typing import Annotated, Any, Literal

import re2
from pydantic import AfterValidator, Field, PlainSerializer

from clawback import guard
from clawback.actions import Action
from clawback.model.addresses import PatternKind, pattern_problem
from clawback.rules.source.catalogue import DELIVERY_MODES
from clawback.rules.source.documents import LimitDocument, Limits, Span, Strict

_DEFAULTS = (
    {"messages": 1000, "per": "1h"},
    {"messages": 5000, "per": "1d"},
    {"blocks": 20, "per": "1h"},
    {"reclassifications": 200, "per": "1h"},
    {"policies": 5, "per": "1h"},
)
"""The budgets that hold where `safety.yml` sets none."""


_SOMEBODY = "somebody"
_IGNORING_CASE = re2.Options()
_IGNORING_CASE.case_sensitive = False
_IGNORING_CASE.log_errors = False


def _trimmed(text: str) -> str:
    return text.strip().lower()


def _must_be(kind: PatternKind) -> Callable[[str], str]:
    def check(text: str) -> str:
        if (problem := pattern_problem(text, kind)) is not None and problem != "not_a_public_ip":
            raise ValueError(f"{text!r}: {problem}")
        return _trimmed(text)

    return check


def _delivery_mode(text: str) -> str:
    if text not in DELIVERY_MODES:
        raise ValueError(
            f"there is no delivery mode {text!r}; use one of {', '.join(DELIVERY_MODES)}"
        )
    return text


class NeverBlock(Strict):
    """Who is never blocked.

    `addresses`: these addresses. `domains`: not as a domain, though single addresses in them may be
    blocked (free mail, large senders). `suffixes`: the domain, all below it, and every address in
    it (your own). `networks`: no address in them.
    """

    addresses: tuple[Annotated[str, AfterValidator(_must_be(PatternKind.EMAIL))], ...] = ()
    domains: tuple[Annotated[str, AfterValidator(_must_be(PatternKind.DOMAIN))], ...] = ()
    suffixes: tuple[Annotated[str, AfterValidator(_must_be(PatternKind.DOMAIN))], ...] = ()
    networks: tuple[Annotated[str, AfterValidator(_must_be(PatternKind.IP))], ...] = ()

    def owns(self, domain: str) -> bool:
        """Whether a domain is one of the suffixes or below one."""
        return any(_within(domain, suffix) for suffix in self.suffixes)


class SurgeDocument(Strict):
    """When more than usual is too much.

    In an hour more than `least` messages and more than `factor` times the trailing hourly average.
    """

    least: int = Field(default=500, gt=0)
    factor: float = Field(default=10.0, gt=1)


class Budgets(Strict):
    """What may be spent in sliding windows.

    By all rules together, by a rule that has no limits of its own, and by one case.

    `surge` holds a rule, or a verdict of Cloudflare's, that suddenly hits far more than it used to;
    `off` watches for none.
    """

    overall: Limits = tuple(LimitDocument.model_validate(one) for one in _DEFAULTS)
    rule: Limits = ()
    campaign: int | None = Field(default=1000, gt=0)
    surge: SurgeDocument | Literal["off"] = SurgeDocument()

    @property
    def budgets(self) -> guard.Budgets:
        """The same as the guard is told them."""
        surge = (
            None
            if self.surge == "off"
            else guard.Surge(least=self.surge.least, factor=self.surge.factor)
        )
        return guard.Budgets(
            overall=tuple(limit.limit for limit in self.overall),
            rule=tuple(limit.limit for limit in self.rule),
            campaign=self.campaign,
            surge=surge,
        )


class Safety(Strict):
    """The whole of `safety.yml`."""

    never_block: NeverBlock = Field(default_factory=NeverBlock)
    ignored_delivery_modes: Annotated[
        frozenset[Annotated[str, AfterValidator(_delivery_mode)]], PlainSerializer(sorted)
    ] = frozenset()
    maximum_age: Span | None = Field(default=timedelta(hours=72), gt=timedelta())
    budgets: Budgets = Field(default_factory=Budgets)
    hard_delete: bool = False

    def forbids(self, pattern: str, kind: PatternKind) -> bool:
        """Whether blocking a pattern would block somebody on the never-block list.

        A domain is also refused if an address or a domain below it is listed: blocking it would
        block them.
        """
        wanted = _trimmed(pattern)
        listed = self.never_block
        match kind:
            case PatternKind.EMAIL:
                return wanted in listed.addresses or listed.owns(wanted.rpartition("@")[2])
            case PatternKind.DOMAIN:
                return listed.owns(wanted) or any(_within(one, wanted) for one in self._names())
            case PatternKind.IP:
                return any(_overlaps(wanted, network) for network in listed.networks)

    def refuses(self, action: Action) -> str | None:
        """Say in a few fixed words why no rule may do that; None where one may.

        Who must never be blocked must not be let off by a rule either: the account's own domains
        above all, which others pretend to be, and domains of free mail, which are anybody's.
        """
        protected = action.protected_pattern
        return action.refusal if protected is not None and self.forbids(*protected) else None

    def forbids_expression(self, expression: str) -> bool:
        """Whether blocking a regular expression would block somebody on the list, a plain address in a listed domain included.

        An expression that RE2 does not take (the API's are Java's) cannot be judged, and is
        forbidden.
        """
        try:
            finds = re2.compile(expression, _IGNORING_CASE).search
        except re2.error:
            return True
        listed = self.never_block
        names = (*listed.domains, *listed.suffixes)
        networks = (
            str(ip_network(network, strict=False).network_address) for network in listed.networks
        )
        return any(
            finds(text)
            for text in (
                *listed.addresses,
                *names,
                *(f"{_SOMEBODY}@{name}" for name in names),
                *networks,
            )
        )

    def owning(self, domains: Collection[str]) -> "Safety":
        """The same, with these domains as suffixes too.

        They, all below them and every address in them are never blocked.
        """
        listed = self.never_block.model_copy(
            update={"suffixes": tuple(sorted({*self.never_block.suffixes, *domains}))}
        )
        return self.model_copy(update={"never_block": listed})

    def _names(self) -> tuple[str, ...]:
        listed = self.never_block
        return (
            *listed.domains,
            *listed.suffixes,
            *(address.rpartition("@")[2] for address in listed.addresses),
        )


def _within(name: str, domain: str) -> bool:
    return name == domain or name.endswith(f".{domain}")


def _overlaps(pattern: str, listed: str) -> bool:
    try:
        first: Any = ip_network(pattern, strict=False)
        second: Any = ip_network(listed, strict=False)
    except ValueError:
        return False
    return first.version == second.version and bool(first.overlaps(second))
