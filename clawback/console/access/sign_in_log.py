"""Records in the audit of this machine who signed in and out, and whom nobody let in.

Without a record people still come in: a full disk must lock nobody out who would see to it.
"""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import structlog

from clawback.audit import AuditLog, AuditUnavailable
from clawback.identity.access_list import hash_session
from clawback.model.audit_record import AuditRecord, RecordKind
from clawback.model.identity import Actor, Identity

log = structlog.get_logger("clawback")


class WhyRefused(StrEnum):
    """Why somebody was not signed in. Nothing that a browser or a provider sent is recorded."""

    NO_ROLE = "no claim gives a role"
    UNKNOWN_ANSWER = "the answer belongs to no sign-in of this browser"
    PROVIDER_REFUSED = "the identity provider refused"
    OTHER_PROVIDER = "the answer is of another provider"
    PROVIDER_UNAVAILABLE = "the identity provider did not answer"
    NOT_VERIFIED = "the answer of the provider could not be verified"
    NOT_ASKED_AGAIN = "the provider did not ask to sign in again"
    TOO_LONG = "the name of the provider does not fit into a cookie"
    BAD_LINK = "the one-time link did not count"


@dataclass
class SignInLog:
    """Writes the records of sign-ins; without an audit it writes none."""

    audit: AuditLog | None
    now: Callable[[], datetime]

    async def note_sign_in(self, identity: Identity, session: str) -> None:
        """Record that somebody has a new session."""
        await self._write(RecordKind.SIGNED_IN, identity, f"session {hash_session(session)}")

    async def note_sign_out(self, identity: Identity, session: str) -> None:
        """Record that somebody ended their session."""
        await self._write(RecordKind.SIGNED_OUT, identity, f"session {hash_session(session)}")

    async def note_refusal(self, why: WhyRefused, identity: Identity | None = None) -> None:
        """Record that somebody was not let in; `identity` is given if it is proven."""
        await self._write(RecordKind.SIGN_IN_REFUSED, identity, why)

    async def _write(self, kind: RecordKind, identity: Identity | None, detail: str) -> None:
        if self.audit is None:
            return
        who = {"actor": "nobody"} if identity is None else Actor(identity=identity).audit_fields
        record = AuditRecord(
            id=f"{kind}/{secrets.token_hex(16)}",
            at=self.now(),
            kind=kind,
            target=identity.id if identity else None,
            action=identity.source if identity else None,
            detail=detail,
            **who,
        )
        try:
            await asyncio.to_thread(self.audit.append, [record])
        except AuditUnavailable as error:
            log.warning("console.sign_in_not_recorded", error=error)
