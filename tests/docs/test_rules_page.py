"""docs/rules.md is true.

Its examples load, its wrong examples give the errors that stand below them, its tables are the
code's.
"""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from clawback.actions import ACTIONS
from clawback.correlation.sliding_window import CorrelationType
from clawback.model.events import EventKind
from clawback.model.mode import Mode
from clawback.rules import load_rules
from clawback.rules.lint.review import review_rules
from clawback.rules.loader import read_folder
from clawback.rules.source.catalogue import FIELDS
from clawback.rules.source.documents import Level, Status
from clawback.rules.source.errors import Code
from clawback.rules.source.safety import Safety
from clawback.rules.tools.testing import run_tests
from docs.generate_rules import MODIFIERS, PAGE, TABLES, modifiers_left_out, problems_of
from docs.tables import with_tables
from tests.rules.folders import block

TEXT = PAGE.read_text(encoding="utf-8")
SHIPPED = Path(__file__).parents[2] / "rules"
FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Example:
    """One fenced block: its language, what it is marked as, its text, the line where it stands, and the block that follows."""

    language: str
    mark: tuple[str, ...]
    text: str
    line: int
    after: str = ""

    @property
    def kind(self) -> str:
        """What it is marked as."""
        return self.mark[0] if self.mark else ""


def _examples() -> Iterator[Example]:
    found = list(FENCE.finditer(TEXT))
    for index, one in enumerate(found):
        after = (
            found[index + 1][3] if index + 1 < len(found) and found[index + 1][1] == "text" else ""
        )
        yield Example(
            one[1], tuple(one[2].split()), one[3], TEXT.count("\n", 0, one.start()) + 1, after
        )


EXAMPLES = [example for example in _examples() if example.language == "yaml"]


def _of(kind: str) -> list[Example]:
    return [example for example in EXAMPLES if example.kind == kind]


def _folder(tmp_path: Path) -> Path:
    """An empty folder with the lists that are shipped and those of the page."""
    shutil.copytree(SHIPPED / "lists", tmp_path / "lists")
    (tmp_path / "safety.yml").write_text("{}\n", encoding="utf-8")
    for example in _of("list"):
        (tmp_path / "lists" / f"{example.mark[1]}.yml").write_text(example.text, encoding="utf-8")
    return tmp_path


def _line(example: Example) -> str:
    return f"line {example.line}"


def test_every_example_is_executed() -> None:
    """A YAML block that is marked as nothing would be executed by nobody."""
    assert {example.kind for example in EXAMPLES} == {
        "rule",
        "wrong",
        "list",
        "exception",
        "safety",
    }


@pytest.mark.parametrize("example", _of("rule"), ids=_line)
def test_a_rule_loads_and_its_tests_pass(tmp_path: Path, example: Example) -> None:
    """The example loads without a problem or a warning, and its own tests hold."""
    folder = _folder(tmp_path)
    names = re.findall(r"^name: (\w+)", example.text, re.MULTILINE)
    (folder / f"{names[-1]}.yml").write_text(example.text, encoding="utf-8")

    assert [str(problem) for problem in review_rules(read_folder(folder))] == []
    trials = run_tests(load_rules(folder))
    assert trials
    assert [trial for trial in trials if not trial.passed] == []


@pytest.mark.parametrize("example", _of("wrong"), ids=_line)
def test_a_wrong_rule_gives_exactly_these_errors(tmp_path: Path, example: Example) -> None:
    """The errors on the page are those of the loader, word for word."""
    folder = _folder(tmp_path)
    (folder / example.mark[1]).write_text(example.text, encoding="utf-8")

    assert example.after.splitlines() == [
        str(problem) for problem in review_rules(read_folder(folder))
    ]


@pytest.mark.parametrize("example", _of("exception"), ids=_line)
def test_an_exception_fits_the_shipped_rules(tmp_path: Path, example: Example) -> None:
    """The example of an exception names rules that are shipped, and changes them."""
    folder = tmp_path / "rules"
    shutil.copytree(SHIPPED, folder)
    (folder / "exceptions" / "example.yml").write_text(example.text, encoding="utf-8")
    before, after = load_rules(SHIPPED), load_rules(folder)

    (added,) = {one.name for one in after.filters} - {one.name for one in before.filters}
    changed = {
        name for name, rule in after.rules.items() if rule.version != before.rules[name].version
    }
    assert changed == {name for name, rule in after.rules.items() if added in rule.exceptions}
    assert len(changed) == 2


@pytest.mark.parametrize("example", _of("safety"), ids=_line)
def test_the_safety_file_is_whole(tmp_path: Path, example: Example) -> None:
    """The example of safety.yml loads, and has every key there is."""
    (tmp_path / "safety.yml").write_text(example.text, encoding="utf-8")

    assert load_rules(tmp_path).safety != Safety()
    assert all(re.search(rf"^{name}:", example.text, re.MULTILINE) for name in Safety.model_fields)


def test_the_tables_are_up_to_date() -> None:
    """The tables are as `make docs` would write them now.

    If this fails, run it and look at what it changed.
    """
    assert with_tables(TEXT, TABLES) == TEXT


def test_every_table_has_its_place() -> None:
    """No table is written into nowhere."""
    assert all(f"<!-- {name} -->\n|" in TEXT and f"<!-- /{name} -->" in TEXT for name in TABLES)


def test_nothing_is_left_out() -> None:
    """Every field, modifier, action, mode, status, level, correlation type and error code is on the page."""
    names = {name for kind in EventKind for name in FIELDS[kind] if not name.startswith("message.")}
    words = [*names, *ACTIONS, *Mode, *Status, *CorrelationType, *Code, *EventKind]

    assert [word for word in words if f"`{word}`" not in TEXT] == []
    assert all(level in TEXT for level in Level)
    assert modifiers_left_out() == set()


@pytest.mark.parametrize("modifier", MODIFIERS)
def test_the_example_of_a_modifier_loads(modifier: str) -> None:
    """What the table shows for a modifier uses it and is taken by the loader."""
    example = MODIFIERS[modifier][1]

    assert modifier in example.partition(":")[0].split("|")
    assert (
        problems_of(
            {
                "lists/own_domains.yml": "values: [x.test]\n",
                "x.yml": block(f"sel: {{{example}}}\ncondition: sel"),
            }
        )
        == ()
    )
