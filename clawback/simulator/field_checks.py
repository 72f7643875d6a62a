"""Checks of policy fields. Each returns what is wrong, or None. Source: reference §1.6."""

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from uuid import UUID

Check = Callable[[Any], str | None]

MAX_LENGTH = 1024
_MAX_DOMAIN = 253
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?", re.IGNORECASE)
_LOCAL = re.compile(r"[^\s@<>()\[\],;:\\\"]{1,64}")


def text(minimum: int = 0, maximum: int = MAX_LENGTH) -> Check:
    """A string of `minimum` to `maximum` characters."""

    def check(value: object) -> str | None:
        fits = isinstance(value, str) and minimum <= len(value) <= maximum
        return None if fits else f"must be a string of {minimum} to {maximum} characters"

    return check


def nullable(inner: Check) -> Check:
    """Null, or a value that passes the inner check."""
    return lambda value: None if value is None else inner(value)


def boolean(value: object) -> str | None:
    """True or false."""
    return None if isinstance(value, bool) else "must be true or false"


def integer(minimum: int = -(2**31), maximum: int = 2**31 - 1) -> Check:
    """An integer from `minimum` to `maximum`."""

    def check(value: object) -> str | None:
        fits = (
            isinstance(value, int) and not isinstance(value, bool) and minimum <= value <= maximum
        )
        return None if fits else f"must be an integer from {minimum} to {maximum}"

    return check


def one_of(values: Iterable[str]) -> Check:
    """One of a fixed set of strings."""
    allowed = tuple(values)
    return lambda value: None if value in allowed else f"must be one of {', '.join(allowed)}"


def many(inner: Check, minimum: int = 0, maximum: int = MAX_LENGTH) -> Check:
    """An array of `minimum` to `maximum` items, each of which passes the inner check."""

    def check(value: object) -> str | None:
        if not isinstance(value, list) or not minimum <= len(value) <= maximum:
            return f"must be an array of {minimum} to {maximum} items"
        return next(
            (f"has an item that {problem}" for item in value if (problem := inner(item))), None
        )

    return check


def domain(value: object) -> str | None:
    """A domain name of at least two labels, the last one not a number."""
    labels = str(value).split(".")
    fits = (
        isinstance(value, str)
        and len(value) <= _MAX_DOMAIN
        and len(labels) > 1
        and all(map(_LABEL.fullmatch, labels))
    )
    return None if fits and not labels[-1].isdecimal() else "must be a valid domain name"


def address(value: object) -> str | None:
    """An e-mail address with a domain."""
    local, _, host = str(value).rpartition("@")
    fits = isinstance(value, str) and _LOCAL.fullmatch(local) and domain(host) is None
    return None if fits else "must be a valid e-mail address"


def public_ip(value: object) -> str | None:
    """A public IPv4 or IPv6 address or CIDR block, IPv4-mapped addresses included."""
    try:
        network = ipaddress.ip_network(value if isinstance(value, str) else "", strict=False)
    except ValueError:
        return "must be an IP address or a CIDR block"

    first = network.network_address
    mapped = first.ipv4_mapped if isinstance(first, ipaddress.IPv6Address) else None
    bad = not (mapped or network).is_global or first.is_multicast

    return "must not be private, loopback, link-local, unspecified or broadcast" if bad else None


def address_or_network(value: object) -> str | None:
    """An IP address or a CIDR block, of any kind."""
    try:
        ipaddress.ip_network(value if isinstance(value, str) else "", strict=False)
    except ValueError:
        return "must be an IP address or a CIDR block"
    return None


def uuid(value: object) -> str | None:
    """A UUID."""
    try:
        UUID(str(value))
    except ValueError:
        return "must be a UUID"
    return None


def regular_expression(value: object) -> str | None:
    """A regular expression. The API uses Java's dialect; this approximates it by Python's."""
    try:
        re.compile(str(value))
    except re.error:
        return "must be a valid regular expression"
    return None


_PATTERNS: Mapping[str, Check] = {"EMAIL": address, "DOMAIN": domain, "IP": public_ip}


def typed_pattern(record: Mapping[str, Any]) -> str | None:
    """A pattern valid for its `pattern_type`, or a regular expression if `is_regex`."""
    check = (
        regular_expression
        if record.get("is_regex")
        else _PATTERNS.get(str(record.get("pattern_type")), text())
    )
    return check(record.get("pattern"))


def domain_pattern(record: Mapping[str, Any]) -> str | None:
    """A pattern that is a domain, or a regular expression if `is_regex`."""
    return (regular_expression if record.get("is_regex") else domain)(record.get("pattern"))


def email_pattern(record: Mapping[str, Any]) -> str | None:
    """An address in `email`, or a regular expression if `is_email_regex`."""
    return (regular_expression if record.get("is_email_regex") else address)(record.get("email"))


def regular_pattern(record: Mapping[str, Any]) -> str | None:
    """A pattern that is always a regular expression."""
    return regular_expression(record.get("pattern"))
