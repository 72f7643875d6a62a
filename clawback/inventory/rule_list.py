"""The rules that are loaded, each with its effective mode and when it last matched."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from clawback.model.mode import Mode
from clawback.model.times import UtcDatetime
from clawback.rules import Rule, RuleSet
from clawback.rules.lint.clean_mail import rules_on_clean_mail
from clawback.settings import Settings


class ListedRule(BaseModel):
    """One rule in a list.

    `mode` is the effective one, under the ceiling and safety.yml; None for a rule without response.
    `kind` names what the rule reads. `clean_mail` says that it may match clean mail, so that
    pollers read all of it. `file` is relative to the folder of rules.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    title: str
    status: str
    mode: Mode | None
    mode_of_rule: Mode | None
    level: str
    kind: str
    correlation: str | None
    version: str
    line: int
    tests: int
    last_match: UtcDatetime | None
    clean_mail: bool
    file: str


class RuleList(BaseModel):
    """The rules of a folder, their version and the strongest mode that any may have.

    `clean_mail` names all rules of the folder that may match clean mail, listed or not.
    """

    model_config = ConfigDict(frozen=True)

    version: str
    ceiling: Mode
    rules: tuple[ListedRule, ...]
    clean_mail: tuple[str, ...]


def ceiling_of(settings: Settings) -> Mode:
    """Return the strongest mode of any rule; on the simulator, without a token, all may act."""
    return settings.ceiling if settings.cloudflare_api_token else settings.mode or Mode.ENFORCE


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
