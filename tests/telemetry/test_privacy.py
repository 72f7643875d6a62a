"""Nothing that comes from mail is logged above debug: canaries in every place a text can hide."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import generate_latest
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from clawback.cloudflare import ApiError, InvalidRequest, Unavailable, UnknownOutcome
from clawback.ingest import IngestResult, Rejection
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.events import Event, EventKind
from clawback.model.loggable import LoggableText
from clawback.rules import RuleErrors
from clawback.rules.source.errors import Code, Place, Problem
from clawback.telemetry.activity_telemetry import ActivityTelemetry
from clawback.telemetry.metrics import REGISTRY
from clawback.telemetry.privacy import IDENTIFIER_FIELDS, WITHHELD, error_text
from clawback.telemetry.worker_health import StuckReason
from tests.telemetry.log_capture import captured_logs, log_lines

CANARY = "Zq7canary"
CANARIES = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(["", "Re: ", "<", "https://x.test/?u="]),
    st.just(CANARY),
    st.text(max_size=20),
    st.sampled_from(["", "@corp.test", " overdue invoice"]),
    st.sampled_from(["", ">", "\n", "\x1b[2J"]),
)
NESTED = st.recursive(
    CANARIES,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(st.sampled_from(["subject", "detail", "x"]), inner, min_size=1)
        | st.tuples(inner, inner)
    ),
    max_leaves=5,
)
LEVELS = st.sampled_from(["info", "warning", "error", "critical"])
FIELDS = st.sampled_from(
    ["subject", "from", "detail", "why", "error", "id", "target", "message", "report", "anything"]
)


@given(FIELDS, NESTED, LEVELS, st.sampled_from(["json", "console"]))
def test_no_field_of_a_log_event_shows_mail(
    field: str, value: object, level: str, log_format: str
) -> None:
    """Whatever the field is called, and however deep the text is nested."""
    with captured_logs(log_format) as stream:
        getattr(structlog.get_logger("clawback"), level)("something.happened", **{field: value})
    assert "something.happened" in stream.getvalue()
    assert CANARY not in stream.getvalue()


@given(st.sampled_from(sorted(IDENTIFIER_FIELDS)), CANARIES)
def test_an_identifier_field_shows_identifiers_only(field: str, value: str) -> None:
    """Addresses and anything with blanks do not pass for an identifier."""
    with captured_logs() as stream:
        structlog.get_logger("clawback").info("something.happened", **{field: f"{value} a@b"})
    assert log_lines(stream)[0][field] == WITHHELD


def test_words_and_sentences_of_ours_are_shown() -> None:
    """Members of enumerations and `LoggableText` say what happened, under any name."""
    with captured_logs() as stream:
        structlog.get_logger("clawback").error(
            "worker.stuck",
            reason=StuckReason.NO_FREE_SLOT,
            problem=LoggableText("no free slot on clawback for 61 s; restart this worker"),
        )
    [line] = log_lines(stream)
    assert line["reason"] == "no_free_slot"
    assert line["problem"].startswith("no free slot on clawback")


@given(CANARIES, LEVELS)
def test_an_event_name_cannot_carry_mail(text: str, level: str) -> None:
    """A formatted event name is withheld."""
    with captured_logs() as stream:
        getattr(structlog.get_logger("clawback"), level)(f"failed on {text}")
    assert CANARY not in stream.getvalue()


def api_errors(text: str) -> list[ApiError]:
    return [
        InvalidRequest("investigate/move", 400, (1001,), text),
        Unavailable("investigate", text, 503),
        UnknownOutcome("investigate/release", text),
    ]


def errors(text: str) -> list[BaseException]:
    problem = Problem(Place("a.yml", 3, 7), next(iter(Code)), "is not a list", text)
    return [
        *api_errors(text),
        ValueError(text),
        KeyError(text),
        UnicodeEncodeError("ascii", text, 0, 1, text),
        ApplicationError(text, type="invalid_request"),
        ApplicationError(text, type=f"{text} a@b"),
        RPCError(text, RPCStatusCode.NOT_FOUND, b""),
        OSError(2, "No such file or directory", text),
        RuleErrors([problem]),
        ExceptionGroup(text, [ValueError(text)]),
    ]


@given(CANARIES)
def test_no_exception_shows_its_message(text: str) -> None:
    """Passed as a field, raised with causes, logged by clawback or by a library."""
    for error in errors(text):
        with captured_logs() as stream:
            structlog.get_logger("clawback").warning("something.failed", error=error)
            _log_raised(error, text)
        assert CANARY not in stream.getvalue()
        assert type(error).__name__ in stream.getvalue()


def _raise(error: BaseException, cause: BaseException | None = None) -> None:
    raise error from cause


def _log_raised(error: BaseException, text: str) -> None:
    try:
        try:
            _raise(LookupError(text))
        except LookupError as cause:
            _raise(error, cause)
    except BaseException:
        structlog.get_logger("clawback").exception("something.failed")
        logging.getLogger("temporalio.activity").warning("Completing as failed", exc_info=True)


def test_an_api_error_keeps_what_helps() -> None:
    """Endpoint, class, status and Cloudflare's codes are logged."""
    rejected, unavailable, unknown = api_errors(CANARY)
    assert error_text(rejected) == "investigate/move: InvalidRequest (400, codes 1001)"
    assert error_text(unavailable) == "investigate: Unavailable (503)"
    assert error_text(unknown) == "investigate/release: UnknownOutcome (no response)"


