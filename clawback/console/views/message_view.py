"""The page of one message: headers, links and attachments as text, trace and action log."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from clawback.console.sources.mail_reader import MailParts
from clawback.console.views.mail_text import show_address, show_mail_text
from clawback.console.views.message_rows import MessageRow
from clawback.console.views.times import Clock

MOST_HEADERS: Final = 200
MOST_LINKS: Final = 100
MOST_ATTACHMENTS: Final = 50
MOST_LINES: Final = 200
_LONGEST: Final = 2_000


@dataclass(frozen=True)
class HeaderLine:
    """One header; repeated names stay repeated."""

    name: str
    value: str


@dataclass(frozen=True)
class Attachment:
    """One attachment, of which only the facts are shown."""

    name: str
    kind: str
    size: str
    sha256: str


@dataclass(frozen=True)
class Event:
    """One line of a log."""

    at: str
    text: str


@dataclass(frozen=True)
class MessageView:
    """One message. `picture` is where its screenshot is loaded from, once somebody has asked."""

    case_path: str
    short_id: str
    row: MessageRow
    facts: tuple[HeaderLine, ...]
    headers: tuple[HeaderLine, ...]
    links: tuple[str, ...]
    attachments: tuple[Attachment, ...]
    findings: tuple[str, ...]
    actions: tuple[Event, ...]
    trace: tuple[Event, ...]
    problems: tuple[str, ...]
    left_out: tuple[str, ...]
    load_path: str
    picture_path: str
    picture_problem: str
    cloudflare: str


@dataclass(frozen=True)
class MessageFrame:
    """What the page has besides the message itself."""

    case_path: str
    short_id: str
    load_path: str
    picture_path: str
    picture_problem: str
    cloudflare: str


def build_message(
    row: MessageRow, parts: MailParts, frame: MessageFrame, clock: Clock
) -> MessageView:
    """Build the page of one message; everything in it is from mail, or from who sent it."""
    found = parts.detections or {}
    headers, links = _objects(found, "headers"), _objects(found, "links")
    attachments = _objects(found, "attachments")
    return MessageView(
        case_path=frame.case_path,
        short_id=frame.short_id,
        row=row,
        facts=tuple(_facts(row, parts)),
        headers=tuple(
            HeaderLine(_text(one, "name"), _text(one, "value", _LONGEST))
            for one in headers[:MOST_HEADERS]
        ),
        links=tuple(_describe_link(one) for one in links[:MOST_LINKS]),
        attachments=tuple(map(_show_attachment, attachments[:MOST_ATTACHMENTS])),
        findings=tuple(map(_describe_finding, _objects(found, "findings")[:MOST_LINKS])),
        actions=tuple(_log_actions(parts, clock)),
        trace=tuple(_log_trace(parts, clock)),
        problems=tuple(f"{name}: {show_mail_text(why)}" for name, why in parts.problems.items()),
        left_out=tuple(
            f"{len(every) - most:,} more {name} are not shown"
            for name, every, most in (
                ("headers", headers, MOST_HEADERS),
                ("links", links, MOST_LINKS),
                ("attachments", attachments, MOST_ATTACHMENTS),
            )
            if len(every) > most
        ),
        load_path=frame.load_path,
        picture_path=frame.picture_path,
        picture_problem=frame.picture_problem,
        cloudflare=frame.cloudflare,
    )


def _facts(row: MessageRow, parts: MailParts) -> Iterator[HeaderLine]:
    message = parts.message
    now = show_mail_text(message.final_disposition) if message else ""
    verdict = f"{row.verdict} then, {now or 'none'} now" if message else row.verdict
    yield HeaderLine("Verdict", verdict)
    yield HeaderLine("Mailbox", row.mailbox)
    yield HeaderLine("Scanned", row.at.absolute)
    if row.folder:
        yield HeaderLine("Folder", row.folder)
    if message is None:
        return
    for name, value in (
        ("Envelope sender", show_address(message.envelope_from)),
        ("Reply to", show_address(message.replyto)),
        ("To", ", ".join(map(show_address, message.to[:10]))),
        ("Delivery", ", ".join(map(show_mail_text, message.delivery_status))),
        ("Detected", "; ".join(map(show_mail_text, message.detection_reasons[:10]))),
        ("Message-ID", show_mail_text(message.message_id)),
    ):
        if value:
            yield HeaderLine(name, value)


def _objects(found: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    value = found.get(name)
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _text(one: Mapping[str, Any], name: str, limit: int = 500) -> str:
    value = one.get(name)
    return show_mail_text(value if isinstance(value, str) else "", limit)


def _describe_link(one: Mapping[str, Any]) -> str:
    text, href = _text(one, "text"), _text(one, "href", _LONGEST)
    return f"{href} (shown as “{text}”)" if text and text != href else href


def _show_attachment(one: Mapping[str, Any]) -> Attachment:
    size = one.get("size")
    return Attachment(
        name=_text(one, "filename") or "(no name)",
        kind=_text(one, "content_type"),
        size=f"{size:,} bytes" if isinstance(size, int) else "",
        sha256=_text(one, "sha256", 64),
    )


def _describe_finding(one: Mapping[str, Any]) -> str:
    return " · ".join(
        text for name in ("detection", "name", "detail", "reason") if (text := _text(one, name))
    )


def _log_actions(parts: MailParts, clock: Clock) -> Iterator[Event]:
    for one in list(parts.actions or ())[:MOST_LINES]:
        at = one.completed_at or one.started_at
        properties = ", ".join(f"{name} {value}" for name, value in (one.properties or {}).items())
        text = " · ".join(filter(None, (one.operation, one.status, properties)))
        yield Event(clock.show(at).absolute if at else "", show_mail_text(text))


def _log_trace(parts: MailParts, clock: Clock) -> Iterator[Event]:
    if parts.trace is None:
        return
    for name, side in (("in", parts.trace.inbound), ("out", parts.trace.outbound)):
        for line in side.lines[:MOST_LINES]:
            at = clock.show(line.logged_at).absolute if line.logged_at else ""
            yield Event(at, f"{name}: {show_mail_text(line.message)}")
