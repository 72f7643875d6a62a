"""What is said: what was really done, in words that mail cannot bend."""

import json
import re
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawback.actions import Notify, Occasion, TellReporter
from clawback.cases import ActionSummary
from clawback.model.messages import Target
from clawback.notifications import MailChannel, render_notification
from clawback.notifications.chat import slack_body, teams_body
from clawback.notifications.defang import defang
from clawback.notifications.mail import mail_of
from tests.notifications.letters import NOW, letter, tell

EVIL = "<!channel> <@U1> @here [click](https://evil.test/x) *b* \r\nBcc: x@y.test javascript:alert(1) \u202egnp.exe"
MAIL = MailChannel.model_validate(
    {
        "kind": "mail",
        "host": "127.0.0.1",
        "security": "none",
        "sender": "S <s@own.test>",
        "to": ["a@own.test"],
    }
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("https://evil.test/a?b", "hxxps[:]//evil[.]test/a?b"),
        ("HTTP:\\\\evil.test", "hxxp[:]\\\\evil[.]test"),
        ("see evil。test now", "see evil[.]test now"),
        ("a\r\nBcc: b@c.test", "a Bcc: b@c[.]test"),
        ("@everyone come", "[@]everyone come"),
        ("in\u200bvis\u202eible", "invisible"),
        ("javascript:alert(1) mailto:x", "javascript[:]alert(1) mailto[:]x"),
        ("Invoice 3 is due.", "Invoice 3 is due."),
    ],
)
def test_text_out_of_mail_is_defanged(text: str, said: str) -> None:
    """It reads as it did, and cannot be clicked."""
    assert defang(text) == said


@given(st.text())
def test_no_text_survives_as_a_link_a_mention_or_a_second_line(text: str) -> None:
    """Whatever it is."""
    said = defang(text)
    assert len(said) <= 200
    assert "://" not in said
    assert "\n" not in said
    assert "\r" not in said
    assert re.search(r"\w\.\w|(?<!\w)@\w", said) is None


def test_the_default_text_says_what_was_really_done() -> None:
    """Each outcome with its count; nothing is claimed that was not done."""
    deeds = (
        ActionSummary(
            action="move to JunkEmail",
            outcomes={"moved": 2, "already_there": 1, "unknown": 1, "failed:not_found": 1},
        ),
        ActionSummary(action="block email for 30d", outcomes={}),
    )
    text = letter(actions=deeds, decided_by=("ana", "ben"), reason="ours").text
    assert (
        "move to JunkEmail: 1 already there, 1 failed (not found), 2 moved, 1 unknown (nobody could tell"
        in text
    )
    assert "block email for 30d: nothing yet" in text
    assert "Approved by ana, ben" in text
    assert "Done: 1 already there, 1 failed, 2 moved, 1 unknown" in letter(actions=deeds).subject


@pytest.mark.parametrize(
    ("occasion", "said"),
    [
        (Occasion.HELD, "Held: it waits"),
        (Occasion.DENIED, "Denied"),
        (Occasion.EXPIRED, "Expired: nobody answered"),
    ],
)
def test_each_occasion_is_named(occasion: Occasion, said: str) -> None:
    """In the subject as in the text."""
    made = letter(occasion=occasion)
    assert said in made.subject
    assert said in made.text


def test_a_template_takes_fields_and_words_once() -> None:
    """A value out of mail is never read as a template."""
    made = letter("{subject} by {rule}: {done} {link}", group={"subject": "{case} {evil}"})
    assert made.text.startswith(
        "{case} {evil} by r: move to JunkEmail: 1 failed (not found), 2 moved https://ui.test/workflows/case%2Fr%2F0123/run/history"
    )


def test_who_wrote_to_whom_is_said_defanged() -> None:
    """Of the first message; a template may ask for it."""
    first = Target(id="m1", at=NOW, sender="boss@evil.test", mailbox="ana@own.test")
    assert "First message: from boss@evil[.]test to ana@own[.]test" in letter(first=first).text
    assert letter("{sender}, {mailbox}", first=first).text == "boss@evil[.]test, ana@own[.]test"
    assert letter("{sender}").text == ""


def test_a_field_of_the_group_goes_before_a_word_of_the_case() -> None:
    """A PhishGuard report has a title of its own."""
    assert letter("{title}", group={"title": "Reported"}).text == "Reported"


def test_a_missing_picture_is_told() -> None:
    """The text ends by saying so."""
    assert render_notification(tell(), without="No picture.").text.endswith("No picture.")


def test_a_reporter_is_thanked_and_told() -> None:
    """Without the words that are for the team alone."""
    made = render_notification(tell(TellReporter(channel="desk"), to="u@own.test"))
    assert "Thank you" in made.text
    assert "2 moved" in made.text
    assert "case/" not in made.text


def test_slack_gets_nothing_that_it_reads_as_markup() -> None:
    """Plain text, but for the link that is ours; mentions in the fallback are escaped."""
    body = slack_body(letter("{subject}", group={"subject": EVIL}, title=EVIL))
    kinds = {block["type"]: block.get("text", {}).get("type") for block in body["blocks"]}
    assert kinds == {"header": "plain_text", "section": "plain_text", "context": None}
    assert "<" not in body["text"]
    assert not body["unfurl_links"]
    (link,) = body["blocks"][-1]["elements"]
    assert link["text"] == "<https://ui.test/workflows/case%2Fr%2F0123/run/history|Open the case>"
    assert all(
        len(block["text"]["text"]) <= 3000
        for block in slack_body(letter("x" * 3980 + "\n{subject}"))["blocks"][1:-1]
    )


def test_teams_gets_an_adaptive_card_of_text_runs() -> None:
    """Text runs are never read as Markdown, and there are no mentions; the only link is ours."""
    body = teams_body(letter("{subject}", group={"subject": EVIL}))
    (attachment,) = body["attachments"]
    card = attachment["content"]
    assert (body["type"], attachment["contentType"], card["type"]) == (
        "message",
        "application/vnd.microsoft.card.adaptive",
        "AdaptiveCard",
    )
    assert {run["type"] for block in card["body"] for run in block["inlines"]} == {"TextRun"}
    assert "entities" not in card["msteams"]
    assert "https://evil" not in json.dumps(card)
    assert [action["url"] for action in card["actions"]] == [
        "https://ui.test/workflows/case%2Fr%2F0123/run/history"
    ]


def _parsed(**said: Any) -> Any:
    return message_from_bytes(mail_of(letter(**said), MAIL).as_bytes(), policy=default)


def test_a_mail_has_safe_headers_and_a_stable_id() -> None:
    """Nothing of the event becomes a header.

    The same notice has the same id, another has another.
    """
    mail = _parsed(template="{subject}", group={"subject": EVIL}, title="A\r\nBcc: x@y.test")
    assert mail["Bcc"] is None
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"] == _parsed()["Message-ID"] != _parsed(uid="another")["Message-ID"]
    assert str(mail["Message-ID"]).endswith("@own.test>")


def test_a_picture_is_attached_to_a_mail() -> None:
    """As a PNG."""
    (attachment,) = _parsed(picture=b"\x89PNG").iter_attachments()
    assert (attachment.get_content_type(), attachment.get_content()) == ("image/png", b"\x89PNG")


def test_a_notice_has_a_stable_id_from_which_nothing_can_be_read() -> None:
    """Receivers drop repeats by it."""
    assert tell().id == tell(Notify(channel="other")).id
    assert re.fullmatch(r"[0-9a-f]{32}", tell().id)
    assert tell(to="someone@own.test").recipient.startswith("reporter/")
    assert "someone" not in tell(to="someone@own.test").recipient
