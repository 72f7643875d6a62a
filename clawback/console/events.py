"""Server-sent events: a page hears that its topic changed, and reads it again with its own rights.

The first event of each connection is `hello` with the present version, so that nothing is lost
between two connections and no buffer is needed.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from clawback.console.changes import Changes
from clawback.console.errors import BadRequest
from clawback.console.page_routes import Page, RateClass
from clawback.console.services import services_of
from clawback.console.sources.containment_state import STOP_TOPIC
from clawback.console.sources.read_model import LIST_TOPIC
from clawback.console.sources.undo_watch import TOPIC_PREFIX
from clawback.model.identity import Role

PING_SECONDS: Final = 10.0
LONGEST_STREAM: Final = 3600.0
"""Seconds after which a stream ends; the page connects again, and passes the gate again."""

_LONGEST_TOPIC: Final = 300
_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


async def stream_events(request: Request) -> Response:
    """Answer GET `/events?topic=`."""
    topic = request.query_params.get("topic", "")
    if not topic or len(topic) > _LONGEST_TOPIC:
        raise BadRequest("topic: name what to hear of, such as `list`")

    services = services_of(request)
    if topic.startswith(TOPIC_PREFIX):
        services.undos.watch(topic)
    stream = _events(services.changes, topic, services.closing)
    return StreamingResponse(stream, media_type="text/event-stream", headers=_HEADERS)


def event_name(topic: str) -> str:
    """Return the name of the event that says a topic changed."""
    if topic == LIST_TOPIC:
        return "list-changed"
    if topic == STOP_TOPIC:
        return "stop-changed"
    return "undo-progress" if topic.startswith(TOPIC_PREFIX) else "case-changed"


async def _events(changes: Changes, topic: str, closing: asyncio.Event) -> AsyncIterator[str]:
    seen = changes.version(topic)
    yield _event("hello", seen)
    end = asyncio.get_running_loop().time() + LONGEST_STREAM
    while not closing.is_set() and asyncio.get_running_loop().time() < end:
        version = await _next_version(changes, topic, seen, closing)
        yield _event("ping" if version == seen else event_name(topic), version)
        seen = version


async def _next_version(changes: Changes, topic: str, seen: int, closing: asyncio.Event) -> int:
    waiting = asyncio.ensure_future(changes.wait(topic, seen, PING_SECONDS))
    stopping = asyncio.ensure_future(closing.wait())
    try:
        await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return waiting.result() if waiting.done() else seen
    finally:
        waiting.cancel()
        stopping.cancel()


def _event(name: str, version: int) -> str:
    return f"event: {name}\ndata: {version}\n\n"


EVENT_PAGES: Final = (Page("/events", stream_events, Role.VIEWER, RateClass.STREAM),)
