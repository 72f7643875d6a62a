"""Logging: one format for every logger, levels, and no secret at any level."""

import logging

import pytest
import structlog

from tests.telemetry.log_capture import captured_logs, log_lines


def test_structlog_and_stdlib_share_one_format() -> None:
    """Events of structlog and of the standard library are JSON lines with the same keys."""
    with captured_logs() as stream:
        structlog.get_logger("clawback.test").info("poll.page_read", source="message")
        logging.getLogger("temporalio.worker").warning("%s slow tasks", 7)
    ours, theirs = log_lines(stream)
    assert (ours["event"], ours["source"], ours["level"], ours["logger"]) == (
        "poll.page_read",
        "message",
        "info",
        "clawback.test",
    )
    assert (theirs["event"], theirs["level"], theirs["logger"]) == (
        "7 slow tasks",
        "warning",
        "temporalio.worker",
    )
    assert set(theirs) <= set(ours)


@pytest.mark.parametrize("key", ["api_token", "Authorization", "body", "encryption_key"])
def test_secrets_are_withheld_at_every_level(key: str) -> None:
    """A field that may hold a secret is withheld even at debug."""
    with captured_logs(level="debug") as stream:
        structlog.get_logger("clawback.test").debug("client.called", **{key: "s3cret"})
    assert "s3cret" not in stream.getvalue()


def test_addresses_and_subjects_are_logged_at_debug_only() -> None:
    """They are shown at debug and withheld above."""
    with captured_logs(level="debug") as stream:
        log = structlog.get_logger("clawback.test")
        log.debug("event.seen", subject="Invoice", sender="a@x.test")
        log.info("event.seen", subject="Invoice", sender="a@x.test")
    debug, info = log_lines(stream)
    assert (debug["subject"], debug["sender"]) == ("Invoice", "a@x.test")
    assert (info["subject"], info["sender"]) == ("[withheld]", "[withheld]")


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_shows_frames_but_no_values(log_format: str) -> None:
    """An exception is logged with its class and frames, without its message or local variables."""
    with captured_logs(log_format) as stream:
        held = "s3" + "cret"
        try:
            int(held)
        except ValueError:
            structlog.get_logger("clawback.test").exception("worker.failed")
    assert "ValueError" in stream.getvalue()
    assert "int(held)" in stream.getvalue()
    assert "s3cret" not in stream.getvalue()


def test_events_below_the_level_are_dropped() -> None:
    """Also the requests that the HTTP client would log."""
    with captured_logs() as stream:
        structlog.get_logger("clawback.test").debug("not.shown")
        logging.getLogger("httpx").info("GET https://x/?message_id=<a@b>")
    assert stream.getvalue() == ""


def test_auto_is_json_without_a_terminal() -> None:
    """`auto` on a stream that is not a terminal gives JSON."""
    with captured_logs("auto") as stream:
        structlog.get_logger("clawback.test").info("worker.started")
    assert log_lines(stream)[0]["event"] == "worker.started"
