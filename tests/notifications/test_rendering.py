"""The rendered text reports real outcomes, and text from mail cannot change its meaning."""

import re
from dataclasses import replace

import pytest

from clawback.actions import InstallationOccasion, Notify, Occasion, TellReporter
from clawback.cases import ActionSummary
from clawback.cases.announcements import OCCASIONS, Announcement, announce
from clawback.model.audit_record import AuditRecord
from clawback.model.messages import Target
from clawback.notifications import render_notification
from tests.notifications.samples import LINKS, NOW, build_notification, build_step

FIRST = Target(id="m1", at=NOW, sender="boss@evil.test", mailbox="ana@own.test")


def test_the_default_text_reports_each_outcome_with_its_count() -> None:
    """It claims nothing that was not done."""
    outcomes = {"moved": 2, "already_there": 1, "unknown": 1, "failed:not_found": 1}
    actions = (
        ActionSummary(action="move to JunkEmail", outcomes=outcomes),
        ActionSummary(action="block email for 30d", outcomes={}),
    )
    text = build_notification(actions=actions).text
    assert (
        "move to JunkEmail: 1 already there, 1 failed (not found), 2 moved, "
        "1 unknown (it could not be verified)\n"
    ) in text
    assert "block email for 30d: nothing yet" in text


def test_the_subject_counts_outcomes_over_all_actions() -> None:
    """Reasons of failures are in the text only."""
    actions = (
        ActionSummary(action="a", outcomes={"moved": 2, "failed:not_found": 1}),
        ActionSummary(action="b", outcomes={"already_there": 1, "unknown": 1}),
    )
    subject = build_notification(actions=actions).subject
    assert "Done: 1 already there, 1 failed, 2 moved, 1 unknown" in subject


def test_the_default_text_names_the_approvers_and_the_reason() -> None:
    """Both come from people, so they are defanged too."""
    text = build_notification(decided_by=("ana", "ben"), reason="see x.test").text
    assert "Approved by ana, ben\n" in text
    assert "Reason: see x[.]test\n" in text


@pytest.mark.parametrize(
    ("occasion", "what"),
    [
        (Occasion.HELD, "Denying the case returns them to the inbox"),
        (Occasion.DENIED, "They return to the inbox"),
        (Occasion.EXPIRED, "They stay there unless you undo it: clawback undo case"),
    ],
)
def test_the_default_text_says_what_becomes_of_what_was_moved_aside(
    occasion: Occasion, what: str
) -> None:
    """While a case was held it may have moved messages, which a denial returns."""
    assert what in build_notification(occasion=occasion, moved_while_held=3).text
    assert what not in build_notification(occasion=occasion).text


def test_the_default_text_has_no_blank_lines() -> None:
    """Parts that do not apply leave nothing behind."""
    lines = build_notification(group={"edf_hash": "x"}).text.splitlines()
    assert all(line.strip() for line in lines)
    assert lines[-2:] == ["edf_hash: x", "Case: case/r/0123"]


@pytest.mark.parametrize(
    ("occasion", "expected"),
    [
        (Occasion.HELD, "Held: waiting for approval"),
        (Occasion.DENIED, "Denied"),
        (Occasion.EXPIRED, "Expired: nobody answered"),
    ],
)
def test_subject_and_text_name_the_occasion(occasion: Occasion, expected: str) -> None:
    """Whoever reads only the subject knows whether to act."""
    notification = build_notification(occasion=occasion)
    assert expected in notification.subject
    assert expected in notification.text


def test_a_held_case_says_until_when_it_waits() -> None:
    """And how to look at it."""
    text = build_notification(occasion=Occasion.HELD, answer_by=NOW).text
    assert "If nobody answers by 2026-11-22 12:00 UTC: denied, nothing is done" in text
    assert "clawback case show case/r/0123" in text


def test_a_held_case_says_what_an_approval_does_and_why_it_matched() -> None:
    """Patterns and clauses hold text from mail, which is defanged."""
    text = build_notification(
        occasion=Occasion.HELD,
        reason="surge",
        why=("from = a@evil.test", "verdict = MALICIOUS"),
        proposes=("move to JunkEmail", "block a@evil.test for 7d"),
        approvers=2,
        messages=43,
        mailboxes=31,
        actions=(ActionSummary(action="move to JunkEmail"),),
    ).text
    assert text.splitlines()[1].startswith("If approved")
    assert "nothing was done yet\nMessages: 43 in 31 mailboxes" in text
    assert "nothing yet" not in text
    assert "Matched: from = a@evil[.]test; verdict = MALICIOUS\n" in text
    assert "Held because: surge\n" in text
    assert "If approved by 2 people: move to JunkEmail; block a@evil[.]test for 7d\n" in text


def test_a_notification_of_an_undo_links_to_the_undo() -> None:
    """The number of a page is no part of the link."""
    notification = build_notification(case="undo/abc/1", uid="undo/abc/1/run", is_undo=True)
    assert notification.link == "https://console.test/undo/abc"
    assert notification.link_label == "Open the undo"


