"""Our own JSON, signed by the Standard Webhooks specification (standardwebhooks.com), so that any of its libraries verifies it."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime

from clawback.notifications.channels import KEY_PREFIX
from clawback.notifications.rendering import RenderedNotification, summary


def webhook_body(letter: RenderedNotification) -> bytes:
    """Write a letter as JSON.

    `group` holds values out of mail as they are: a receiver that shows them must make them harmless
    itself.
    """
    facts = letter.facts
    data = {
        "case": facts.case,
        "rule": facts.rule,
        "rule_version": facts.version,
        "title": facts.title,
        "level": facts.level,
        "summary": summary(facts),
        "text": letter.text,
        "done": [deed.model_dump() for deed in facts.actions],
        "messages": facts.messages,
        "events": facts.events,
        "group": facts.group,
        "reason": facts.reason or None,
        "decided_by": list(facts.decided_by),
        "answer_by": facts.answer_by.isoformat() if facts.answer_by else None,
        "link": letter.link,
        "screenshot": base64.b64encode(letter.picture).decode() if letter.picture else None,
    }
    said = {
        "type": f"case.{facts.occasion}",
        "timestamp": facts.at.isoformat(),
        "id": letter.id,
        "data": data,
    }
    return json.dumps(said, ensure_ascii=True).encode()


def sign_webhook(body: bytes, delivery: str, at: datetime, key: str) -> Mapping[str, str]:
    """Sign a body: HMAC-SHA256 over `id.timestamp.body`.

    The id is the same at every attempt, the timestamp is that of this one.
    """
    stamp = str(int(at.timestamp()))
    secret = base64.b64decode(key.removeprefix(KEY_PREFIX))
    digest = hmac.new(secret, f"{delivery}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": delivery,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
