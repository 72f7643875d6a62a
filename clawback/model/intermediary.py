"""Who answered instead of the API."""

from enum import StrEnum


class Intermediary(StrEnum):
    """The kinds of intermediaries; the values are labels of a metric."""

    CHALLENGE = "challenge"
    """Cloudflare's edge asks for a browser, or blocks the address of this machine."""
    PROXY = "proxy"
    """A proxy on the way out, which says so."""
    REDIRECT = "redirect"
    """A sign-in page elsewhere: a captive portal or a gateway."""
    OTHER = "other"
    """A page of a web server or filter that does not name itself."""