def test_a_placeholder_is_filled_once() -> None:
    """A value from mail is never read as a template."""
    group = {"subject": "{case} {evil}"}
    notification = build_notification("{subject} by {rule}: {done} {link}", group=group)
    assert notification.text == (
        "{case} {evil} by r: move to JunkEmail: 1 failed (not found), 2 moved "
        "https://console.test/cases/r/0123?run=run"
    )


def test_a_value_from_mail_is_no_jinja_template() -> None:
    """The default text is rendered by Jinja; values are not."""
    text = build_notification(group={"subject": "{{ 7 * 7 }}{% raw %}"}).text
    assert "subject: {{ 7 * 7 }}{% raw %}" in text


def test_sender_and_mailbox_of_the_first_message_are_defanged() -> None:
    """In the default text and in a template."""
    default = build_notification(first=FIRST).text
    assert "First message: from boss@evil[.]test to ana@own[.]test" in default
    template = build_notification("{sender}, {mailbox}", first=FIRST).text
    assert template == "boss@evil[.]test, ana@own[.]test"


def test_the_first_message_is_named_by_subject_sender_and_authentication() -> None:
    """Address before display name, which anybody can choose. All of it comes from mail."""
    first = replace(
        FIRST,
        subject="Invoice 4471 at https://pay.test",
        sender_name="PayPal\r\n<service@paypal.test>",
        spf="FAIL",
        dmarc="none",
    )
    lines = build_notification(first=first).text.splitlines()
    assert "Subject: Invoice 4471 at hxxps[:]//pay[.]test" in lines
    assert (
        'First message: from boss@evil[.]test ("PayPal <service@paypal[.]test>") to ana@own[.]test'
    ) in lines
    assert "Authentication: spf fail, dmarc none" in lines
    template = build_notification("{subject}|{sender_name}|{authentication}", first=first).text
    assert template.count("|") == 2
    assert "\n" not in template


def test_a_word_without_a_value_is_empty() -> None:
    """The case has no first message."""
    assert build_notification("{sender}").text == ""


def test_a_group_field_takes_precedence_over_a_word_of_the_case() -> None:
    """A PhishGuard report has a title of its own."""
    assert build_notification("{title}", group={"title": "Reported"}).text == "Reported"


def test_a_missing_screenshot_is_explained_at_the_end() -> None:
    """The reader asked for it."""
    notification = render_notification(build_step(), missing="No picture.")
    assert notification.text.endswith("No picture.")


def test_people_get_the_head_of_the_audit_and_reporters_do_not() -> None:
    """Whatever the template says and however long the text is: it is what people keep."""
    step = build_step(Notify(channel="soc", template="x" * 4000))
    text = render_notification(step, missing="y" * 3000, audit_head="12:0123456789ab").text
    assert text.endswith("…\nAudit head: 12:0123456789ab")
    step = build_step(TellReporter(channel="desk"), reporter="u@own.test")
    assert "Audit" not in render_notification(step, audit_head="12:0123456789ab").text


def test_a_reporter_is_thanked_and_told_the_outcome() -> None:
    """The text leaves out what only the team needs."""
    step = build_step(TellReporter(channel="desk"), reporter="u@own.test")
    text = render_notification(step).text
    assert "Thank you" in text
    assert "2 moved" in text
    assert "case/" not in text


def test_the_id_does_not_depend_on_the_channel_and_reveals_nothing() -> None:
    """Receivers drop repeats by it."""
    assert build_step().id == build_step(Notify(channel="other")).id
    assert re.fullmatch(r"[0-9a-f]{32}", build_step().id)


def test_audit_records_name_a_reporter_by_a_hash() -> None:
    """They are searchable, and the address is personal data."""
    recipient = build_step(reporter="someone@own.test").recipient
    assert re.fullmatch(r"reporter/[0-9a-f]{12}", recipient)


@pytest.mark.parametrize("occasion", InstallationOccasion)
def test_every_occasion_of_the_installation_says_what_happened_and_who_did_it(
    occasion: InstallationOccasion,
) -> None:
    """There is no case, so nothing of one is in the text."""
    record = AuditRecord(
        id="guard/7",
        at=NOW,
        kind=next(kind for kind, one in OCCASIONS.items() if one is occasion),
        rule="quarantine" if occasion.startswith("rule") else None,
        actor="ana",
        detail="see evil.test",
    )
    announcement = Announcement.of(record)
    assert announcement is not None
    (step,) = announce(announcement, "guard", ["soc"])
    notification = render_notification(step, LINKS)
    page = "rules/quarantine" if occasion.startswith("rule") else "ops"
    assert notification.link == f"https://console.test/{page}"
    assert "By ana\nReason: see evil[.]test" in notification.text
    assert "quarantine" in notification.text or page == "ops"
    assert "Messages" not in notification.text
    assert "None" not in notification.text
