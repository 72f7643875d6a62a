"""Webhook: our own JSON, signed by the Standard Webhooks specification (standardwebhooks.com)."""

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, SecretStr
from standardwebhooks import Webhook

from clawback.cases import NotificationContext
from clawback.notifications.channels.base import HttpChannel, Secret
from clawback.notifications.rendering import RenderedNotification, summarize
from clawback.secret_files import require_form

_KEY_PREFIX = "whsec_"
_MIN_KEY_BYTES = 24


def _require_key(key: SecretStr) -> SecretStr:
    require_form(key, _check_key)
    return key


def _check_key(key: str) -> None:
    try:
        size = len(base64.b64decode(key.removeprefix(_KEY_PREFIX), validate=True))
    except binascii.Error:
        size = 0

    if not key.startswith(_KEY_PREFIX) or size < _MIN_KEY_BYTES:
        raise ValueError(
            f"expected {_KEY_PREFIX} and base64 of {_MIN_KEY_BYTES} bytes or more: "
            f"echo {_KEY_PREFIX}$(openssl rand -base64 32)"
        )


class WebhookChannel(HttpChannel):
    """A receiver of your own, for instance a SIEM."""

    supports_screenshots: ClassVar[bool] = True

    kind: Literal["webhook"]
    key: Annotated[Secret, AfterValidator(_require_key)]
    payload: Literal["summary", "case"] = "summary"
    """Whether the whole case goes along, as a system for tickets needs it."""

    @property
    def wants_document(self) -> bool:
        return self.payload == "case"

    def build_request(self, notification: RenderedNotification) -> Mapping[str, Any]:
        body = build_body(notification)
        signature = sign(body, notification.id, datetime.now(UTC), self.key.get_secret_value())
        return {
            "content": body,
            "headers": {"content-type": "application/json", **signature},
        }


def build_body(notification: RenderedNotification) -> bytes:
    """Build the JSON body.

    `text` is defanged. `group` and `document` hold values from mail as they are: a receiver that
    displays them must defang them itself.
    """
    context = notification.context
    body = {
        "type": "digest" if context is None else f"{_subject_of(context)}.{context.occasion}",
        "timestamp": notification.at.isoformat(),
        "id": notification.id,
        "data": _build_data(notification, context),
    }

    return json.dumps(body, ensure_ascii=True).encode()


def _build_data(
    notification: RenderedNotification, context: NotificationContext | None
) -> Mapping[str, Any]:
    if context is None:
        waited = notification.digest.waiting if notification.digest is not None else ()
        return {
            "text": notification.text,
            "notifications": [one.model_dump(mode="json", exclude={"until"}) for one in waited],
            "link": notification.link,
            "audit_head": notification.audit_head or None,
        }

    screenshot = notification.screenshot
    return {
        "case": context.case,
        "uid": context.uid,
        "rule": context.rule,
        "rule_version": context.version,
        "title": context.title,
        "level": context.level,
        "summary": summarize(context),
        "text": notification.text,
        "done": [action.model_dump() for action in context.actions],
        "messages": context.messages,
        "events": context.events,
        "group": context.group,
        "reason": context.reason or None,
        "decided_by": list(context.decided_by),
        "answer_by": context.answer_by.isoformat() if context.answer_by else None,
        "link": notification.link,
        "audit_head": notification.audit_head or None,
        "document": notification.document,
        "screenshot": base64.b64encode(screenshot).decode() if screenshot else None,
    }


def _subject_of(context: NotificationContext) -> str:
    if context.is_installation:
        return "installation"
    return "undo" if context.is_undo else "case"


def sign(body: bytes, message_id: str, at: datetime, key: str) -> Mapping[str, str]:
    """Return the signature headers. The id is the same for every attempt; `at` is this attempt's.

    Args:
        body: the bytes to send.
        message_id: identifies the notification; receivers drop repeats by it.
        at: when the attempt is made, in UTC.
        key: the shared key, `whsec_…`.

    """
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(key).sign(message_id, at, body.decode()),
    }
