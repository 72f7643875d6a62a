"""Registered domains of hosts, mail addresses and links, by the Public Suffix List.

The list is that of the package publicsuffixlist, which is released with every change of it.
"""

import ipaddress
import re
from functools import cache
from urllib.parse import unquote

from publicsuffixlist import PublicSuffixList

from clawback.model.memo import memoized
from clawback.model.notations import canonical_address, canonical_domain, parse_ip

_LONGEST_HOST = 255
_LONGEST_LINK = 8_192
_WEB_SCHEMES = frozenset({"http", "https", "ftp", "ws", "wss"})
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):(.*)", re.IGNORECASE | re.DOTALL)
_PORT = re.compile(r"[0-9]{1,5}(?:[/\\?#]|$)")
_END_OF_HOST = re.compile(r"[/\\?#]")
_REMOVED = str.maketrans("", "", "\t\r\n")  # as browsers do, anywhere in a link
_IPV4_PART = re.compile(r"0x[0-9a-f]*|[0-9]+")
_IPV4_PARTS = 4


@memoized
def domain_of_address(address: str) -> str | None:
    """Give the registered domain of a mail address; None if the text has no domain."""
    _, at, domain = canonical_address(address).rpartition("@")
    return registered_domain(domain) if at else None


def domain_of_link(href: str) -> str | None:
    """Give the registered domain that a link leads to, or the IP address.

    For `mailto:` that of the address. None for what has no host: telephone numbers, anchors,
    relative links. Read as a browser reads it: backslashes are slashes, and what stands before an
    `@` is no host.
    """
    text = href[:_LONGEST_LINK].strip().translate(_REMOVED)
    found = _SCHEME.fullmatch(text)
    scheme, rest = (found[1].lower(), found[2]) if found else ("", text)
    if scheme == "mailto":
        return domain_of_address(unquote(rest.partition("?")[0]))
    if scheme in _WEB_SCHEMES:
        return _domain_of_authority(rest.lstrip("/\\"))
    if rest[:2].strip("/\\") == "" and len(rest) > 1:
        return _domain_of_authority(rest[2:])

    # Without a scheme it may be a host or a relative link: only a name under a known suffix tells.
    is_host = not scheme or _PORT.match(rest)
    host = _host_of_authority(text) if is_host else ""
    return registered_domain(host) if _is_under_known_suffix(host) else None


def _domain_of_authority(text: str) -> str | None:
    return registered_domain(_host_of_authority(text))


def _host_of_authority(text: str) -> str:
    authority = _END_OF_HOST.split(text, maxsplit=1)[0].rpartition("@")[2]
    if authority.startswith("["):
        return authority.partition("]")[0] + "]"
    return unquote(authority.partition(":")[0])


def registered_domain(host: str) -> str | None:
    """Give the registered domain of a host, in A-labels and lower case.

    An IP address gives itself, also where it is written as one number; a public suffix and a host
    without dots give themselves. None for an empty text.
    """
    # Of a host that is too long for the DNS, the end is what a browser would look for.
    name = canonical_domain(host)[-_LONGEST_HOST:].strip(".")
    return _registered_domain(name) if name else None


@memoized
def _registered_domain(name: str) -> str:
    return _as_address(name) or _suffixes().privatesuffix(name) or name


def _is_under_known_suffix(host: str) -> bool:
    name = canonical_domain(host)
    return bool(name) and _suffixes().privatesuffix(name, accept_unknown=False) is not None


@cache
def _suffixes() -> PublicSuffixList:
    # On demand: reading it takes a tenth of a second, and most rules name no domain.
    return PublicSuffixList()


def _as_address(name: str) -> str | None:
    address = parse_ip(name)
    return _as_ipv4_numbers(name) if address is None else str(address)


def _as_ipv4_numbers(name: str) -> str | None:
    """Read an address as browsers do: one to four numbers, decimal, octal or hexadecimal."""
    parts = name.split(".")
    if len(parts) > _IPV4_PARTS or not all(map(_IPV4_PART.fullmatch, parts)):
        return None
    try:
        *heads, last = [_read_number(part) for part in parts]
        value = sum(head << (8 * (3 - index)) for index, head in enumerate(heads)) + last
        fits = all(head < 1 << 8 for head in heads) and last < 1 << (8 * (4 - len(heads)))
        return str(ipaddress.IPv4Address(value)) if fits else None
    except ValueError:
        return None


def _read_number(part: str) -> int:
    if part.startswith("0x"):
        return int(part[2:] or "0", 16)
    return int(part, 8) if part.startswith("0") else int(part)
