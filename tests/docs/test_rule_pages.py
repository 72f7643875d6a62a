"""docs/rules/ and README are true: examples load, wrong examples give the stated errors."""

import gzip
import re
import shutil
from pathlib import Path

import pytest
import yaml

from clawback.actions import ACTIONS
from clawback.correlation.sliding_window import CorrelationType
from clawback.model.events import EventKind
from clawback.model.level import Level
from clawback.model.mode import Mode
from clawback.rules import load_rules
from clawback.rules.source.documents import (
    CorrelationDocument,
    FilterDocument,
    ListDocument,
    RuleDocument,
    Status,
)
from clawback.rules.source.errors import Code
from clawback.rules.source.field_catalogue import FIELDS
from clawback.rules.source.safety import Safety
from clawback.rules.tools.testing import run_tests
from clawback.simulator.corpus import read_corpus
from docs.examples import (
    RULE_PAGES,
    SHIPPED_RULES,
    Example,
    errors_of,
    prepare_folder,
    read_examples,
)
from docs.generate_rules import MODIFIERS, problems_of, undocumented_modifiers
from docs.tables import DOCS
from tests.rules.folders import block

EXAMPLES = list(read_examples([*RULE_PAGES, DOCS.parent / "README.md"]))
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in RULE_PAGES)
EXECUTED = {"rule", "wrong", "list", "exception", "safety", "pre-commit", "workflow"}


def _of(kind: str) -> list[Example]:
    return [example for example in EXAMPLES if example.kind == kind]


def test_every_yaml_example_is_executed() -> None:
    """A YAML block without a mark would be checked by nothing."""
    assert {example.kind for example in EXAMPLES if example.language == "yaml"} == EXECUTED


@pytest.mark.parametrize("example", _of("rule"), ids=str)
def test_a_rule_loads_without_problems(tmp_path: Path, example: Example) -> None:
    """The example gives neither an error nor a warning."""
    assert errors_of(prepare_folder(tmp_path), _file_name(example), example.text) == []


@pytest.mark.parametrize("example", _of("rule"), ids=str)
def test_the_tests_of_a_rule_pass(tmp_path: Path, example: Example) -> None:
    """The example carries tests, and they pass."""
    folder = prepare_folder(tmp_path)
    (folder / _file_name(example)).write_text(example.text, encoding="utf-8")

    results = run_tests(load_rules(folder))
    assert results
    assert [result for result in results if not result.passed] == []


def _file_name(example: Example) -> str:
    """Name the file after the last rule in it, which is the one that responds."""
    names = re.findall(r"^name: (\w+)", example.text, re.MULTILINE)
    return f"{names[-1]}.yml"


@pytest.mark.parametrize("example", _of("wrong"), ids=str)
def test_a_wrong_rule_gives_exactly_the_stated_errors(tmp_path: Path, example: Example) -> None:
    """The text below the example is the loader's output, word for word."""
    errors = errors_of(prepare_folder(tmp_path), example.marks[1], example.text)
    assert errors
    assert example.following.splitlines() == errors


@pytest.mark.parametrize("example", _of("exception"), ids=str)
def test_an_exception_changes_the_rules_that_it_names(tmp_path: Path, example: Example) -> None:
    """The example names shipped rules, and only those get a new version."""
    folder = tmp_path / "rules"
    shutil.copytree(SHIPPED_RULES, folder)
    (folder / "exceptions" / "example.yml").write_text(example.text, encoding="utf-8")
    before, after = load_rules(SHIPPED_RULES), load_rules(folder)

    (added,) = {one.name for one in after.filters} - {one.name for one in before.filters}
    changed = {
        name for name, rule in after.rules.items() if rule.version != before.rules[name].version
    }
    assert changed == {name for name, rule in after.rules.items() if added in rule.exceptions}
    assert len(changed) == 2


@pytest.mark.parametrize("example", _of("safety"), ids=str)
def test_the_safety_example_has_every_key(tmp_path: Path, example: Example) -> None:
    """The example of safety.yml loads and shows all keys."""
    (tmp_path / "safety.yml").write_text(example.text, encoding="utf-8")

    assert load_rules(tmp_path).safety != Safety()
    assert all(re.search(rf"^{name}:", example.text, re.MULTILINE) for name in Safety.model_fields)


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
def test_the_corpus_example_is_a_corpus(tmp_path: Path, suffix: str) -> None:
    """The example has one line of each kind, plain and compressed."""
    (example,) = _of("corpus")
    file = tmp_path / f"mail{suffix}"
    opener = gzip.open if suffix.endswith(".gz") else open
    with opener(file, "wt", encoding="utf-8") as out:
        out.write(example.text)

    assert [line.kind for line in read_corpus(file)] == ["message", "report", "submission"]


def test_the_pre_commit_example_names_the_hook_of_the_repository() -> None:
    """Its id is one that .pre-commit-hooks.yaml offers."""
    (example,) = _of("pre-commit")
    offered = yaml.safe_load((DOCS.parent / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))

    (repository,) = yaml.safe_load(example.text)["repos"]
    assert {hook["id"] for hook in repository["hooks"]} <= {hook["id"] for hook in offered}


def test_the_workflow_example_uses_the_action() -> None:
    """It sets inputs that action.yml has."""
    (example,) = _of("workflow")
    offered = yaml.safe_load((DOCS.parent / "action.yml").read_text(encoding="utf-8"))["inputs"]

    (*_, last) = yaml.safe_load(example.text)["jobs"]["rules"]["steps"]
    assert last["with"].keys() == offered.keys()


def test_nothing_is_left_out() -> None:
    """Every field, action, mode, status, level, type, category and error code is on a page."""
    names = {name for kind in EventKind for name in FIELDS[kind] if not name.startswith("message.")}
    words = [*names, *ACTIONS, *Mode, *Status, *Level, *CorrelationType, *Code, *EventKind]

    assert [word for word in words if f"`{word}`" not in TEXT] == []


@pytest.mark.parametrize(
    "model",
    [RuleDocument, CorrelationDocument, FilterDocument, ListDocument],
    ids=lambda m: m.__name__,
)
def test_every_key_of_a_document_is_on_a_page(model: type[RuleDocument]) -> None:
    """The keys that a document may have are all described."""
    keys = [field.alias or name for name, field in model.model_fields.items()]
    assert [key for key in keys if f"`{key}`" not in TEXT and f"`filter.{key}`" not in TEXT] == []


def test_every_modifier_of_pysigma_is_described() -> None:
    """The table has what pySigma parses, no more and no less."""
    assert undocumented_modifiers() == set()


@pytest.mark.parametrize("modifier", MODIFIERS)
def test_the_example_of_a_modifier_loads(modifier: str) -> None:
    """The example in the table uses its modifier, and the loader accepts it."""
    example = MODIFIERS[modifier][1]
    files = {
        "lists/own_domains.yml": "values: [x.test]\n",
        "x.yml": block(f"sel: {{{example}}}\ncondition: sel"),
    }

    assert modifier in example.partition(":")[0].split("|")
    assert problems_of(files) == ()
