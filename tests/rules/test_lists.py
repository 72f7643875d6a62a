"""Lists of values: YAML, plain text and CSV, small and large."""

import time
from pathlib import Path

import pytest

from clawback.rules import load_rules
from clawback.rules.lint.review import review_rules
from clawback.rules.loader import read_folder
from tests.rules.folders import load, message, problems, responding, write

RULE = responding(
    "sel: {from|expand|endswith: '%bad%'}\ncondition: sel",
    tests="tests:\n  - {name: one, event: {from: a@x.test}, expect: match}\n"
    "  - {name: two, event: {from: a@z.test}, expect: no match}",
)
FILES = {
    "bad.yml": "values: ['@x.test', '@y.test']\n",
    "bad.YAML": "values: ['@x.test', '@y.test']\n",
    "bad.txt": "# partners\n@x.test\n\n  @y.test  \n",
    "bad.csv": 'added,Value,by\n2026-11-01,@x.test,"me, too"\n2026-11-02,@y.test\n\n',
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("ending", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_every_form_gives_the_values(tmp_path: Path, name: str, ending: str) -> None:
    """A list has the same values in every form of file."""
    text = FILES[name].replace("\n", ending)
    rules = load(tmp_path, {"a_rule.yml": RULE, f"lists/{name}": text})
    assert rules.lists == {"bad": ("@x.test", "@y.test")}
    assert len(rules.evaluate(message(from_="a@y.test")).matches) == 1


def test_a_byte_order_mark_is_no_part_of_a_value(tmp_path: Path) -> None:
    """Spreadsheets write one before a CSV file."""
    rules = load(tmp_path, {"a_rule.yml": RULE, "lists/bad.csv": "\ufeffvalue\n@x.test\n"})
    assert rules.lists == {"bad": ("@x.test",)}


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("bad.csv", "domain,by\nx.test,me\n", "bad.csv:1:1: wrong-value: 'domain, by' the first"),
        ("bad.csv", 'value\n"x\n', "invalid CSV"),
        ("bad.txt", "# nothing\n", "lists/bad.txt:1:1: wrong-value: the list is empty"),
        ("bad.txt", "a\u200bb\n", "lists/bad.txt:1:2: invisible-character: 'U+200B'"),
        ("bad.txt", "a\n" + "x" * 2001, "lists/bad.txt:2:1: wrong-value"),
        ("bad.txt", "a\n" * 100_001, "lists/bad.txt:1:1: wrong-value: the list has 100,001 values"),
    ],
    ids=["no column", "no end of quotes", "empty", "invisible", "long", "many"],
)
def test_what_is_wrong_has_its_place(tmp_path: Path, name: str, text: str, expected: str) -> None:
    """Problems of a list name its file and line."""
    found = problems(tmp_path, {"a_rule.yml": RULE, f"lists/{name}": text})
    assert any(expected in problem for problem in found), found


def test_a_list_has_a_hundred_thousand_values(tmp_path: Path) -> None:
    """A large list loads, is checked and matches."""
    text = "@x.test\n" + "".join(f"@domain-{number}.example\n" for number in range(99_999))
    folder = write(tmp_path, {"a_rule.yml": RULE, "lists/bad.txt": text})
    began = time.process_time()

    rules = load_rules(folder)
    found = review_rules(read_folder(folder))

    assert found == ()
    assert len(rules.evaluate(message(from_="a@domain-77777.example")).matches) == 1
    assert not rules.evaluate(message(from_="a@domain-x.example")).matches
    assert time.process_time() - began < 60
