"""Prints a dry run: the rule, each event with its condition, each case with its actions."""

from collections.abc import Iterator, Mapping

from rich.text import Text

from clawback.actions import Scope
from clawback.cli.rules.explain_output import aligned
from clawback.correlation.progress import describe_correlation
from clawback.correlation.sliding_window import CorrelationWindow
from clawback.model.events import Event
from clawback.model.mode import Mode
from clawback.model.texts import bounded, printable
from clawback.rules import Rule, RuleSet
from clawback.rules.engine.explanation import EXCEPTION, Explanation
from clawback.rules.tools.dry_run import DryRun, EventResult, PlannedAction
from clawback.rules.tools.explained_lines import tree_lines

_MODES = {
    Mode.ENFORCE: "acts at once",
    Mode.APPROVE: "asks a person first",
    Mode.SHADOW: "only records",
}


def rule_lines(rule: Rule, watch: CorrelationWindow | None) -> Iterator[Text]:
    """Yield the lines that introduce a rule."""
    yield Text.assemble((rule.name, "bold"), f": {rule.title}")
    mode = f"mode {rule.mode}" if rule.mode else "building block"
    yield Text(
        f"{rule.path}:{rule.line}, status {rule.status}, {mode}, version {rule.version}", "dim"
    )
    if rule.correlation and watch:
        by = (
            f", for each {', '.join(rule.correlation.group_by)}"
            if rule.correlation.group_by
            else ""
        )
        yield Text(f"needs {describe_correlation(watch, rule.correlation.value_field)}{by}", "dim")


def verdict_lines(rules: RuleSet, verdict: EventResult) -> Iterator[Text]:
    """Yield one event and its condition with the answers."""
    yield Text()
    yield Text.assemble((verdict.event.key, "bold"), _about(verdict.event))
    yield from aligned(list(tree_lines(verdict.trees)), "  ")

    for name in dict.fromkeys(name for tree in verdict.trees for name in _exceptions(tree)):
        yield Text(f"  {_describe_exception(rules, name)}", "dim")

    for reason in verdict.reasons:
        yield Text.assemble("  ", ("no case: ", "yellow"), reason.text)


def dry_run_lines(rule: Rule, outlook: DryRun) -> Iterator[Text]:
    """Yield one case that would open."""
    yield Text()
    group = ", ".join(f"{name}={value}" for name, value in outlook.plan.group.items())
    yield Text.assemble(
        (outlook.plan.case_id, "bold"),
        f" ({group or 'all events together'}), {_counted(len(outlook.events), 'event')}",
    )
    if outlook.progress is not None:
        style = "green" if outlook.progress.is_satisfied else "yellow"
        yield Text.assemble("  window   ", (str(outlook.progress), style))

    yield Text(f"  mode     {outlook.plan.mode}: {_MODES[outlook.plan.mode]}")
    for planned in outlook.planned:
        yield Text(f"  action   {planned.action.describe_in_full()}: {_describe_outcomes(planned)}")
        for elsewhere in planned.elsewhere:
            yield Text(f"           {elsewhere}")

    if (beside := outlook.while_held) is not None:
        effect = _describe_outcomes(beside) if beside.outcomes else "its messages"
        yield Text(f"  held     while it is held it would {beside.action.describe()}: {effect}")

    for notice in outlook.plan.notifications:
        recorded_only = ", recorded only" if outlook.plan.mode is Mode.SHADOW else ""
        yield Text(f"  notify   {notice.describe()}{recorded_only}")

    for limit in rule.response.limits if rule.response else ():
        yield Text(f"  limit    {limit}; above it the case is held")

    for reason in outlook.reasons:
        yield Text.assemble("  ", ("but", "yellow"), f"      {reason.text}")

    yield Text.assemble(
        "  so       ",
        ("it acts", "green") if outlook.acts else ("it changes nothing by itself", "yellow"),
    )


def _about(event: Event) -> str:
    record = event.as_read.get("message", event.as_read)
    message: Mapping[str, object] = record if isinstance(record, Mapping) else {}
    sender, subject = message.get("from"), message.get("subject")
    text = (
        f"  {event.at:%F %T}Z"
        + (f"  from {sender}" if sender else "")
        + (f"  {str(subject)!r}" if subject else "")
    )

    return bounded(printable(text), 240)


def _exceptions(tree: Explanation) -> Iterator[str]:
    if tree.label.startswith(EXCEPTION):
        yield tree.label.removeprefix(EXCEPTION)
    for child in tree.children:
        yield from _exceptions(child)


def _describe_exception(rules: RuleSet, name: str) -> str:
    one = next(filter_ for filter_ in rules.filters if filter_.name == name)
    until = (
        "no end"
        if one.expires is None
        else f"expired after {one.expires}"
        if one.is_expired(rules.today())
        else f"until {one.expires}"
    )
    return (
        f"exception {name}: false if the exception applies; owner {one.owner}, {until} "
        f"({one.path}:{one.line})"
    )


def _describe_outcomes(planned: PlannedAction) -> str:
    if not planned.outcomes:
        return "not yet"

    whole = planned.action.scope is Scope.CASE
    return ", ".join(
        _describe_outcome(outcome, "once" if whole else _counted(count, "message"))
        for outcome, count in planned.outcomes.items()
    )


def _describe_outcome(outcome: str, how_often: str) -> str:
    match outcome:
        case "act":
            return how_often
        case "would":
            return f"{how_often}, recorded only"
        case "already_there":
            return f"{how_often} already dealt with"
        case _:
            return f"refused: {outcome.removeprefix('failed:').replace('_', ' ')}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
