"""Templates print finished text: their syntax trees are read for anything else."""

import re
from collections.abc import Iterator

import pytest
from jinja2 import nodes

from clawback.console.rendering import template_environment

ENVIRONMENT = template_environment()
NAMES = ENVIRONMENT.list_templates(extensions=["html"])
FORBIDDEN = (
    nodes.Add,
    nodes.CallBlock,
    nodes.Div,
    nodes.Filter,
    nodes.FilterBlock,
    nodes.FloorDiv,
    nodes.MarkSafe,
    nodes.MarkSafeIfAutoescape,
    nodes.Mod,
    nodes.Mul,
    nodes.Pow,
    nodes.ScopedEvalContextModifier,
    nodes.Sub,
)

FORBIDDEN_MARKUP = re.compile(
    r"<style|javascript:|\s(?:style|on\w+)=|\s[\w:-]+=\{\{", re.IGNORECASE
)


def source_of(name: str) -> str:
    assert ENVIRONMENT.loader is not None
    return ENVIRONMENT.loader.get_source(ENVIRONMENT, name)[0]


def calls(tree: nodes.Template) -> Iterator[nodes.Call]:
    """Calls of anything but a macro."""
    for call in tree.find_all(nodes.Call):
        is_macro = isinstance(call.node, nodes.Getattr) and (
            isinstance(call.node.node, nodes.Name) and call.node.node.name == "macros"
        )
        if not is_macro:
            yield call


@pytest.mark.parametrize("name", NAMES)
def test_a_template_only_prints(name: str) -> None:
    """No filter, no arithmetic, no call of anything but a macro, nothing marked as safe."""
    tree = ENVIRONMENT.parse(source_of(name))
    assert not list(tree.find_all(FORBIDDEN))
    assert not list(calls(tree))


@pytest.mark.parametrize("name", NAMES)
def test_a_template_has_no_inline_script_or_style(name: str) -> None:
    """The policy of the page forbids them; every attribute with a value is in quotes."""
    source = source_of(name)
    assert not FORBIDDEN_MARKUP.findall(source)


def test_values_are_escaped() -> None:
    """Whatever a subject is, it is text."""
    template = ENVIRONMENT.from_string('<b title="{{ text }}">{{ text }}</b>')
    shown = template.render(text='"><script>alert(1)</script>')
    assert "<script" not in shown
    assert '""' not in shown
