"""Folders of rules for tests: written from texts, loaded, and their problems as short lines."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from clawback.model.events import Event, EventKind, build_event, message_event
from clawback.rules import RuleErrors, RuleSet, load_rules

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TODAY = NOW.date()

LOGSOURCE = "logsource: {product: cloudflare, service: email_security, category: message}\n"
PLAIN = f"""title: A rule
name: a_rule
id: 6f1c3a52-0f0e-4d0b-9a53-6b0f6a1b7c11
status: stable
{LOGSOURCE}detection:
  sel: {{from: a@x.test}}
  condition: sel
response:
  mode: enforce
  actions:
    - move: {{destination: JunkEmail}}
tests:
  - {{name: yes it is, event: {{from: a@x.test}}, expect: match}}
  - {{name: no it is not, event: {{from: b@x.test}}, expect: no match}}
"""


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Write files below a folder, with an empty safety.yml if there is none among them."""
    for name, text in {"safety.yml": "{}\n", **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def load(folder: Path, files: Mapping[str, str], today: date = TODAY) -> RuleSet:
    """Write and load a folder."""
    return load_rules(write(folder, files), today=lambda: today)


def problems(folder: Path, files: Mapping[str, str]) -> list[str]:
    """Write a folder that cannot be loaded and give its problems, one line each."""
    try:
        load(folder, files)
    except RuleErrors as error:
        return [str(problem) for problem in error.problems]
    return []


def block(detection: str, name: str = "a_block") -> str:
    """Write a building block around the lines of a detection."""
    return f"title: A block\nname: {name}\n{LOGSOURCE}detection:\n" + "".join(
        f"  {line}\n" for line in detection.strip().splitlines()
    )


def responding(detection: str, **keys: str) -> str:
    """Write a responding rule around the lines of a detection.

    `keys` replace the lines of other keys.
    """
    lines = {
        "title": "title: A rule",
        "name": "name: a_rule",
        "id": "id: 6f1c3a52-0f0e-4d0b-9a53-6b0f6a1b7c11",
        "status": "status: stable",
        "logsource": LOGSOURCE.strip(),
        "detection": "detection:\n"
        + "\n".join(f"  {line}" for line in detection.strip().splitlines()),
        "response": "response: {mode: enforce, actions: [{move: {destination: JunkEmail}}]}",
        "tests": (
            "tests:\n  - {name: one, event: {}, expect: match}\n"
            "  - {name: two, event: {}, expect: no match}"
        ),
    }
    return "\n".join({**lines, **keys}.values()) + "\n"


def message(**fields: Any) -> Event:
    """Build a message event; `from_` stands for `from`."""
    record = {"id": "one", **{name.rstrip("_"): value for name, value in fields.items()}}
    return message_event(record, NOW)


def report(**fields: Any) -> Event:
    """Build a report event, joined where it has a `message`."""
    return build_event(EventKind.PHISHGUARD_REPORT, {"id": 7, **fields}, NOW)


def is_match(rules: RuleSet, event: Event) -> bool | None:
    """Whether `a_rule` matches; None while it is undecided."""
    evaluation = rules.evaluate(event)
    if any(match.plan.rule == "a_rule" for match in evaluation.matches):
        return True
    return None if evaluation.undecided else False
