"""Reading corpora, the synthetic corpora, and the mail stream."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from clawback.simulator import (
    CorpusError,
    Line,
    Simulator,
    demo_corpus,
    outbreak,
    own_domains,
    parse_line,
    read_corpus,
)
from clawback.simulator.mail_stream import parse_interval, repeat_lines, restamp
from clawback.simulator.query_parameters import parse_time
from tests.simulator.conftest import line


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_plain_and_compressed(tmp_path: Path) -> None:
    """Plain and compressed files load alike; blank lines are ignored."""
    plain = write(tmp_path / "a.jsonl", json.dumps(line("a")), "", json.dumps(line("b")))
    packed = tmp_path / "c.jsonl.gz"
    packed.write_bytes(gzip.compress(json.dumps(line("c")).encode()))
    read = [one for path in (plain, packed) for one in read_corpus(path)]
    assert [one.record["id"] for one in read] == ["a", "b", "c"]


@pytest.mark.parametrize(
    "bad",
    [
        "{",
        "[]",
        "{}",
        '{"message": {}}',
        '{"message": {"id": 5}}',
        '{"message": {"id": "x"}, "detections": []}',
    ],
)
def test_bad_line_is_named(tmp_path: Path, bad: str) -> None:
    """An invalid line is an error with file and line."""
    path = write(tmp_path / "bad.jsonl", json.dumps(line("a")), "", bad)
    with pytest.raises(CorpusError, match=r"bad\.jsonl:3: "):
        list(read_corpus(path))


@pytest.mark.parametrize(
    "name", ["missing.jsonl", "torn.jsonl.gz", "no.gz", "latin.jsonl", "folder.jsonl"]
)
def test_unreadable_files_are_named(tmp_path: Path, name: str) -> None:
    """A missing, torn or undecodable file is one clear error."""
    (tmp_path / "torn.jsonl.gz").write_bytes(
        gzip.compress(json.dumps(line("a")).encode() * 50)[:-20]
    )
    (tmp_path / "no.gz").write_bytes(b"plain")
    (tmp_path / "latin.jsonl").write_bytes(b'{"message": {"id": "\xff"}}')
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(CorpusError, match=name.replace(".", r"\.")):
        list(read_corpus(tmp_path / name))


@pytest.mark.parametrize(
    ("recipients", "found"),
    [
        ([["a@x.test"], ["b@X.test."], ["<c@y.test>"]], ("x.test", "y.test")),
        ([["a@x.test", "b@x.test", "c@mail.test"]] + [["a@x.test"]] * 10, ("x.test",)),
        ([["a@x.test"]] * 9 + [["a@x.test", "c@y.test"]], ("x.test", "y.test")),
        ([["a@pot"], ["a"], "a@x.test", None], ()),
        ([], ()),
    ],
)
def test_the_domains_of_the_account_are_those_of_its_mail(
    recipients: list[Any], found: tuple[str, ...]
) -> None:
    """In any notation, once for each message; recipients elsewhere are rare."""
    records = [{"id": "m", "client_recipients": one} for one in recipients]
    assert own_domains(parse_line({"message": record}) for record in records) == found


async def test_real_corpus_loads_whole(real_lines: list[Line]) -> None:
    """Every line of the real corpus is loaded."""
    simulator = Simulator()
    assert simulator.account.add(real_lines) == 3958
    assert len(simulator.account.mailboxes.by_id) == 3958


def test_outbreak_is_one_campaign() -> None:
    """An outbreak has one sender, body and verdict, and one mailbox per message."""
    start = datetime(2026, 11, 22, tzinfo=UTC)
    messages = [entry["message"] for entry in outbreak(300, seed=4, start=start)]
    assert messages == [entry["message"] for entry in outbreak(300, seed=4, start=start)]
    assert {
        len({message[name] for message in messages})
        for name in ("from", "edf_hash", "final_disposition", "subject")
    } == {1}
    assert {
        len({json.dumps(message[name]) for message in messages})
        for name in ("id", "postfix_id", "message_id", "to", "scanned_at")
    } == {300}
    assert messages[0]["final_disposition"] == "MALICIOUS-BEC"


def test_outbreak_ends_now() -> None:
    """Without a start the last message is scanned now, so that a poll finds it."""
    last = [parse_time(entry["message"]["scanned_at"]) for entry in outbreak(50)][-1]
    assert last is not None
    assert timedelta() <= datetime.now(UTC) - last < timedelta(seconds=5)


def test_demo_is_synthetic_and_rich() -> None:
    """The demo has all common verdicts, recurring senders, quarantine, and matching reports."""
    lines = list(demo_corpus(seed=1))
    messages = {
        entry["message"]["postfix_id"]: entry["message"] for entry in lines if "message" in entry
    }
    reports = [entry["report"] for entry in lines if "report" in entry]
    assert {message["final_disposition"] for message in messages.values()} == {
        "NONE", "BULK", "SPAM", "MALICIOUS", "MALICIOUS-BEC", "SUSPICIOUS", "SPOOF",
    }  # fmt: skip
    assert all(message["from"].endswith((".test", ".example")) for message in messages.values())
    assert len(reports) >= 4
    assert all(report["fields"]["postfix_id"] in messages for report in reports)
    bad = [
        message["from"]
        for message in messages.values()
        if message["final_disposition"] == "MALICIOUS"
    ]
    assert any(bad.count(sender) >= 3 for sender in bad)
    assert any(message["is_quarantined"] for message in messages.values())
    assert [parse_line(entry).kind for entry in lines].count("message") == len(messages)


def test_the_stream_never_repeats_an_id_and_keeps_references() -> None:
    """In three rounds every id is new, and each report names an earlier message."""
    lines = [parse_line(entry) for entry in demo_corpus()]
    seen: dict[str, set[object]] = {"message": set(), "report": set()}
    postfix_ids = set()
    for arrived in islice(repeat_lines(lines), 3 * len(lines)):
        assert arrived.record["id"] not in seen[arrived.kind]
        seen[arrived.kind].add(arrived.record["id"])
        if arrived.kind == "message":
            postfix_ids.add(arrived.record["postfix_id"])
        else:
            assert arrived.record["fields"]["postfix_id"] in postfix_ids
    assert len(seen["report"]) >= 12


def test_the_stream_keeps_campaigns_within_a_round() -> None:
    """Copies of one body stay copies; the next round is another campaign."""
    lines = [parse_line(entry) for entry in outbreak(3)]
    hashes = [arrived.record["edf_hash"] for arrived in islice(repeat_lines(lines), 6)]
    assert len(set(hashes[:3])) == 1
    assert len(set(hashes)) == 2


def test_restamp_moves_all_times() -> None:
    """A restamped message was scanned now and sent shortly before."""
    now = datetime(2026, 11, 22, tzinfo=UTC)
    record = restamp(parse_line(line("a", sent_at="2011-01-01T00:00:00Z")), now).record
    assert parse_time(record["scanned_at"]) == now
    sent = parse_time(record["sent_at"])
    assert sent is not None
    assert timedelta() < now - sent <= timedelta(minutes=1)


@pytest.mark.parametrize("text", ["", "5", "0/5", "5/0", "a/5"])
def test_invalid_intervals_are_refused(text: str) -> None:
    """They name the form that is expected."""
    with pytest.raises(ValueError, match="invalid rate"):
        parse_interval(text)
    assert parse_interval("12/60") == timedelta(seconds=5)
