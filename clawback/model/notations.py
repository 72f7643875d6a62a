"""One canonical form for everything that can be written in several notations.

Domains become A-labels in lower case without a trailing dot, by UTS 46. Addresses also lose angle
brackets and needless quotes, and are in lower case. IP addresses lose brackets, port and zone; an
IPv4 address inside an IPv6 one (mapped, 6to4, NAT64) becomes that IPv4 address.

No function raises. What is no domain, address or IP keeps its text, trimmed and in lower case.
"""

import re
import unicodedata
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import idna

from clawback.model.memo import memoized

IPNetwork = IPv4Network | IPv6Network

LONGEST = 1024
"""Characters: a longer text is no address. Punycode takes quadratic time."""
A_LABEL = "xn--"
"""The prefix of a label in ASCII that stands for one in another script."""

_PLAIN_ADDRESS = re.compile(r"[A-Za-z0-9._%+=/-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")
_BYTE = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_PLAIN_IPV4 = re.compile(rf"{_BYTE}(?:\.{_BYTE}){{3}}")
# Of the two above, nearly all that mail holds, only the case can differ from the canonical form.
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_NEEDS_NO_QUOTES = re.compile(r"[^\s\"(),:;<>@\[\\\].]+(?:\.[^\s\"(),:;<>@\[\\\].]+)*")
_WITH_PORT = re.compile(r"\[([^\[\]]*)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}")
_LITERAL = re.compile(r"ipv6:", re.IGNORECASE)

_EMBEDDING = (
    (IPv6Network("::ffff:0:0/96"), 0),
    (IPv6Network("64:ff9b::/96"), 0),
    (IPv6Network("2002::/16"), 80),
)
"""Networks with an IPv4 address in their addresses, and how many bits are to the right of it."""
_LEAST_PREFIX = 8
"""A wider network of a transition mechanism is meant as such, not as part of IPv4."""
_IPV4 = 4
_IPV4_BITS = 32


# ---- domains


@memoized
def canonical_domain(text: str) -> str:
    """Give a domain as A-labels in lower case, without a trailing dot."""
    if text.isascii() or len(text) > LONGEST:
        return _trimmed(text)

    try:
        mapped = idna.uts46_remap(text.strip(), std3_rules=False)
    except idna.IDNAError:
        return _trimmed(text)
    return _trimmed(".".join(_as_ascii(label) for label in mapped.split(".")))


def _as_ascii(label: str) -> str:
    # Not IDNA's own encoder: it refuses names that exist, such as emoji.
    return label if label.isascii() else A_LABEL + label.encode("punycode").decode("ascii")


def _trimmed(text: str) -> str:
    name = text.strip().lower()
    while name.endswith("."):
        name = name.rstrip(".").rstrip()
    return name


def unicode_domain(text: str) -> str:
    """Give the A-labels of a domain or an address as people see them; the rest stays."""
    if A_LABEL not in text.lower():
        return text
    return _A_LABELS.sub(lambda found: _as_unicode(found[0]), text)


_A_LABELS = re.compile(r"(?<![a-z0-9-])xn--[a-z0-9-]{1,59}(?![a-z0-9@-])", re.IGNORECASE)


@memoized
def _as_unicode(label: str) -> str:
    with suppress(UnicodeError):
        decoded = label[len(A_LABEL) :].lower().encode("ascii").decode("punycode")
        # A label that UTS 46 writes in another way is a forgery of the one people would see.
        if canonical_domain(decoded) == label.lower():
            return decoded
    return label


def shown(text: str) -> str:
    """Give a canonical name, and in brackets what people see where that is something else."""
    seen = unicode_domain(text)
    return text if seen == text else f"{text} ({seen})"


# ---- e-mail addresses


@memoized
def canonical_address(text: str) -> str:
    """Give an e-mail address in lower case with a canonical domain; without `@`, a domain."""
    if _PLAIN_ADDRESS.fullmatch(text):
        return text.lower()
    if len(text) > LONGEST:
        return _trimmed(text)

    # Once is enough, except for hostile nesting: what brackets hold may be in brackets again.
    while (simpler := _simplify_address(text)) != text:
        text = simpler
    return text


def _simplify_address(text: str) -> str:
    plain = text.strip()
    if plain.startswith("<") and plain.endswith(">"):
        plain = plain[1:-1].strip()

    local, at, domain = plain.rpartition("@")
    if not at:
        return canonical_domain(plain)
    return f"{_canonical_local_part(local)}@{canonical_domain(domain)}"


def _canonical_local_part(text: str) -> str:
    local = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).strip().lower())
    quoted = _QUOTED.fullmatch(local)
    if quoted is None:
        return local
    inner = re.sub(r"\\(.)", r"\1", quoted[1], flags=re.DOTALL)
    return inner if _NEEDS_NO_QUOTES.fullmatch(inner) else local


# ---- IP addresses


@memoized
def canonical_ip(text: str) -> str:
    """Give an IP address in its shortest form, as IPv4 where it stands for an IPv4 address."""
    if _PLAIN_IPV4.fullmatch(text):
        return text
    address = parse_ip(text)
    return text.strip().lower() if address is None else str(address)


def parse_ip(text: str) -> IPv4Address | IPv6Address | None:
    """Read an IP address in any notation; None if it is none."""
    return None if len(text) > LONGEST else _parse_ip(text)


@memoized
def _parse_ip(text: str) -> IPv4Address | IPv6Address | None:
    plain = text.strip()
    if (found := _WITH_PORT.fullmatch(plain)) is not None:
        plain = found[1] if found[1] is not None else found[2]
    plain = _LITERAL.sub("", plain.strip(), count=1).partition("%")[0]

    try:
        address = ip_address(plain)
    except ValueError:
        return None
    embedded = _embedded(ip_network(address))
    return address if embedded is None else embedded.network_address


def canonical_network(text: str) -> str:
    """Give an IP address or network in its shortest form; host bits are dropped."""
    network = parse_network(text)
    if network is None:
        return text.strip().lower()
    return str(network if "/" in text else network.network_address)


def parse_network(text: str) -> IPNetwork | None:
    """Read a network, or an address as the network of that one address; None if it is neither."""
    if len(text) > LONGEST:
        return None
    if "/" not in text:
        address = parse_ip(text)
        return None if address is None else ip_network(address)

    try:
        network = ip_network(text.strip(), strict=False)
    except ValueError:
        return None
    return _embedded(network) or network


def _embedded(network: IPNetwork) -> IPv4Network | None:
    """Give the IPv4 network inside an IPv6 network."""
    if not isinstance(network, IPv6Network):
        return None

    for outer, right in _EMBEDDING:
        if not network.subnet_of(outer):
            continue
        prefix = min(network.prefixlen - (96 - right), _IPV4_BITS)
        if prefix < _LEAST_PREFIX and right:
            return None
        number = int(network.network_address) >> right & 0xFFFF_FFFF
        return IPv4Network((number, prefix))

    return None


def share_an_address(one: IPNetwork, other: IPNetwork) -> bool:
    """Whether two networks have an address in common, also an IPv4 one inside an IPv6 one."""
    if one.version == other.version:
        return one.overlaps(other)
    inner, outer = (one, other) if one.version == _IPV4 else (other, one)
    return any(_embed(inner, *place).overlaps(outer) for place in _EMBEDDING)


def _embed(network: IPNetwork, outer: IPv6Network, right: int) -> IPv6Network:
    """Give the part of a transition mechanism that stands for an IPv4 network."""
    number = int(outer.network_address) | int(network.network_address) << right
    return IPv6Network((number, outer.prefixlen + network.prefixlen))
