"""Typed calls on cases: approve, deny, comment, assign, and what `case_reader` has."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clawback.cases import Proposal
from clawback.cases.campaign import merge_proposals
from clawback.cases.notes import LONGEST_COMMENT, AssignTo, clean_comment, clean_name
from clawback.cases.proposal import describe_change
from clawback.model.identity import Actor
from clawback.model.orders import Answer, Verb, hash_order
from clawback.temporal import names
from clawback.temporal.case_reader import CaseReader
from clawback.temporal.fan_out import Answers, call_each, describe_error
from clawback.temporal.orders import new_nonce, repeatable_nonce, sign_order
from clawback.temporal.workflow_calls import UpdateRefused, WorkflowEnded, update_workflow

_UPDATES = {
    Verb.APPROVE: names.APPROVE,
    Verb.DENY: names.DENY,
    Verb.COMMENT: names.COMMENT,
    Verb.ASSIGN: names.ASSIGN,
}
_ANSWER: Any = Answer | None


class PartsUndecided(RuntimeError):
    """Some parts of a campaign took a decision and others did not.

    `state` is that of the case, `errors` says why, by the id of the part.
    """

    def __init__(self, state: str, errors: Mapping[str, str]) -> None:
        super().__init__(f"{len(errors)} parts did not take the decision")
        self.state, self.errors = state, errors


@dataclass(frozen=True)
class _Decision:
    """One decision about all parts of a case, so that the guard counts anew once, not for each."""

    verb: Verb
    actor: Actor
    reason: str
    nonce: str

    @classmethod
    def of(
        cls, verb: Verb, case_id: str, actor: Actor, reason: str, key: str | None
    ) -> "_Decision":
        """Build a decision. With a key it may be sent again, and counts once."""
        nonce = new_nonce() if key is None else repeatable_nonce(key, verb, case_id, actor)
        return cls(verb, actor, reason, nonce)

    def about(self, content: str) -> str:
        """Say about what it is, as the case remembers it."""
        return hash_order(self.verb, content, self.actor)


class CaseGateway(CaseReader):
    """Typed access to cases over one Temporal client: reads, sends to and decides them."""

    async def approve(
        self, case_id: str, actor: Actor, digest: str, reason: str = "", *, key: str | None = None
    ) -> str:
        """Approve what a held case proposed under `digest`; return its new state.

        The state stays `held` where a second approver must agree. Whoever repeats a call with the
        same `key` gets the first answer.

        Raises:
            NoSuchWorkflow: there is no such case.
            UpdateRefused: the case is not held, has changed since, or this person has approved it.
            PartsUndecided: parts of it did not take the approval; the others did.

        """
        approval = _Decision.of(Verb.APPROVE, case_id, actor, reason, key)
        try:
            return await self._decide_as_shown(case_id, approval, digest)
        except UpdateRefused:
            if key is not None and (first := await self._first_answer(case_id, approval, digest)):
                return first
            raise

    async def deny(
        self,
        case_id: str,
        actor: Actor,
        reason: str = "",
        digest: str = "",
        *,
        key: str | None = None,
    ) -> str:
        """Deny a held case; return its new state.

        Denies what it proposed under `digest`; without one, whatever it proposes. Whoever repeats
        a call with the same `key` gets the first answer.

        Raises:
            NoSuchWorkflow: there is no such case.
            UpdateRefused: the case is not held, or has changed since.
            PartsUndecided: parts of it did not take the denial; the others did.

        """
        denial = _Decision.of(Verb.DENY, case_id, actor, reason, key)
        try:
            if digest:
                return await self._decide_as_shown(case_id, denial, digest)
            held = await self._held_parts(case_id)
            return _state_of(await call_each(lambda part: self._decide(denial, part), held))
        except UpdateRefused:
            if key is not None and (first := await self._first_answer(case_id, denial, digest)):
                return first
            raise

    async def comment(
        self, case_id: str, actor: Actor, text: str, *, key: str | None = None
    ) -> int:
        """Comment on an open case; return the number of the comment.

        Raises:
            NoSuchWorkflow: there is no such case.
            UpdateRefused: the case has closed, or has no room; or the text is too long or empty.

        """
        if (size := len(clean_comment(text).encode())) > LONGEST_COMMENT:
            raise UpdateRefused(
                f"a comment takes at most {LONGEST_COMMENT:,} bytes, and this one has {size:,}"
            )
        return int(await self._note(Verb.COMMENT, case_id, actor, text, key))

    async def assign(
        self, case_id: str, actor: Actor, to: AssignTo, *, key: str | None = None
    ) -> str:
        """Say who works on an open case; return the name, empty if it is nobody.

        Raises:
            NoSuchWorkflow: there is no such case.
            UpdateRefused: the case has closed.

        """
        to = to.model_copy(update={"name": clean_name(to.name)})
        return await self._note(Verb.ASSIGN, case_id, actor, to.model_dump_json(), key)

    async def decide_shown(
        self,
        verb: Verb,
        actor: Actor,
        reason: str,
        digests: Mapping[str, str],
        *,
        key: str | None = None,
    ) -> Answers[str]:
        """Decide parts of cases, each under the digest of what it was shown to propose.

        Return the new state of each, by its id. One that has changed since gives an error.
        """
        decision = _Decision.of(verb, "", actor, reason, key)
        return await call_each(
            lambda part: self._decide(decision, part, digests[part]), list(digests)
        )

    async def _decide_as_shown(self, case_id: str, decision: "_Decision", digest: str) -> str:
        """Decide all held parts of a case, whose proposals together have a digest."""
        proposals = await self.proposals(case_id)
        digests = await self._digests_of(case_id, proposals, digest)
        decided = await call_each(
            lambda part: self._decide(decision, part, digests[part]), list(digests)
        )
        return _state_of(decided, proposals.errors)

    async def _digests_of(
        self, case_id: str, proposals: Answers[Proposal], digest: str
    ) -> dict[str, str]:
        """Return the digest of each part of what was shown under one digest.

        Raises:
            UpdateRefused: the parts together have changed since; one part alone says so itself.

        """
        digests = {part: one.digest for part, one in proposals.given.items()}
        if len(digests) == 1:
            return dict.fromkeys(digests, digest)

        if merge_proposals(list(proposals.given.values())).digest != digest:
            change = describe_change(await self.proposal_change(case_id, digest))
            raise UpdateRefused(change or "the case has changed since it was shown")
        return digests

    async def _note(
        self, verb: Verb, case_id: str, actor: Actor, content: str, key: str | None
    ) -> str:
        """Send a comment or an assignment to the case itself; return its answer."""
        note = _Decision.of(verb, case_id, actor, "", key)
        try:
            return await self._decide(note, case_id, content)
        except WorkflowEnded as error:
            if key is not None and (first := await self._first_answer(case_id, note, content)):
                return first
            why = "a closed case takes no comments, and nobody works on it"
            raise WorkflowEnded(f"{error}: {why}") from error

    async def _first_answer(self, case_id: str, decision: "_Decision", content: str) -> str | None:
        """Return what the case, or a part of it, answered when a decision came first.

        A workflow that has ended takes no updates, but it still says what it answered.
        """
        parts = await self.find_parts(case_id)
        ids = [case_id, *(part.id for part in parts)]
        found = await call_each(
            lambda id_: self._query(id_, names.ANSWER, _ANSWER, [decision.nonce]), ids
        )
        first = next((one for one in found.given.values() if one is not None), None)
        # Each part decided under a digest of its own, which nobody knows now.
        is_same = first is not None and (bool(parts) or first.about == decision.about(content))
        return first.text if first is not None and is_same else None

    async def _decide(self, decision: "_Decision", part: str, content: str = "") -> str:
        """Send a signed decision to one part of a case."""
        signed = sign_order(
            self.client,
            decision.verb,
            part,
            decision.actor,
            reason=decision.reason,
            content=content,
            nonce=decision.nonce,
        )
        handle = self.client.get_workflow_handle(part)
        # The server answers an update that it knows by its id alone, whatever is in it.
        update_id = f"{decision.nonce}-{decision.about(content)}"
        return await update_workflow(
            handle, _UPDATES[decision.verb], [signed], str, update_id=update_id
        )


def _state_of(decided: Answers[str], unread: Mapping[str, Exception] | None = None) -> str:
    """Return the state of the first part that took a decision, if all did."""
    decided.require_any()
    state = next(iter(decided.given.values()))
    if errors := {**(unread or {}), **decided.errors}:
        raise PartsUndecided(state, {id_: describe_error(one) for id_, one in errors.items()})
    return state
