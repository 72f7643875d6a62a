"""The algorithm of publicsuffix.org, as simple as it can be: the oracle for registered domains."""

from functools import cache
from importlib.resources import files


@cache
def _rules() -> frozenset[str]:
    text = (files("publicsuffixlist") / "public_suffix_list.dat").read_text(encoding="utf-8")
    return frozenset(
        line.split()[0] for line in text.splitlines() if line.strip() and not line.startswith("//")
    )


def registered(host: str) -> str:
    """The registered domain of a host in ASCII; the host itself if it is a suffix."""
    labels = host.split(".")
    for start in range(len(labels)):
        rest = labels[start:]
        if f"!{'.'.join(rest)}" in _rules():
            return ".".join(rest)
        if ".".join(rest) in _rules() or ".".join(["*", *rest[1:]]) in _rules():
            return ".".join(labels[max(start - 1, 0) :])
    return ".".join(labels[-2:])
