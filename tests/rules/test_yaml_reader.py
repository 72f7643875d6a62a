"""The loader meets garbage without a crash, and reads good YAML as PyYAML does."""

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from clawback.rules import RuleErrors, load_rules
from clawback.rules.source.errors import Code, Problems
from clawback.rules.source.yaml_reader import read_documents
from tests.rules.folders import PLAIN, write

scalars = st.one_of(
    st.booleans(),
    st.none(),
    st.integers(-(10**12), 10**12),
    st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), max_size=8),
)
data = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text("abcxyz", min_size=2), inner, max_size=3),
    ),
    max_leaves=10,
)
PIECES = [
    "title: ",
    "detection:",
    "\n",
    "  ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    ": ",
    "sel",
    "|re",
    "'",
    '"',
    "&a ",
    "*a",
    "!!x ",
    "|",
    ">",
    "---\n",
    "\t",
    "\u202e",
    "%",
    "#",
    "\x00",
    "é",
    "1",
    "null",
    "condition: sel and ",
    "(",
]


@settings(deadline=None)
@given(data)
def test_what_is_read_is_what_was_written(value: object) -> None:
    """Anything written with every text in quotes is read back as it was."""
    problems = Problems()
    text = yaml.safe_dump({"key": value}, default_style=None, allow_unicode=True)
    quoted = yaml.dump({"key": value}, Dumper=_Quoting, allow_unicode=True)

    (document,) = read_documents("x.yml", quoted.encode(), problems)

    assert document.data == {"key": value} == yaml.safe_load(text)
    assert not list(problems)


class _Quoting(yaml.SafeDumper):
    """Puts texts in quotes, and leaves out anchors."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True


_Quoting.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


@settings(deadline=None, max_examples=200)
@given(
    st.one_of(
        st.binary(max_size=60),
        st.lists(st.sampled_from(PIECES), max_size=25).map(lambda pieces: "".join(pieces).encode()),
    )
)
def test_garbage_is_refused_or_read(raw: bytes) -> None:
    """Reading any file ends, with documents or with problems that have a place in the file."""
    problems = Problems()

    documents = read_documents("x.yml", raw, problems)

    for problem in problems:
        assert 1 <= problem.place.line <= raw.count(b"\n") + raw.count(b"\r") + 2
        assert problem.place.column >= 1
    assert not (
        documents
        and any(
            problem.code in {Code.YAML, Code.UNREADABLE, Code.TAB, Code.INVISIBLE}
            for problem in problems
        )
    )


@settings(deadline=None, max_examples=150)
@given(st.integers(0, len(PLAIN) - 1), st.sampled_from(PIECES), st.integers(0, 4))
def test_a_broken_rule_is_refused_or_loads(
    tmp_path_factory: pytest.TempPathFactory,
    position: int,
    piece: str,
    cut: int,
) -> None:
    """A mutated rule either loads or is refused with problems; nothing else is raised."""
    folder: Path = tmp_path_factory.mktemp("fuzz")
    write(folder, {"a_rule.yml": PLAIN[:position] + piece + PLAIN[position + cut :]})
    try:
        rules = load_rules(folder)
    except RuleErrors as error:
        assert error.problems  # noqa: PT017 - several errors are right
    else:
        assert rules.version


CORE_SCHEMA = re.compile(
    r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"
    r"|[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
    r"|true|True|TRUE|false|False|FALSE|null|Null|NULL|~"
)
"""What the core schema of YAML 1.2 reads as no string."""
STRINGS = {"tag:yaml.org,2002:str", "tag:yaml.org,2002:timestamp"}
LOOKS = st.one_of(
    st.text("0123456789abefxo_:.+-", min_size=1, max_size=10),
    st.from_regex(r"0b[0-9a-f]{1,12}", fullmatch=True),
    st.from_regex(r"[0-9]{1,4}e[0-9a-f]{1,6}", fullmatch=True),
    st.from_regex(r"([0-9a-f]{2}:){2,5}[0-9a-f]{2}", fullmatch=True),
    st.from_regex(r"[0-9a-f]{32}", fullmatch=True),
    st.sampled_from(["yes", "no", "on", "off", "true", "false", "null", "y", "n"]).flatmap(
        lambda word: st.tuples(*(st.sampled_from([c, c.upper()]) for c in word)).map("".join)
    ),
)


@given(LOOKS)
def test_only_what_a_version_of_yaml_reads_as_no_string_is_refused(text: str) -> None:
    """A hash such as 0b7f4a6e is a string to every version, and needs no quotes."""
    try:
        node = yaml.compose(f"key: {text}", Loader=yaml.SafeLoader)
        assert node is not None
        value = node.value[0][1]
    except (yaml.YAMLError, AttributeError, IndexError):
        return  # it has a meaning in the structure of a document
    if value.value != text:
        return
    spec_only = {"y", "Y", "n", "N"}  # YAML 1.1 calls them booleans, PyYAML does not
    is_string = value.tag in STRINGS and not CORE_SCHEMA.fullmatch(text) and text not in spec_only
    problems = Problems()

    documents = read_documents("x.yml", f"key: {text}\n".encode(), problems)

    if is_string:
        assert not list(problems)
        assert documents[0].data == {"key": text}
    elif not re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?|true|false|null|~", text):
        assert [problem.code for problem in problems] == [Code.AMBIGUOUS]
