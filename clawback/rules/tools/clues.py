"""Chooses what a scaffolded rule asks for: the distinctive fields of one event, or of several.

The choice is narrow: the verdict and who sent it, and the subject where the sender says too little.
A domain from which anybody may send is never asked for.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from clawback.model.events import Event, EventKind, source_of
from clawback.model.normal_text import INVISIBLE
from clawback.rules.engine.field_values import reader_of
from clawback.rules.source.field_catalogue import find_field

NO_VERDICTS = frozenset({"NONE", "UNKNOWN", "EXTERNAL", "ENCRYPTED"})
"""Dispositions that say nothing about a message."""

_LONGEST = 60
_SHORTEST_SHARED = 8
_MOST_HINTS = 8
_REPLY = re.compile(r"^(?:\s*(?:re|fw|fwd|aw|wg)\s*:)+\s*", re.IGNORECASE)
_FREE_MAIL = re.compile(
    r"(?:(?:aol|gmail|gmx|googlemail|hotmail|hushmail|icloud|live|mailfence|msn|outlook|posteo"
    r"|proton|protonmail|rediffmail|rocketmail|tutanota|yahoo|yandex|ymail|zoho)\.[a-z]{2,4}"
    r"(?:\.[a-z]{2})?"
    r"|(?:free|laposte|orange|sfr|wanadoo)\.fr|(?:freenet|t-online|web)\.de"
    r"|(?:126|139|163|aliyun|foxmail|naver|qq|sina|sohu|mail|email|usa|me|mac|fastmail|pm)\.(?:com|me)"
    r"|(?:bk|inbox|list|mail|rambler|ya)\.ru|(?:libero|virgilio)\.it|(?:bol|uol|terra)\.com\.br"
    r"|(?:seznam|email)\.cz|(?:interia|onet|o2|wp)\.pl|(?:bluewin)\.ch|ukr\.net|yeah\.net"
    r"|(?:att|comcast|verizon|sbcglobal|bellsouth|cox)\.net|(?:btinternet|sky)\.com|tuta\.io)"
)
"""The well-known domains of free mail in all countries. A folder may list more."""
_HASHES = ("edf_hash", "htmltext_structure_hash")
_HINTS = (
    ("from_name", ""),
    ("replyto_domain", ""),
    ("threat_categories", ""),
    ("validation.dmarc", ""),
    ("delivery_mode", ""),
    ("htmltext_structure_hash", ""),
    ("edf_hash", ""),
    ("detections.links.href_domain", ""),
    ("detections.attachments.name", "endswith"),
)


class NothingDistinctive(ValueError):
    """The event has no field that a rule could test."""


@dataclass(frozen=True, slots=True)
class Clue:
    """One line of a detection, with the value that the event has."""

    field: str
    modifier: str
    wanted: str
    actual: str


@dataclass(slots=True)
class Choice:
    """What a rule asks for, what it offers as comments, and what it leaves out, in sentences."""

    asked: list[Clue] = field(default_factory=list)
    offered: list[Clue] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def choose_clues(events: Sequence[Event], shared_domains: Sequence[str] = ()) -> Choice:
    """Choose what a rule for all these events asks for. They are of one kind.

    Senders in `shared_domains`, at free mail or in the domain of a recipient are asked for by
    address, all others by domain.

    Raises:
        NothingDistinctive: the events have nothing in common that is narrow enough.

    """
    source = source_of(events[0])
    choice = Choice()
    verdict = _common(events, source.verdict_fields)
    if verdict is not None and verdict.actual.upper() not in NO_VERDICTS:
        choice.asked.append(verdict)

    sender = _choose_sender(events, shared_domains, choice)
    if sender is not None:
        choice.asked.append(sender)

    subject = _choose_subject(events)
    is_vague = sender is None or (not sender.modifier and "@" in sender.wanted)
    if subject is not None and (is_vague or len(choice.asked) < len(("verdict", "sender"))):
        choice.asked.append(subject)
    if sender is None and len(choice.asked) < len(("verdict", "subject")):
        hashes = [source.message_prefix + name for name in _HASHES]
        choice.asked += filter(None, [_common(events, hashes)])

    _require_narrow(choice.asked, verdict, events)
    _offer(events, subject, choice)
    return choice


def _require_narrow(asked: Sequence[Clue], verdict: Clue | None, events: Sequence[Event]) -> None:
    what = "the event has" if len(events) == 1 else f"the {len(events)} events share"
    if not asked:
        raise NothingDistinctive(f"{what} no verdict, sender or subject that a rule could test")
    if asked == [verdict]:
        raise NothingDistinctive(
            f"{what} a verdict, but no sender, subject or hash: a rule on the verdict alone "
            "would match all mail that has it"
        )


def _choose_sender(
    events: Sequence[Event], shared_domains: Sequence[str], choice: Choice
) -> Clue | None:
    """Choose the sender by domain or, where anybody sends from there, by address."""
    fields = source_of(events[0]).sender_fields
    address = _common(events, fields)
    domains = _common(events, fields, key=_domain_of)
    domain = _domain_of(domains.actual) if domains is not None else ""
    if domains is None or not domain:
        if address is None and len(events) > 1:
            choice.left_out.append("the sender: the events have several")
        return address

    reason = _why_shared(domain, events, shared_domains)
    if not reason:
        written = domains.actual.rpartition("@")[2]
        return Clue(domains.field, "endswith", f"@{written}", domains.actual)

    more = "" if address is not None else ", and the events have several addresses of it"
    choice.left_out.append(f"the domain {domain} of the sender alone: {reason}{more}")
    return address


def _why_shared(domain: str, events: Sequence[Event], shared_domains: Sequence[str]) -> str:
    if domain in shared_domains or _FREE_MAIL.fullmatch(domain):
        return "many send from it who have nothing to do with this"
    mailboxes = [target.mailbox or "" for event in events for target in event.targets]
    if domain in map(_domain_of, mailboxes):
        return "it is that of the recipient"
    return ""


def _domain_of(address: str) -> str:
    return address.rpartition("@")[2].strip().rstrip(".>").lower() if "@" in address else ""


def _choose_subject(events: Sequence[Event]) -> Clue | None:
    """Choose a readable part of the subject that all events have."""
    for name in source_of(events[0]).subject_fields:
        values = [next(_clues(event, [name]), None) for event in events]
        known = [one.actual for one in values if one is not None]
        if len(known) == len(events):
            part = _common_part([_readable_part(one) for one in known])
            if part and (len(events) == 1 or len(part) >= _SHORTEST_SHARED):
                return Clue(name, "contains", part, known[0])
    return None


def _common_part(texts: Sequence[str]) -> str:
    """The longest part that all texts have, cut to whole words."""
    part = texts[0]
    for text in texts[1:]:
        matcher = SequenceMatcher(None, part.casefold(), text.casefold(), autojunk=False)
        start, _, size = matcher.find_longest_match()
        if len(part.casefold()) != len(part):  # the positions are those of the folded text
            return ""
        part = part[start : start + size]
    if len(texts) > 1 and part != texts[0]:
        words = part.split(" ")
        if not texts[0].startswith(part) and not part.startswith(" "):
            words = words[1:]
        if not texts[0].endswith(part) and not part.endswith(" "):
            words = words[:-1]
        part = " ".join(words).strip()
    return part


def _readable_part(text: str) -> str:
    """A long text, without reply prefixes, up to the end of a word."""
    text = _REPLY.sub("", text) or text
    if len(text) <= _LONGEST:
        return text
    return text[:_LONGEST].rpartition(" ")[0] or text[:_LONGEST]


# ---- the fields of events


def _common(
    events: Sequence[Event],
    fields: Sequence[str],
    key: Callable[[str], str] = str.casefold,
) -> Clue | None:
    """The first of some fields that all events have with one value, or one key of it."""
    for name in fields:
        found = [next(_clues(event, [name]), None) for event in events]
        values = {key(one.actual) for one in found if one is not None}
        if found[0] is not None and None not in found and len(values) == 1:
            return found[0]
    return None


def value_in(event: Event, name: str) -> str:
    """The first text that an event has in a field; empty if it has none."""
    return next((clue.actual for clue in _clues(event, [name])), "")


def _clues(event: Event, fields: Sequence[str]) -> Iterator[Clue]:
    for name in fields:
        values = reader_of(tuple(name.split(".")))(event.record)
        # A rule cannot ask for what nobody sees, and need not: it is not compared.
        texts = (INVISIBLE.sub("", one) for one in values if isinstance(one, str))
        value = next((one for one in texts if one.strip()), None)
        if value is not None and _is_known(event.kind, name, value):
            text = value.encode("utf-8", "replace").decode()
            yield Clue(name, "", text, text)


def _is_known(kind: EventKind, name: str, value: str) -> bool:
    """Whether a rule may test for a value: an enum has only its known values."""
    known = find_field(kind, name)
    return known is not None and (
        not known.values or value.upper() in {one.upper() for one in known.values}
    )


def _offer(events: Sequence[Event], subject: Clue | None, choice: Choice) -> None:
    """Offer further fields that all events have."""
    used = {clue.field for clue in choice.asked}
    joined = source_of(events[0]).message_prefix
    hints = [
        _hint(clue, modifier)
        for name, modifier in _HINTS
        if (clue := _common(events, [joined + name])) is not None
    ]
    candidates = [*([subject] if subject is not None else []), *hints]
    choice.offered += [clue for clue in candidates if clue.field not in used][:_MOST_HINTS]
    choice.left_out.append("ids, times, recipients and servers: those of single messages")


def _hint(clue: Clue, modifier: str) -> Clue:
    if modifier == "endswith" and "." in clue.actual:
        return Clue(clue.field, modifier, "." + clue.actual.rpartition(".")[2], clue.actual)
    return Clue(clue.field, "", clue.actual[:_LONGEST], clue.actual)
