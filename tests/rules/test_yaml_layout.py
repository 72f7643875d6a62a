"""Formatting changes the layout of a file, and neither its meaning nor its comments."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, reject
from hypothesis import strategies as st

from clawback.rules.loader import rule_files_of
from clawback.rules.source.yaml_layout import CannotFormat, format_yaml
from clawback.rules.tools.formatting import format_rule_file
from tests.rules.folders import PLAIN, load

SHIPPED = Path(__file__).parents[2] / "rules"
MESSY = """

# what it is for
title:    A rule   # and why
name : a_rule
id: 6f1c3a52-0f0e-4d0b-9a53-6b0f6a1b7c11


status: stable
description: |
      two lines

        of text
tags:
- attack.t1566
-   attack.initial-access # known
logsource: {product: cloudflare,
      service: email_security, category: message}
detection:
     # the sender
     sel:
         from:
           - a@x.test
     # decoy: not a key
     condition: sel
response:
      mode: enforce
      actions:
      -   move:
              destination: JunkEmail
tests:
        - name: yes it is
          event: {from: a@x.test}
          expect: match
        -
          name: "no,
             it is not"
          event: {from: b@x.test}
          expect: no match
# the end

"""
TIDY = """# what it is for
title: A rule   # and why
name: a_rule
id: 6f1c3a52-0f0e-4d0b-9a53-6b0f6a1b7c11

status: stable
description: |
  two lines

    of text
tags:
  - attack.t1566
  - attack.initial-access # known
logsource: {product: cloudflare,
      service: email_security, category: message}
detection:
  # the sender
  sel:
    from:
      - a@x.test
  # decoy: not a key
  condition: sel
response:
  mode: enforce
  actions:
    - move:
        destination: JunkEmail
tests:
  - name: yes it is
    event: {from: a@x.test}
    expect: match
  -
    name: "no,
      it is not"
    event: {from: b@x.test}
    expect: no match
# the end
"""


def test_a_messy_rule_becomes_tidy() -> None:
    """Indentation, gaps and blank lines are made alike; all else stays."""
    assert format_yaml(MESSY) == TIDY


def test_the_loaded_rule_is_the_same(tmp_path: Path) -> None:
    """The versions of a rule, which change with anything that it does, stay."""
    before, after = (
        load(tmp_path / name, {"a_rule.yml": text}).rules["a_rule"]
        for name, text in (("before", MESSY), ("after", format_yaml(MESSY)))
    )
    assert (before.version, before.tests) == (after.version, after.tests)


def test_the_shipped_rules_are_formatted() -> None:
    """`rules fmt` leaves every shipped file as it is."""
    files = [SHIPPED / name for name in rule_files_of(SHIPPED)]
    changed = [path for path in files if format_yaml(path.read_text()) != path.read_text()]
    assert changed == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: [1", "line 1: not YAML"),
        ("a: 1\n\tb: 2", "line 2: a tab"),
        ("a: &x 1\nb: *x\n", "line 1: an anchor"),
        ("a: !!str 1\n", "line 1: an anchor, alias, tag"),
        ("? [a]\n: 1\n", "line 1: a key that is not a plain one"),
        ("a: |2\n    b\n", "line 1: a block of text with a given indentation"),
    ],
    ids=["broken", "tab", "anchor", "tag", "complex key", "given indentation"],
)
def test_what_it_cannot_keep_is_refused(text: str, why: str) -> None:
    """The message says where and why."""
    with pytest.raises(CannotFormat, match=re.escape(why)):
        format_yaml(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing but a comment\n",
        "--- # first\na: 1\n---\nb:\n    - c\n...\n",
        "a: |\n  x",
        "a: |+\n    x\n\n\nb: 1\n",
        "a: >-\n    x\n\n    y\n# c\nb: 1\n",
        'a: "x \\\n    y\\ \n    z"\n',
        "a:\n    b:\n  # far\n    c:\n",
        "- - a\n  -   b\n-   c:   d\n    e: f\n",
        "a: [1,\n  2, # two\n  3]\n",
        "a:\n    plain text\n      over lines\n\n      and a break\n",
        "\ufeffa:   1\r\nb: 2\r\n",
        "a: {b: 'x\n\n   y'}\n",
    ],
)
def test_odd_layouts_keep_their_meaning(text: str) -> None:
    """The data and the comments are those of before, and a second run changes nothing."""
    assert_faithful(text)


def assert_faithful(text: str) -> None:
    """Format a text and compare."""
    result = format_yaml(text)
    assert list(yaml.safe_load_all(result)) == list(yaml.safe_load_all(text))
    assert re.findall("#.*?$", result, re.MULTILINE) == re.findall(
        "#.*?$", text.replace("\r", ""), re.MULTILINE
    )
    assert format_yaml(result) == result


SCALARS = st.one_of(
    st.integers(-9, 9),
    st.booleans(),
    st.text(st.sampled_from("ab #:-'\"\\\n\u00e9\U0001f600{[,"), max_size=12),
)
KEYS = st.text(st.sampled_from("abc:# '-"), min_size=1, max_size=5)
DATA = st.dictionaries(
    KEYS,
    st.recursive(
        SCALARS,
        lambda some: st.lists(some, max_size=3) | st.dictionaries(KEYS, some, max_size=3),
        max_leaves=12,
    ),
    min_size=1,
    max_size=4,
)


FORMS = st.fixed_dictionaries(
    {
        "indent": st.integers(2, 7),
        "default_flow_style": st.sampled_from([True, False, None]),
        "default_style": st.sampled_from([None, "'", '"', "|", ">"]),
        "width": st.sampled_from([20, 100]),
    }
)


@given(data=DATA, form=FORMS)
def test_any_document_keeps_its_meaning(data: dict[str, Any], form: dict[str, Any]) -> None:
    """Whatever YAML a program writes loads the same afterwards; little of it is refused."""
    text = yaml.dump(data, allow_unicode=True, **form)
    try:
        result = format_yaml(text)
    except CannotFormat:
        reject()
    # Not the data: PyYAML itself folds some texts so that it reads them back as others.
    assert yaml.safe_load(result) == yaml.safe_load(text)
    assert format_yaml(result) == result


@given(places=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9)), max_size=6))
def test_comments_stay_where_they_are(places: list[tuple[int, int]]) -> None:
    """A comment between any two lines of a rule stays between them."""
    lines = TIDY.splitlines()
    inside = {line for line, text in enumerate(lines) if text.startswith(("    of", "      it"))}
    for number, (line, indent) in enumerate(places):
        if line < len(lines) and line not in inside and line not in {7, 8, 9}:
            lines[line] = f"{' ' * indent}# comment {number}\n{lines[line]}"
    text = "\n".join(lines) + "\n"
    result = format_yaml(text)
    assert [line.strip() for line in result.splitlines()] == [
        line.strip() for line in text.splitlines()
    ]
    assert format_yaml(result) == result


def test_the_loader_is_asked_too() -> None:
    """A rule file that is not UTF-8 is refused, one that is good is formatted."""
    with pytest.raises(CannotFormat, match="not UTF-8"):
        format_rule_file("a.yml", b"\xff")
    assert format_rule_file("a.yml", b"\n" + PLAIN.encode()) == PLAIN.encode()
