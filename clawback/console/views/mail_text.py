"""The one way by which text from mail reaches a page: visible, bounded, defanged.

A template puts the result into `<bdi class="mail">`. That alone is not enough: U+2069 ends the
isolation (whatwg/html#10251), so control and invisible characters are shown as marks.
"""

import unicodedata
from collections.abc import Iterator
from typing import Final

from clawback.model.texts import bounded
from clawback.notifications.defang import break_links

LONGEST: Final = 300
"""Bytes of a subject or an address on a page."""
_BLANKS: Final = frozenset("\t\n\r\x0b\x0c")
_WORTH_NAMING: Final = 2


def show_mail_text(text: str | None, limit: int = LONGEST) -> str:
    """Make a text from mail harmless: `⟨U+202E⟩` for what cannot be seen, links broken.

    The result has at most `limit` bytes of UTF-8; without a text it is empty.
    """
    if not text:
        return ""
    cut = bounded(text, limit * 4)
    return bounded(break_links("".join(map(_show, cut)).strip()), limit)


def show_rule_text(text: str, limit: int = 2_000) -> str:
    """Show a text that the owners of rules wrote: what cannot be seen is marked, links stay."""
    return bounded("".join(map(_show, bounded(text, limit * 4))), limit)


def show_address(address: str | None) -> str:
    """Show an address; an internationalised domain has its Unicode form beside it, and its scripts.

    An address at `xn--pypal-4ve.test` becomes `a@xn--pypal-4ve[.]test (…[.]test: Cyrillic and
    Latin)`, with the domain as it looks in place of the dots.
    """
    shown = show_mail_text(address)
    domain = (address or "").rpartition("@")[2]
    if not shown or (not domain.isascii() and (domain := _to_ascii(domain)) == ""):
        return shown

    unicode_form = _to_unicode(domain)
    if unicode_form == domain.lower():
        return shown
    if not (address or "").isascii():
        return f"{shown} ({show_mail_text(domain)}{_describe_scripts(unicode_form)})"
    return f"{shown} ({show_mail_text(unicode_form)}{_describe_scripts(unicode_form)})"


def _show(char: str) -> str:
    if char in _BLANKS:
        return " "
    category = unicodedata.category(char)
    # Zs other than the blank itself looks like nothing else; letters and marks stay as they are.
    if category.startswith("C") or category in {"Zl", "Zp"}:
        return f"⟨U+{ord(char):04X}⟩"
    return char


def _to_ascii(domain: str) -> str:
    try:
        return domain.encode("idna").decode()
    except UnicodeError:
        return ""


def _to_unicode(domain: str) -> str:
    try:
        return domain.lower().encode().decode("idna")
    except UnicodeError:
        return domain.lower()


def _describe_scripts(text: str) -> str:
    """Name the scripts of a text if they are mixed."""
    scripts = sorted(set(_scripts(text)))
    return f": {' and '.join(scripts)}" if len(scripts) >= _WORTH_NAMING else ""


def _scripts(text: str) -> Iterator[str]:
    for char in text:
        if char.isalpha():
            yield unicodedata.name(char, "unknown").partition(" ")[0].capitalize()
