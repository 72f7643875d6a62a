"""The benign mail that benches generate, and the figures of rules/README.md."""

import json
from collections import Counter
from pathlib import Path

import pytest

from bench.benign_kinds import KINDS
from bench.benign_mail import MESSAGES, benign_mail
from bench.precision import (
    README,
    SHARED,
    Line,
    Precision,
    measure,
    page_with,
    read_corpus,
    with_verdict,
)
from clawback.model.times import parse_time
from tests.shipped import shipped_rules

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def measured() -> Precision:
    """The figures of the shipped rules on all corpora."""
    if not SHARED.exists():
        pytest.skip("the shared corpora are not here")
    return measure(
        shipped_rules(),
        read_corpus(SHARED / "phishing_pot.jsonl.gz"),
        read_corpus(SHARED / "ham.jsonl.gz"),
    )


def test_the_same_seed_gives_the_same_mail() -> None:
    """The generated mail depends on count and seed alone."""
    assert _lines(200, 1) == _lines(200, 1)
    assert _lines(200, 1) != _lines(200, 2)


def test_benign_mail_is_varied() -> None:
    """There are at least 2,000 messages of all kinds, and each has ids of its own."""
    messages = [line["message"] for line in benign_mail()]
    subjects = {message["subject"] for message in messages}

    assert len(messages) == MESSAGES >= 2_000
    assert len({message["id"] for message in messages}) == MESSAGES
    assert len(subjects) > 900
    assert len(KINDS) >= 15
    for subject in ("Rechnung", "facture", "Factura", "パスワード", "Undelivered", "via DocuSign"):
        texts = (f"{one['subject']} {one['from_name']}" for one in messages)
        assert any(subject in text for text in texts), subject


def test_benign_mail_has_the_shape_of_the_corpus() -> None:
    """A generated line has the fields of a line of the legitimate corpus, and a valid time."""
    if not SHARED.exists():
        pytest.skip("the shared corpora are not here")
    real = read_corpus(SHARED / "ham.jsonl.gz")[0]
    retired = {"ts", "sent_date", "findings", "action_log"}

    for line in benign_mail(100):
        assert line["message"].keys() == real["message"].keys() - retired
        assert line["detections"].keys() == real["detections"].keys()
        assert parse_time(line["message"]["scanned_at"]) is not None


def test_no_benign_mail_has_a_malicious_verdict() -> None:
    """Its own verdicts are those of clean mail, bulk and a little spam."""
    verdicts = Counter(line["message"]["final_disposition"] for line in benign_mail())

    assert set(verdicts) == {"NONE", "BULK", "SPAM"}
    assert verdicts["SPAM"] < MESSAGES / 20


def test_a_wrong_verdict_changes_nothing_else() -> None:
    """Falsified mail is the same mail with another verdict, also in its detections."""
    (line,) = benign_mail(1)
    (wrong,) = with_verdict([line], "SPOOF")

    assert wrong["message"] == {**line["message"], "final_disposition": "SPOOF"}
    assert wrong["detections"] == {**line["detections"], "final_disposition": "SPOOF"}


def test_precision_and_recall_are_counted_per_message() -> None:
    """What matches is counted in each set by itself, and one message counts once for a rule."""
    phishing = [_with(line, final_disposition="MALICIOUS-BEC") for line in benign_mail(10)]
    found = measure(
        shipped_rules(), phishing, [_with(line, final_disposition="NONE") for line in phishing]
    )
    bec = next(one for one in found.rules if one.rule == "quarantine_bec")

    assert found.sizes == {"phishing": 10, "ham": 10, "modern": MESSAGES}
    assert bec.matched["phishing"] == 10
    assert (bec.precision, bec.recall(10)) == (1.0, 1.0)


def test_a_correlation_counts_only_the_messages_of_its_cases() -> None:
    """A group below the threshold does not count."""
    lines = [
        _with(line, final_disposition="SPOOF", htmltext_structure_hash="same", edf_hash=str(number))
        for number, line in enumerate(benign_mail(9))
    ]
    found = measure(shipped_rules(), lines, lines)
    campaign = next(one for one in found.rules if one.rule == "junk_spoof_campaign")

    assert campaign.matched["phishing"] == 0
    assert campaign.precision is None


def test_no_enforcing_rule_matches_mail_with_its_own_verdict(measured: Precision) -> None:
    """Rules that act touch no benign mail that Cloudflare judged correctly."""
    acting = [one for one in measured.rules if one.mode == "enforce"]

    assert acting
    assert [one.rule for one in acting if one.matched["ham"] or one.matched["modern"]] == []


def test_the_figures_in_the_readme_are_true(measured: Precision) -> None:
    """The table of rules/README.md is what `python -m bench precision --write` writes now."""
    stale = "run `python -m bench precision --write`"
    assert README.read_text(encoding="utf-8") == page_with(measured), stale


def _lines(count: int, seed: int) -> list[str]:
    return [json.dumps(line) for line in benign_mail(count, seed)]


def _with(line: Line, **changes: object) -> Line:
    return {**line, "message": {**line["message"], **changes}}
