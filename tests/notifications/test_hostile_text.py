"""Hostile text from mail in what every HTTP channel sends.

A new channel needs an entry in `SAMPLES`.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from clawback.model.messages import Target
from clawback.notifications.channels.base import HttpChannel
from clawback.notifications.channels.registry import CHANNEL_TYPES
from tests.notifications.samples import KEY, NOW, build_notification

MARKUP = ("<!channel>", "<@U1>", "[click](", "*bold*", "<b>", "`code`")
HOSTILE = (
    f"{' '.join(MARKUP)}https://evil.test/x) @here javascript:alert(1) \r\nBcc: x@y.test "
    "\u202egnp.exe"
)
WORKING = ("https://evil", "evil.test", "javascript:", "@here", "\r", "\u202e")
"""What `defang` must have removed."""


@dataclass(frozen=True)
class Sample:
    """Settings of a channel, and which objects of its body are shown as they are.

    `is_literal` is false for an object whose texts the client parses as markup. `raw` is the path
    of documented raw values, which the receiver must defang itself.
    """

    is_literal: Callable[[Mapping[str, Any]], bool]
    settings: Mapping[str, str] = field(default_factory=dict)
    raw: tuple[str, ...] = ()


SAMPLES = {
    "slack": Sample(lambda node: node.get("type") == "plain_text"),
    "teams": Sample(lambda node: node.get("type") == "TextRun"),
    "webhook": Sample(lambda node: "text" in node, {"key": KEY}, raw=("data", "group")),
}
CHANNELS = {
    kind.model_fields["kind"].annotation.__args__[0]: kind  # type: ignore[union-attr] # a literal string
    for kind in CHANNEL_TYPES
    if issubclass(kind, HttpChannel)
}


def build_body(kind: str) -> Any:
    """Build the body of a notification in which every value from mail is hostile."""
    settings = {"kind": kind, "url": "https://receiver.test/hook", **SAMPLES[kind].settings}
    channel = CHANNELS[kind].model_validate(settings)
    notification = build_notification(
        "{subject} {sender} {sender_name} {authentication} {mailbox} {why} {on_approval}",
        group={"subject": HOSTILE},
        first=Target(
            id="m",
            at=NOW,
            subject=HOSTILE,
            sender=HOSTILE,
            sender_name=HOSTILE,
            mailbox=HOSTILE,
            spf=HOSTILE,
        ),
        why=(HOSTILE,),
        proposes=(HOSTILE,),
    )
    request = channel.build_request(notification)
    body = request["json"] if "json" in request else json.loads(request["content"])
    return without(body, SAMPLES[kind].raw)


def without(body: Any, path: tuple[str, ...]) -> Any:
    """Return the body without the value at a path."""
    if not path:
        return body
    name, *rest = path
    inner = {name: without(body[name], tuple(rest))} if rest else {}
    return {key: value for key, value in body.items() if key != name} | inner


def texts(node: Any, is_literal: Callable[[Mapping[str, Any]], bool]) -> Iterator[str]:
    """Yield every text of a body that is not in a literal object."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, Mapping) and not is_literal(node):
        for value in node.values():
            yield from texts(value, is_literal)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from texts(value, is_literal)


def test_every_http_channel_has_a_sample() -> None:
    """A new channel is tested with hostile text too."""
    assert CHANNELS.keys() == SAMPLES.keys()


@pytest.mark.parametrize("kind", CHANNELS)
def test_no_markup_of_a_mail_is_parsed(kind: str) -> None:
    """It is escaped, or in an object that the client shows as it is."""
    parsed = list(texts(build_body(kind), SAMPLES[kind].is_literal))
    assert parsed
    assert [text for text in parsed if any(markup in text for markup in MARKUP)] == []


@pytest.mark.parametrize("kind", CHANNELS)
def test_no_link_or_mention_of_a_mail_works(kind: str) -> None:
    """The text arrives, but defanged."""
    everything = "\n".join(texts(build_body(kind), lambda _: False))
    assert "hxxps[:]//evil[.]test" in everything
    assert [text for text in WORKING if text in everything] == []
