"""Versions of answers (`ETag`), and the conditions on them (RFC 9110 §13)."""

import hashlib

from clawback.console.api.case_operations import read_details
from clawback.console.api.operations import Call
from clawback.console.api.problems import ConditionFailed

_DIGITS = 32


def version_of(content: bytes) -> str:
    """Return the entity tag of an answer: equal exactly if the bytes are."""
    return f'"{hashlib.sha256(content).hexdigest()[:_DIGITS]}"'


def matches(condition: str | None, version: str) -> bool:
    """Whether `If-Match` or `If-None-Match` names a version."""
    if condition is None:
        return False
    named = [one.strip().removeprefix("W/") for one in condition.split(",")]
    return "*" in named or version in named


async def require_version(call: Call, case_id: str) -> None:
    """Check `If-Match` of a decision, if there is one, against the case as it is.

    Raises:
        ConditionFailed: the case has changed since.
        NotFound: there is no such case.

    """
    if call.if_match is None:
        return
    current = version_of(
        (await read_details(call.services, case_id)).model_dump_json().encode("utf-8", "replace")
    )
    if not matches(call.if_match, current):
        raise ConditionFailed("The case has changed since `If-Match`.", {"etag": current})
