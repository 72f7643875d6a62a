"""`clawback rules diff`: what changed in the rules since a revision, and what that changes."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from clawback.backtest import Backtest
from clawback.backtest.match_list import ListedMatch
from clawback.backtest.rule_changes import Effects, RuleChange, compare_rules
from clawback.cli.exits import ExitCode, Failure
from clawback.cli.output import AsJson, print_json, print_text
from clawback.cli.rule_folders import find_folder, load_folder
from clawback.cli.rules.backtest_output import match_data, print_matches
from clawback.cli.rules.history import (
    Corpus,
    Detections,
    Since,
    load_version,
    parse_since,
    read_history,
)
from clawback.garbage_collection import without_garbage_collection
from clawback.model.texts import plural


def diff(  # noqa: PLR0913 - one parameter for each option
    revision: Annotated[
        str, typer.Argument(help="Git revision of the folder, or another folder, to compare with.")
    ] = "HEAD",
    *,
    corpus: Corpus = None,
    since: Since = None,
    rules: Annotated[
        Path | None,
        typer.Option(help="Folder of rules, default CLAWBACK_RULES.", show_default=False),
    ] = None,
    detections: Detections = 1000,
    top: Annotated[
        int, typer.Option(min=0, max=100_000, help="Number of changed matches of each rule.")
    ] = 10,
    as_json: AsJson = False,
) -> int:
    """Compare the rules with a git revision of them.

    Shows which rules were added, removed or changed, and how their modes and actions differ. Over
    a history it shows which matches were gained and lost, and what else would have been done.

    Exit code 0: done. 1: the rules, the other version or a corpus cannot be used. 2: usage error.
    3: the API is unavailable. 4: it refused.
    """
    if corpus and since is not None:
        raise Failure("give --corpus or --since, not both", ExitCode.USAGE)

    folder = find_folder(rules)[0]
    span = parse_since(since)
    run = Backtest([load_folder(folder), load_version("", revision, folder)])
    has_history = bool(corpus) or span is not None
    with without_garbage_collection():
        if has_history:
            read_history(run, corpus or [], span, detections)
        changes = compare_rules(*run.versions, with_effects=has_history)

    if as_json:
        after, before = (version.rules.version for version in run.versions)
        print_json(
            {
                "before": before,
                "after": after,
                "events": run.traffic.events if has_history else None,
                "rules": [_data(change) for change in changes],
            }
        )
        return ExitCode.OK

    seen = f", over {plural(run.traffic.events, 'event')}" if has_history else ""
    verb = "differs" if len(changes) == 1 else "differ"
    print_text(f"{plural(len(changes), 'rule')} {verb} from {revision}{seen}")
    for change in changes:
        _print(change, top)
    if changes and not has_history:
        print_text("\nWith --corpus FILE or --since 7d it shows matches gained and lost.")
    return ExitCode.OK


def _print(change: RuleChange, top: int) -> None:
    print_text("")
    for line in _lines(change):
        print_text(line)
    if change.effects is not None:
        for name, matches in (("gained", change.effects.gained), ("lost", change.effects.lost)):
            _print_some(name, matches, top)


def _lines(change: RuleChange) -> Iterator[str]:
    what = f": {', '.join(change.what)}" if change.what else ""
    yield f"{change.kind} {change.rule}{what}"
    if change.mode_before != change.mode_after:
        yield f"  mode {change.mode_before or 'none'} → {change.mode_after or 'none'}"
    yield from (f"  - {action}" for action in change.actions_removed)
    yield from (f"  + {action}" for action in change.actions_added)
    if change.effects is not None:
        yield from _effect_lines(change.effects)


def _effect_lines(effects: Effects) -> Iterator[str]:
    gained, lost = len(effects.gained), len(effects.lost)
    yield (
        f"  matches {effects.before:,} → {effects.after:,}: {gained:,} gained, {lost:,} lost"
        if gained or lost
        else f"  matches {effects.after:,}, as before"
    )
    if effects.actions_before != effects.actions_after:
        before, after = _counts(effects.actions_before), _counts(effects.actions_after)
        yield f"  actions {before} → {after}"


def _counts(actions: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(actions.items())) or "none"


def _print_some(name: str, matches: Sequence[ListedMatch], top: int) -> None:
    if matches and top:
        which = f", the newest {top}" if len(matches) > top else ""
        print_text(f"  {name}{which}")
        print_matches(matches[:top])


def _data(change: RuleChange) -> dict[str, Any]:
    effects = change.effects
    return {
        "rule": change.rule,
        "change": change.kind,
        "what": list(change.what),
        "mode": {"before": change.mode_before or None, "after": change.mode_after or None},
        "actions_removed": list(change.actions_removed),
        "actions_added": list(change.actions_added),
        "effects": effects
        and {
            "before": effects.before,
            "after": effects.after,
            "gained": [match_data(one) for one in effects.gained],
            "lost": [match_data(one) for one in effects.lost],
            "actions_before": dict(effects.actions_before),
            "actions_after": dict(effects.actions_after),
        },
    }
