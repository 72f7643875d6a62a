"""Asks again, right before a request leaves, what was asked when the messages matched."""

from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from typing import Protocol

from clawback.actions import ContainmentAction
from clawback.actions.outcomes import WOULD, failed
from clawback.cases.authority import Authority, Objection
from clawback.cases.hold_cause import HoldCause
from clawback.model.durations import format_duration
from clawback.model.mode import Mode
from clawback.rules.eligibility import AgeLimit, age_limit_in_force
from clawback.rules.engine.ruleset import Rule, RuleSet


class ActCheck(Protocol):
    """Whoever knows what may be done now."""

    def find_objection(self, authority: Authority, action: ContainmentAction) -> Objection | None:
        """Say why a request must not leave; None if it may."""


class LiveActCheck:
    """Checks against the rules, settings and demotions that hold now.

    `demoted` gives the rules whose work was undone, as far as this worker knows.
    """

    def __init__(
        self,
        rules: Callable[[], RuleSet],
        ceiling: Mode,
        age_limit: AgeLimit = None,
        demoted: Callable[[], Collection[str]] = frozenset,
    ) -> None:
        self._rules = rules
        self._ceiling = ceiling
        self._age_limit = age_limit
        self._demoted = demoted

    def find_objection(self, authority: Authority, action: ContainmentAction) -> Objection | None:
        """Say why a request must not leave; None if it may.

        What nobody may approve comes first.
        """
        rules = self._rules()
        if (final := self._find_final(authority.rule, action, rules)) is not None:
            return final
        if authority.approved:
            return None
        reasons = self._reasons_to_hold(authority, rules, datetime.now(UTC))
        if (reason := next(reasons, None)) is not None:
            return Objection(reason=reason)
        if authority.rule in self._demoted():
            reason = "the rule's work was undone: it needs `clawback rules confirm`"
            return Objection(reason=reason, cause=HoldCause.DEMOTED)
        return None

    def _find_final(self, rule: str, action: ContainmentAction, rules: RuleSet) -> Objection | None:
        if self._ceiling is Mode.SHADOW:
            return Objection(reason="CLAWBACK_MODE is shadow now", outcome=WOULD)
        if action.is_hard_delete and not rules.safety.permits_hard_delete(rule):
            reason = "safety.yml does not permit the rule's hard deletes any more"
            return Objection(reason=reason, outcome=failed("hard_delete"))
        if (refusal := rules.safety.refuses(action)) is not None:
            reason = "the never-block list forbids it now"
            return Objection(reason=reason, outcome=failed(refusal))
        return None

    def _reasons_to_hold(
        self, authority: Authority, rules: RuleSet, now: datetime
    ) -> Iterator[str]:
        if authority.mode.capped(self._ceiling) is not authority.mode:
            yield f"CLAWBACK_MODE is {self._ceiling} now"

        rule = rules.rules.get(authority.rule)
        if rule is None or rule.response is None:
            yield "the rule was removed since the messages matched"
        else:
            yield from _changes_of(rule, authority)
            yield from _withdrawals(rules, authority)

        limit = age_limit_in_force(self._age_limit, rules.safety)
        if limit is not None and authority.oldest is not None and now - authority.oldest > limit:
            yield f"a message is older than {format_duration(limit)} by now"


def _withdrawals(rules: RuleSet, authority: Authority) -> Iterator[str]:
    allowed = rules.safety.ceiling_of(authority.rule)
    if authority.mode.capped(allowed) is not authority.mode:
        yield f"safety.yml allows the rule at most {allowed} now"


def _changes_of(rule: Rule, authority: Authority) -> Iterator[str]:
    mode = rule.mode
    if authority.while_held and mode is not Mode.SHADOW:
        # The rule asks people about the rest, but it may act alone if its status allows that.
        mode = rule.status.ceiling
    if mode is not None and authority.mode.capped(mode) is not authority.mode:
        yield f"the rule was set to {mode} since the messages matched"
    if rule.actions_version != authority.actions_version:
        yield "the rule has other actions than when the messages matched"
    if any(one != rule.condition_version for one in authority.condition_versions):
        yield "the rule's condition or exceptions have changed since the messages matched"