def test_rule_errors_keep_place_and_code() -> None:
    """The text of a rule, which may quote mail in its tests, is not logged."""
    code = next(iter(Code))
    error = RuleErrors([Problem(Place("a.yml", 3, 7), code, f"not {CANARY}", CANARY)])
    assert error_text(error) == f"a.yml:3:7 {code}"


LIBRARY_CALLS: list[Callable[[logging.Logger, str], None]] = [
    lambda log, text: log.warning("failed on %s", text),
    lambda log, text: log.warning("failed on %s after %s attempts", text, 3),
    lambda log, text: log.warning("failed on %(what)s", {"what": text}),
    lambda log, text: log.warning(f"failed on {text} again"),  # noqa: G004 - as libraries do
    lambda log, text: log.warning(text),
    lambda log, text: log.error("failed", extra={"temporal_activity": {"subject": text}}),
    lambda log, text: log.error("failed", extra={"temporal_workflow": {"workflow_type": text}}),
]


@pytest.mark.parametrize("call", LIBRARY_CALLS)
@given(text=CANARIES)
def test_no_library_message_shows_mail(
    call: Callable[[logging.Logger, str], None], text: str
) -> None:
    """Only literals of the code that logs, and numbers, are shown."""
    with captured_logs() as stream:
        call(logging.getLogger("temporalio.worker"), f"{text} a@b")
    assert CANARY not in stream.getvalue()
    assert len(log_lines(stream)) == 1


@pytest.mark.parametrize("kind", ["case"])
def test_a_library_message_keeps_its_literals(kind: str) -> None:
    """What a person needs to find the place in the library."""
    with captured_logs() as stream:
        log = logging.getLogger("temporalio.worker")
        log.warning(f"Failed activation on workflow {kind} with ID {CANARY}")  # noqa: G004 - see above
        log.warning("failed on %s after %s attempts", CANARY, 3)
    first, second = (line["event"] for line in log_lines(stream))
    assert first == "Failed activation on workflow … with ID …"
    assert second == "failed on … after 3 attempts"


def audit_record(kind: RecordKind, text: str) -> AuditRecord:
    """A record with the canary in every field that mail, the API or a person can reach."""
    return AuditRecord(
        id=f"case/r/1/{text}",
        at=datetime.now(UTC),
        kind=kind,
        rule="a_rule",
        case="case/a_rule/0123abcd",
        mode="enforce",
        event=f"message/{text}",
        action="move",
        target=text,
        outcome=f"failed:{text}",
        before=text,
        after=text,
        detail=text,
        actor=text,
    )


@given(st.sampled_from(RecordKind), CANARIES)
def test_no_audit_record_is_logged_or_counted_with_its_texts(kind: RecordKind, text: str) -> None:
    """Rejected records hold subjects and addresses in `detail`; the audit file may, the log not."""
    with captured_logs() as stream:
        ActivityTelemetry().record_audit([audit_record(kind, text)])
    assert CANARY not in stream.getvalue()
    assert CANARY.encode() not in generate_latest(REGISTRY)


@given(st.sampled_from(EventKind), CANARIES)
def test_no_page_is_logged_with_its_events(kind: EventKind, text: str) -> None:
    """Neither rejected records nor reports without their message."""
    record: dict[str, Any] = {"id": text, "subject": text, "from": text}
    event = Event(kind=kind, id=text, at=datetime.now(UTC), record=record)
    page = IngestResult(fresh=[event], rejected=[Rejection.of(record, text)])
    page.unjoined.append(event)
    with captured_logs() as stream:
        ActivityTelemetry().record_page(kind, page, 0)
    assert log_lines(stream)
    assert CANARY not in stream.getvalue()
    assert CANARY.encode() not in generate_latest(REGISTRY)
