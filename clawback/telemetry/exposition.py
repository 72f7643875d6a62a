"""Renders `/metrics` in the format that a scraper asks for: OpenMetrics has exemplars, text not."""

import re
from collections.abc import Callable, Sequence
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

Scrape = Callable[[], bytes]
"""Returns a page of metrics in the Prometheus text format."""

_EOF: Final = b"# EOF\n"
_COUNTER = re.compile(rb"^# (HELP|TYPE) (\S+)_total ", re.MULTILINE)
"""The text format names a counter as its samples, OpenMetrics without `_total`."""


def render_page(
    registry: CollectorRegistry, scrapes: Sequence[Scrape], accept: str
) -> tuple[str, bytes]:
    """Return content type and body: the registry, then every further page.

    A page that cannot be read is left out; in the text format, a comment says so.
    """
    encode, content_type = choose_encoder(accept)
    own = encode(registry)
    if not content_type.startswith("application/openmetrics-text"):
        return content_type, own + b"".join(map(_read_page, scrapes))

    others = b"".join(map(_as_openmetrics, map(_read_page, scrapes)))
    return content_type, own.removesuffix(_EOF) + others + _EOF


def _as_openmetrics(page: bytes) -> bytes:
    return b"" if page.startswith(b"# page unavailable") else _COUNTER.sub(rb"# \1 \2 ", page)


def _read_page(scrape: Scrape) -> bytes:
    try:
        return scrape()
    except OSError as error:
        return f"# page unavailable: {type(error).__name__}\n".encode()
