"""Collectors: what arrives, what is taken for delivered, and whom clawback talks to."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawback.audit import START, AuditLine, AuditLog, Backlog
from clawback.settings import Settings
from clawback.shipping import (
    CollectorUnavailable,
    HttpCollector,
    SyslogCollector,
    format_syslog,
)
from tests.audit.test_audit import record
from tests.shipping.receivers import (
    http_receiver,
    syslog_receiver,
    write_certificate,
)

_MESSAGE = re.compile(
    rb"<(?P<priority>\d{1,3})>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [!-~]{1,255} "
    rb"clawback \d+ (?P<kind>[!-~]{1,32}) "
    rb"\[meta sequenceId=\"(?P<sequence>\d+)\"\] (?P<text>\{.*\})"
)
"""RFC 5424, section 6, as far as clawback uses it."""


def lines_of(path: Path, count: int = 5) -> list[AuditLine]:
    """Write an audit; its lines as they are shipped."""
    AuditLog(path).append([record(f"r{number}", outcome="moved") for number in range(count)])
    return Backlog(path).read(START)


@settings(max_examples=100, deadline=None)
@given(detail=st.text(), outcome=st.sampled_from(["moved", "failed:gone"]), host=st.text())
def test_a_message_is_rfc_5424(
    detail: str, outcome: str, host: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever a record and the name of the machine hold; the line is unchanged in it."""
    path = tmp_path_factory.mktemp("audit") / "audit.jsonl"
    AuditLog(path).append([record("a", detail=detail, outcome=outcome)])
    (line,) = Backlog(path).read(START)
    found = _MESSAGE.fullmatch(format_syslog(line, host))
    assert found is not None
    assert found["text"] + b"\n" == line.text == path.read_bytes()
    assert json.loads(found["text"])["metadata"]["uid"] == "a"
    assert (found["kind"], found["sequence"]) == (b"acted", b"1")
    assert int(found["priority"]) == 13 * 8 + (6 if outcome == "moved" else 3)


@pytest.mark.parametrize("secured", [True, False])
async def test_syslog_takes_every_line_in_order(tmp_path: Path, *, secured: bool) -> None:
    """Over TLS, and beside a relay on this machine without."""
    lines = lines_of(tmp_path / "audit.jsonl", 400)
    certificate = write_certificate(tmp_path) if secured else None
    with syslog_receiver(certificate) as receiver:
        ca = certificate[0] if certificate else None
        collector = SyslogCollector("127.0.0.1", receiver.port, is_tls=secured, ca=ca)
        await collector.send(lines[:300])
        await collector.send(lines[300:])
        texts = [message.partition(b"] ")[2] + b"\n" for message in receiver.read]
    assert texts == [line.text for line in lines]


async def test_a_reset_connection_is_no_delivery(tmp_path: Path) -> None:
    """Syslog acknowledges nothing, so only an orderly end says that all was read."""
    lines = lines_of(tmp_path / "audit.jsonl", 400)
    with syslog_receiver(resets=1) as receiver:
        collector = SyslogCollector("127.0.0.1", receiver.port, is_tls=False)
        with pytest.raises(CollectorUnavailable):
            await collector.send(lines)
        await collector.send(lines)
        assert len(receiver.read) == len(lines)


@pytest.mark.parametrize("secured", [True, False])
@pytest.mark.parametrize("count", [1, 400])
async def test_a_receiver_that_closes_at_once_has_nothing(
    tmp_path: Path, count: int, *, secured: bool
) -> None:
    """It has ended the connection in order, too, but before our lines and not after them."""
    lines = lines_of(tmp_path / "audit.jsonl", count)
    certificate = write_certificate(tmp_path) if secured else None
    with syslog_receiver(certificate, closes=1) as receiver:
        ca = certificate[0] if certificate else None
        collector = SyslogCollector("127.0.0.1", receiver.port, is_tls=secured, ca=ca)
        with pytest.raises(CollectorUnavailable):
            await collector.send(lines)
        await collector.send(lines)
        assert len(receiver.read) == count


