"""Failures in the log: one line each, with a short cause and a fingerprint."""

import logging

import structlog
from temporalio.exceptions import ApplicationError

from clawback.telemetry.exception_chain import causes
from clawback.temporal import names
from tests.telemetry.log_capture import captured_logs, log_lines


def fail_on(subject: str) -> ApplicationError:
    """Fail as an activity does: an error of Temporal that another one caused."""
    try:
        int(subject)
    except ValueError as error:
        refused = ApplicationError(subject, type="refused")
        refused.__cause__ = error
        return refused
    raise AssertionError


def logged(event: str, error: BaseException) -> dict[str, str]:
    """Log a failure and return its line."""
    with captured_logs() as stream:
        structlog.get_logger("clawback.test").error(event, exc_info=error)
    [line] = log_lines(stream)
    return {name: str(value) for name, value in line.items()}


def test_equal_failures_have_one_fingerprint_whatever_the_mail() -> None:
    """Texts change nothing; another event or another kind of error does."""
    first, second = logged("case.failed", fail_on("a")), logged("case.failed", fail_on("b"))
    assert first["fingerprint"] == second["fingerprint"]
    assert len(first["fingerprint"]) == 12
    assert logged("undo.failed", fail_on("a"))["fingerprint"] != first["fingerprint"]
    assert logged("case.failed", KeyError("a"))["fingerprint"] != first["fingerprint"]


def test_the_cause_is_the_first_error_without_its_text() -> None:
    """What an exception says may quote mail."""
    assert logged("case.failed", fail_on("Invoice"))["cause"] == "ValueError"
    refused = ApplicationError("Invoice", type="refused")
    assert logged("case.failed", refused)["cause"] == "ApplicationError: refused"


def test_an_error_in_a_field_and_one_of_a_library_have_them_too() -> None:
    """Most events name the error in the field `error`; libraries use `exc_info`."""
    with captured_logs() as stream:
        structlog.get_logger("clawback.test").warning("activity.failed", error=KeyError("a"))
        try:
            int("x")
        except ValueError:
            logging.getLogger("temporalio.worker").exception("Failed activity")
        structlog.get_logger("clawback.test").info("poll.page_read", source="message")
    ours, theirs, fine = log_lines(stream)
    assert (ours["cause"], theirs["cause"]) == ("KeyError", "ValueError")
    assert ours["fingerprint"] != theirs["fingerprint"]
    assert "fingerprint" not in fine


def test_a_circle_of_causes_ends() -> None:
    """Python allows it, and a log must not hang."""
    one, two = ValueError(), KeyError()
    one.__cause__, two.__cause__ = two, one
    assert list(causes(one)) == [one, two]


def test_a_line_of_the_core_says_where_it_is_from() -> None:
    """What begins with no constant is withheld, and the module in the core is not."""

    class Core:
        target = "temporal_sdk_core::worker"

    logger = logging.getLogger("temporalio.core")
    for text in ("gRPC call poll_workflow_task_queue retried 5 times", '"Invoice" refused'):
        fields = {"temporal_log": Core()}
        with captured_logs() as stream:
            logger.handle(
                logger.makeRecord(logger.name, 30, "(core)", 0, text, (), None, "(core)", fields)
            )
        [line] = log_lines(stream)
        assert line["core_module"] == "temporal_sdk_core::worker"
        assert "Invoice" not in line["event"]


def test_events_of_an_activity_name_what_its_workflow_is_about() -> None:
    """The case with its rule, also of a further part; the source of a poller."""
    about = {"case": "case/quarantine_bec/0f3a", "rule": "quarantine_bec"}
    assert names.describe_workflow("case/quarantine_bec/0f3a") == about
    assert names.describe_workflow("case/quarantine_bec/0f3a/7") == about
    assert names.describe_workflow("poller/message") == {"source": "message"}
    assert names.describe_workflow("guard") == {}
