"""How what a case would do can be taken back, and how often that worked."""

from collections.abc import Iterable, Iterator, Mapping

from clawback.actions import Action
from clawback.console.sources.undo_record import WINDOW
from clawback.temporal.undo_gateway import UndoneAction


def describe_way_back(
    actions: Iterable[Action], undone: Mapping[str, UndoneAction] | None
) -> Iterator[str]:
    """Say of each action how it is taken back; `undone` are past undos by action, if known."""
    for action in actions:
        track = "" if undone is None else _describe_track(undone.get(action.undone_as))
        yield f"{action.describe()}: {track}{action.describe_inverse()}"


def _describe_track(past: UndoneAction | None) -> str:
    total = past.done + past.gone + past.failed if past else 0
    if past is None or not total:
        return f"not undone in {WINDOW.days} days. "
    others = []
    if past.gone:
        others.append(f"{past.gone:,} no longer existed")
    if past.failed:
        others.append(f"{past.failed:,} failed")
    rest = f" ({', '.join(others)})" if others else ""
    return f"{past.done:,} of {total:,} came back when undone in {WINDOW.days} days{rest}. "
