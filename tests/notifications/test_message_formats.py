"""What Slack, Teams and mail servers receive: no markup and no headers come from mail."""

import json
from email import message_from_bytes
from email.policy import default
from typing import Any

from clawback.notifications.channels import slack, teams
from clawback.notifications.channels.mail import MailChannel, build_mail
from tests.notifications.samples import build_notification

EVIL = (
    "<!channel> <@U1> @here [click](https://evil.test/x) *b* \r\nBcc: x@y.test "
    "javascript:alert(1) \u202egnp.exe"
)
LINK = "https://console.test/cases/r/0123?run=run"
MAIL = MailChannel(
    kind="mail", host="127.0.0.1", security="none", sender="S <s@own.test>", to=("a@own.test",)
)


def parse_mail(**changes: Any) -> Any:
    raw = build_mail(build_notification(**changes), MAIL).as_bytes()
    return message_from_bytes(raw, policy=default)


def test_slack_receives_text_from_mail_as_plain_text() -> None:
    """Mentions in the fallback text are escaped."""
    body = slack.build_body(build_notification("{subject}", group={"subject": EVIL}, title=EVIL))
    kinds = {block["type"]: block.get("text", {}).get("type") for block in body["blocks"]}
    assert kinds == {"header": "plain_text", "section": "plain_text", "actions": None}
    assert "<" not in body["text"]
    assert not body["unfurl_links"]


def test_the_only_link_for_slack_is_ours() -> None:
    """It opens the case."""
    body = slack.build_body(build_notification(group={"subject": EVIL}))
    (button,) = body["blocks"][-1]["elements"]
    assert (button["type"], button["url"]) == ("button", LINK)
    assert button["text"] == {"type": "plain_text", "text": "Open the case", "emoji": False}


def test_a_button_of_slack_never_exceeds_its_limits() -> None:
    """Slack refuses the whole message otherwise."""
    body = slack.build_body(build_notification(case=f"case/{'r' * 3000}/0123"))
    assert all(block["type"] != "actions" for block in body["blocks"])


def test_slack_sections_stay_below_its_limit() -> None:
    """Slack refuses a message with a longer one."""
    body = slack.build_body(build_notification("x" * 3980 + "\n{subject}"))
    sections = [block for block in body["blocks"] if block["type"] == "section"]
    assert len(sections) > 1
    assert all(len(section["text"]["text"]) <= 3000 for section in sections)


def test_split_text_prefers_line_ends() -> None:
    """A line longer than the limit is cut."""
    assert list(slack.split_text("ab\ncd\n\nefghijk", 6)) == ["ab\ncd", "efghij", "k"]


def test_teams_receives_an_adaptive_card_of_text_runs() -> None:
    """Teams does not read text runs as Markdown."""
    body = teams.build_body(build_notification("{subject}", group={"subject": EVIL}))
    (attachment,) = body["attachments"]
    card = attachment["content"]
    assert (body["type"], card["type"]) == ("message", "AdaptiveCard")
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert {run["type"] for block in card["body"] for run in block["inlines"]} == {"TextRun"}


def test_the_only_link_for_teams_is_ours() -> None:
    """There are no mentions either."""
    body = teams.build_body(build_notification("{subject}", group={"subject": EVIL}))
    card = body["attachments"][0]["content"]
    assert "entities" not in card["msteams"]
    assert "https://evil" not in json.dumps(card)
    assert [action["url"] for action in card["actions"]] == [LINK]


def test_a_card_for_teams_stays_below_its_limit() -> None:
    """Teams drops a larger one; the end of the text goes, and the button stays."""
    body = teams.build_body(build_notification("é\n" * 1900))
    assert len(json.dumps(body, ensure_ascii=False).encode()) < 28_000
    card = body["attachments"][0]["content"]
    assert card["body"][-1]["inlines"][0]["text"] == "…"
    assert len(card["body"]) > 50
    assert card["actions"]


def test_a_mail_has_the_link_as_text() -> None:
    """It is plain text, so the client makes the link."""
    assert f"\n{LINK}\n" in parse_mail().get_content().replace("\r\n", "\n")


def test_text_from_mail_adds_no_mail_headers() -> None:
    """Line breaks in values are collapsed."""
    group = {"subject": EVIL}
    mail = parse_mail(template="{subject}", group=group, title="A\r\nBcc: x@y.test")
    assert mail["Bcc"] is None
    assert mail["Auto-Submitted"] == "auto-generated"


def test_a_notification_keeps_its_message_id() -> None:
    """Mailboxes drop repeats by it; another notification has another."""
    assert parse_mail()["Message-ID"] == parse_mail(template="x")["Message-ID"]
    assert parse_mail()["Message-ID"] != parse_mail(uid="another")["Message-ID"]
    assert str(parse_mail()["Message-ID"]).endswith("@own.test>")


def test_a_screenshot_is_attached_as_a_png() -> None:
    """The mail clients show it below the text."""
    (attachment,) = parse_mail(screenshot=b"\x89PNG").iter_attachments()
    assert (attachment.get_content_type(), attachment.get_content()) == ("image/png", b"\x89PNG")
