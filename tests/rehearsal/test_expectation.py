"""What should happen to a corpus under the shipped rules."""

from datetime import timedelta
from functools import partial

import pytest

from clawback.rehearsal import Expectation
from clawback.simulator import parse_line
from tests.rehearsal.samples import NOW, expect, message


def summarize(expectation: Expectation) -> list[tuple[str, str, str]]:
    """Rule, action and result of each expected action."""
    return sorted(
        (expected.rule, expected.action.name, expected.result.value)
        for expected in expectation.actions
    )


def test_each_message_of_a_campaign_is_moved_and_the_case_reclassified_once() -> None:
    """Two messages of one body are one case: two moves, one reclassification."""
    found = expect(
        message("m1", "MALICIOUS-BEC", edf_hash="h"),
        message("m2", "MALICIOUS-BEC", edf_hash="h", hours=30),
    )
    assert summarize(found) == [
        ("quarantine_bec", "move", "done"),
        ("quarantine_bec", "move", "done"),
        ("quarantine_bec", "reclassify", "done"),
    ]
    assert found.count_changes() == 3
    assert found.matched == {"quarantine_bec": 2, "block_repeat_sender": 2}


@pytest.mark.parametrize(
    ("hours", "blocked"),
    [((0, 12, 24), True), ((0, 12, 24.01), False), ((0, 0, 0), True), ((0, 13, 26, 39), False)],
)
def test_a_window_is_closed_at_both_ends_and_slides(
    hours: tuple[float, ...], *, blocked: bool
) -> None:
    """Three campaigns within exactly a day meet the threshold, in any order."""
    lines = [
        message(f"m{number}", "MALICIOUS", hours=ago, edf_hash=str(number))
        for number, ago in enumerate(hours)
    ]
    for order in (lines, lines[::-1]):
        assert (
            ("block_repeat_sender", "block_sender", "done") in summarize(expect(*order))
        ) is blocked


@pytest.mark.parametrize("dmarc", ["fail", "none", "error"])
def test_a_partner_whose_from_is_forged_is_not_blocked(dmarc: str) -> None:
    """Three malicious campaigns that did not pass DMARC block nobody."""
    forged = {"spf": "fail", "dkim": "none", "dmarc": dmarc}
    send = partial(message, sender="ap@partner.example", validation=forged)
    found = expect(*(send(f"m{number}", "MALICIOUS", edf_hash=str(number)) for number in range(3)))
    assert "block_sender" not in {action for _, action, _ in summarize(found)}


@pytest.mark.parametrize(
    ("sender", "result"),
    [("a@cloudflare.com", "impossible"), ("no-domain", "impossible"), ("a@x.test", "done")],
)
def test_a_sender_that_cannot_be_blocked_is_expected_to_fail(sender: str, result: str) -> None:
    """A sender on the never-block list, or an invalid address, ends as a recorded failure."""
    found = summarize(
        expect(
            *(
                message(f"m{number}", "MALICIOUS", sender=sender, edf_hash=str(number))
                for number in range(3)
            )
        )
    )
    assert found == [("block_repeat_sender", "block_sender", result)]


def test_a_shadow_rule_is_expected_to_record_only() -> None:
    """It changes nothing."""
    lines = [
        message(f"m{number}", "SPOOF", htmltext_structure_hash="s", edf_hash=str(number))
        for number in range(10)
    ]
    found = expect(*lines)
    assert set(summarize(found)) == {("junk_spoof_campaign", "move", "shadowed")}
    assert found.count_changes() == 0


def test_mail_with_an_ignored_delivery_mode_is_left_out() -> None:
    """safety.yml lists the delivery modes to ignore."""
    simulation = message("m1", "MALICIOUS-BEC", delivery_mode="SIMULATION_SUBMISSION")
    assert not expect(simulation).joined


def test_mail_beyond_the_age_limit_is_left_out() -> None:
    """Without a limit it matches."""
    old = message("m1", "MALICIOUS-BEC", hours=80)
    assert not expect(old, age_limit=timedelta(hours=72)).joined
    assert expect(old).joined


def test_a_report_is_joined_to_its_message_and_its_copies() -> None:
    """A confirmed report of a missed message moves the message and its copies."""
    first, second = (
        message(name, "NONE", postfix_id="p", client_recipients=[f"{name}@corp.example"])
        for name in ("m1", "m2")
    )
    report = parse_line(
        {
            "report": {
                "id": 7,
                "disposition": "MALICIOUS",
                "created_at": NOW.isoformat(),
                "fields": {"postfix_id": "p", "to": []},
            }
        }
    )
    actions = expect(first, second, report).actions
    assert sorted(
        subject for one in actions if one.action.name == "move" for subject in one.subjects
    ) == ["m1", "m2"]
