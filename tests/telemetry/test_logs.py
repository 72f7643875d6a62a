"""Logging: one form for everything, and nothing private in it."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from clawback.telemetry import configure_logging


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Leaves the root logger and structlog as they were."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def _lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_structlog_and_stdlib_share_one_form() -> None:
    """An event of structlog and one of the standard library come out as JSON lines with the same keys."""
    stream = io.StringIO()
    configure_logging("json", "info", stream)
    structlog.get_logger("clawback.test").info("containment.message_moved", id="m1")
    logging.getLogger("temporalio.worker").warning("slow %s", "task")
    ours, theirs = _lines(stream)
    assert (ours["event"], ours["id"], ours["level"], ours["logger"]) == (
        "containment.message_moved",
        "m1",
        "info",
        "clawback.test",
    )
    assert (theirs["event"], theirs["level"], theirs["logger"]) == (
        "slow task",
        "warning",
        "temporalio.worker",
    )
    assert set(theirs) <= set(ours)


@pytest.mark.parametrize("key", ["api_token", "Authorization", "body", "encryption_key"])
def test_secrets_are_withheld_at_every_level(key: str) -> None:
    """A field that may hold a secret is blanked even at debug."""
    stream = io.StringIO()
    configure_logging("json", "debug", stream)
    structlog.get_logger("clawback.test").debug("client.called", **{key: "s3cret"})
    assert "s3cret" not in stream.getvalue()


def test_people_are_named_at_debug_alone() -> None:
    """Addresses and subjects are shown at debug and blanked above."""
    stream = io.StringIO()
    configure_logging("json", "debug", stream)
    log = structlog.get_logger("clawback.test")
    log.debug("event.seen", subject="Invoice", sender="a@x.test")
    log.info("event.seen", subject="Invoice", sender="a@x.test")
    quiet, loud = _lines(stream)
    assert (quiet["subject"], quiet["sender"]) == ("Invoice", "a@x.test")
    assert (loud["subject"], loud["sender"]) == ("[withheld]", "[withheld]")


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_shows_no_local_variables(form: str) -> None:
    """An exception is logged with its traceback but without the values in its frames."""
    stream = io.StringIO()
    configure_logging(form, "info", stream)
    held = "s3" + "cret"
    try:
        int(held[:0])
    except ValueError:
        structlog.get_logger("clawback.test").exception("worker.failed")
    assert "ValueError" in stream.getvalue()
    assert "s3cret" not in stream.getvalue()


def test_level_and_chatty_libraries() -> None:
    """Events below the level are dropped, and the HTTP client does not log each request."""
    stream = io.StringIO()
    configure_logging("json", "info", stream)
    structlog.get_logger("clawback.test").debug("not.shown")
    logging.getLogger("httpx").info("GET https://x/?message_id=<a@b>")
    assert stream.getvalue() == ""


def test_auto_is_json_where_there_is_no_terminal() -> None:
    """`auto` on a stream that is not a terminal gives JSON."""
    stream = io.StringIO()
    configure_logging("auto", "info", stream)
    structlog.get_logger("clawback.test").info("worker.started")
    assert _lines(stream)[0]["event"] == "worker.started"