async def test_a_receiver_that_ends_tls_without_a_word_has_all(tmp_path: Path) -> None:
    """Many close the connection and leave out the end of TLS."""
    lines = lines_of(tmp_path / "audit.jsonl", 50)
    certificate = write_certificate(tmp_path)
    with syslog_receiver(certificate, is_rude=True) as receiver:
        collector = SyslogCollector("127.0.0.1", receiver.port, is_tls=True, ca=certificate[0])
        await collector.send(lines)
        assert len(receiver.read) == 50


async def test_a_certificate_of_somebody_else_is_refused(tmp_path: Path) -> None:
    """One of an unknown CA, and one for another host, also from the CA that is set."""
    (line,) = lines_of(tmp_path / "audit.jsonl", 1)
    other, elsewhere = write_certificate(tmp_path), write_certificate(tmp_path, "192.0.2.1")
    for certificate, ca in ((other, None), (elsewhere, elsewhere[0])):
        with syslog_receiver(certificate) as receiver:
            collector = SyslogCollector("127.0.0.1", receiver.port, is_tls=True, ca=ca)
            with pytest.raises(CollectorUnavailable, match="the certificate is not accepted"):
                await collector.send([line])
            assert receiver.read == []


async def test_a_ca_file_that_is_none_is_named(tmp_path: Path) -> None:
    """The setting and the reason."""
    (line,) = lines_of(tmp_path / "audit.jsonl", 1)
    (tmp_path / "empty.pem").touch()
    for ca in (tmp_path / "none.pem", tmp_path / "empty.pem"):
        collector = SyslogCollector("127.0.0.1", 9, is_tls=True, ca=ca)
        with pytest.raises(CollectorUnavailable, match="CLAWBACK_AUDIT_COLLECTOR_CA"):
            await collector.send([line])


async def test_http_takes_lines_as_ndjson(tmp_path: Path) -> None:
    """With a token that can change, and an id that is the same for the same lines."""
    lines = lines_of(tmp_path / "audit.jsonl")
    tokens = iter(["one", "two", ""])
    with http_receiver() as receiver:
        collector = HttpCollector(receiver.url, lambda: next(tokens))
        for batch in (lines, lines, lines[:2]):
            await collector.send(batch)
        assert receiver.accepted == [line.text for line in (*lines, *lines, *lines[:2])]
    assert [one.get("authorization") for one in receiver.headers] == [
        "Bearer one",
        "Bearer two",
        None,
    ]
    ids = [one["idempotency-key"] for one in receiver.headers]
    assert ids[0] == ids[1] == f"1-5-{lines[-1].hash[:16]}" != ids[2]


@pytest.mark.parametrize("status", [302, 400, 401, 429, 503])
async def test_every_other_answer_is_no_delivery(tmp_path: Path, status: int) -> None:
    """No redirect is followed, with a token or without; the wait that is asked for is kept."""
    lines = lines_of(tmp_path / "audit.jsonl")
    with http_receiver(status) as receiver:
        with pytest.raises(CollectorUnavailable, match=f"status {status}") as refused:
            await HttpCollector(receiver.url, lambda: "secret").send(lines)
        assert len(receiver.headers) == 1
    assert refused.value.retry_after == timedelta(seconds=7)
    assert "secret" not in str(refused.value)


async def test_nobody_at_the_other_end_is_said_without_the_url() -> None:
    """Its path may be a secret."""
    line = AuditLine(b"{}\n", 1, datetime.now(UTC), "acted", 1, "", "")
    for collector in (
        HttpCollector("http://127.0.0.1:9/secret", lambda: "secret"),
        SyslogCollector("127.0.0.1", 9, is_tls=False),
    ):
        with pytest.raises(CollectorUnavailable) as refused:
            await collector.send([line])
        assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    ["http://siem.example/x", "syslog+tcp://siem.example:514", "syslog://siem.example", "siem"],
)
def test_a_collector_elsewhere_needs_tls(url: str) -> None:
    """The audit quotes mail."""
    with pytest.raises(ValueError, match="expected https"):
        Settings(audit_collector=url)
    Settings(audit_collector="http://127.0.0.1:8088/x")
    Settings(audit_collector="syslog+tls://siem.example:6514")
