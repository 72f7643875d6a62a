"""Lists loaded rules, each with its effective mode and when it last matched."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from clawback.inventory.rule_list import ListedRule, RuleList
from clawback.model.mode import Mode
from clawback.rules import Rule, RuleSet
from clawback.rules.lint.clean_mail import rules_on_clean_mail


def list_loaded(
    rules: RuleSet,
    ceiling: Mode,
    last_matches: Mapping[str, datetime],
    chosen: Iterable[Rule] | None = None,
) -> RuleList:
    """List rules: all, or those that are chosen."""
    clean = rules_on_clean_mail(rules)
    listed = (
        _list_rule(rule, rules.mode_of(rule), ceiling, last_matches.get(rule.name), clean)
        for rule in (rules.rules.values() if chosen is None else chosen)
    )
    return RuleList(version=rules.version, ceiling=ceiling, rules=tuple(listed), clean_mail=clean)


def _list_rule(
    rule: Rule,
    allowed: Mode | None,
    ceiling: Mode,
    last_match: datetime | None,
    clean: Collection[str],
) -> ListedRule:
    return ListedRule(
        name=rule.name,
        title=rule.title,
        status=rule.status,
        mode=allowed.capped(ceiling) if allowed is not None else None,
        mode_of_rule=rule.mode,
        level=rule.level,
        kind=", ".join(rule.kinds),
        correlation=rule.correlation.type if rule.correlation is not None else None,
        version=rule.version,
        line=rule.line,
        tests=len(rule.tests),
        last_match=last_match,
        clean_mail=rule.name in clean,
        file=rule.path,
    )
