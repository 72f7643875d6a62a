"""What can be the pattern of a block, by the API's own rules.

Checking it here saves a request that would be refused. Source: reference §1.6 (EMAIL must be a
valid address, DOMAIN a valid domain, IP public; 1 to 1,024 characters).
"""

import re
from collections.abc import Callable, Mapping
from enum import StrEnum

from clawback.model.notations import (
    canonical_address,
    canonical_domain,
    canonical_network,
    parse_network,
)

_DOMAIN = re.compile(
    r"(?=.{4,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]",
    re.IGNORECASE,
)
_LOCAL = re.compile(r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}", re.IGNORECASE)
_LONGEST = 1024
_WIDEST = {4: 16, 6: 32}  # a wider network is a mistake


class PatternKind(StrEnum):
    """What a block matches. Rules use these values, the API the same in upper case."""

    EMAIL = "email"
    DOMAIN = "domain"
    IP = "ip"


def canonical_pattern(pattern: str, kind: PatternKind) -> str:
    """Give a pattern in the one form in which it is written, compared and looked up."""
    return _FORMS[kind](pattern)


_FORMS: Mapping[PatternKind, Callable[[str], str]] = {
    PatternKind.EMAIL: canonical_address,
    PatternKind.DOMAIN: canonical_domain,
    PatternKind.IP: canonical_network,
}


def pattern_problem(pattern: str | None, kind: PatternKind) -> str | None:
    """Why a value cannot be a pattern of that kind, as a word of an outcome; None if it can.

    Any notation will do, such as a domain in another script.
    """
    if not pattern:
        return "no_pattern"
    if len(pattern) > _LONGEST:
        return "pattern_too_long"

    pattern = canonical_pattern(pattern, kind)
    match kind:
        case PatternKind.EMAIL:
            return None if _is_address(pattern) else "not_an_address"
        case PatternKind.DOMAIN:
            return None if _DOMAIN.fullmatch(pattern) else "not_a_domain"
        case PatternKind.IP:
            return _ip_problem(pattern)


def _is_address(pattern: str) -> bool:
    local, _, domain = pattern.rpartition("@")
    return bool(_LOCAL.fullmatch(local)) and bool(_DOMAIN.fullmatch(domain))


def _ip_problem(pattern: str) -> str | None:
    network = parse_network(pattern)
    if network is None:
        return "not_an_ip"

    if network.prefixlen < _WIDEST[network.version]:
        return "network_too_large"

    ends = (network.network_address, network.broadcast_address)
    return (
        None if all(end.is_global and not end.is_multicast for end in ends) else "not_a_public_ip"
    )
