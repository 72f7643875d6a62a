"""Formats the layout of a YAML file, and nothing else: indentation, gaps and blank lines.

Keys, values, quotes, comments and their order stay as they are, character by character. That is
checked before a result is given: the same text without blanks, and the same tree of nodes.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import yaml

_STEP = 2
_OTHER_BREAKS = re.compile("[\t\v\f\x85\u2028\u2029]")
_UNUSUAL = (yaml.AnchorToken, yaml.AliasToken, yaml.TagToken, yaml.DirectiveToken)
_BLOCK_HEADER = re.compile(r"[|>]([-+0-9]*)")
_PREFIX_OF_KEY = re.compile(r"[ -]*")


class CannotFormat(ValueError):
    """The file cannot be formatted without a risk for its meaning. The message says why."""


@dataclass(slots=True)
class _Layout:
    """What becomes of each line (numbered from 0) and of the gaps within lines.

    `starts` has the new indentation of lines that begin with a key, a dash or a value; `inside`
    that of lines that go on with a text; `shifted` names, for further lines of a flow collection,
    the line with which they move; `verbatim` are lines whose end and blanks are part of a text.
    """

    lines: list[str]
    starts: dict[int, int] = field(default_factory=dict)
    inside: dict[int, int] = field(default_factory=dict)
    shifted: dict[int, int] = field(default_factory=dict)
    verbatim: set[int] = field(default_factory=set)
    gaps: dict[int, list[tuple[int, int, str]]] = field(default_factory=dict)

    def put(self, line: int, column: int, indent: int) -> None:
        """Indent a line if what stands at `column` is the first in it."""
        if not self.lines[line][:column].strip():
            self.starts[line] = indent

    def close_gap(self, line: int, start: int, end: int, gap: str) -> None:
        """Replace the blanks between two columns of a line."""
        if self.lines[line][start:end].strip():
            raise CannotFormat(f"line {line + 1}: there is something between a key and its value")
        self.gaps.setdefault(line, []).append((start, end, gap))


def format_yaml(text: str) -> str:
    """Format a text. What is formatted stays as it is.

    Raises:
        CannotFormat: it is not YAML, or has a construct whose layout cannot be changed safely.

    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    if found := _OTHER_BREAKS.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise CannotFormat(f"line {line}: a tab or an unusual line break")

    before = _nodes(text)
    result = _format_once(text, before)
    if _without_blanks(result) != _without_blanks(text) or _signature(result) != _tree(before):
        raise CannotFormat("its meaning depends on its layout")
    return result


def _format_once(text: str, nodes: Sequence[yaml.Node]) -> str:
    layout = _Layout(text.split("\n"))
    tokens = list(yaml.scan(text, Loader=yaml.SafeLoader))
    if unusual := next((token for token in tokens if isinstance(token, _UNUSUAL)), None):
        line = unusual.start_mark.line + 1
        raise CannotFormat(f"line {line}: an anchor, alias, tag or directive")

    dashes = [token.start_mark for token in tokens if isinstance(token, yaml.BlockEntryToken)]
    for node in nodes:
        layout.put(node.start_mark.line, node.start_mark.column, 0)
        _place(node, 0, layout, dashes)

    return _join(layout)


def _nodes(text: str) -> list[yaml.Node]:
    try:
        return list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}: " if mark else ""
        raise CannotFormat(f"{where}not YAML: {error.problem}") from None
    except (yaml.YAMLError, RecursionError):
        raise CannotFormat("not YAML") from None


def _signature(text: str) -> list[Any]:
    try:
        return _tree(_nodes(text))
    except CannotFormat:
        return []


def _tree(nodes: Sequence[yaml.Node]) -> list[Any]:
    """Everything of some nodes but their places."""
    return [(node.tag, type(node), getattr(node, "style", None), *_content(node)) for node in nodes]


def _content(node: yaml.Node) -> list[Any]:
    match node:
        case yaml.MappingNode():
            return _tree([one for pair in node.value for one in pair])
        case yaml.SequenceNode():
            return _tree(node.value)
        case _:
            return [node.value]


def _without_blanks(text: str) -> str:
    return "".join(text.split())


# ---- where everything goes


def _place(node: yaml.Node, indent: int, layout: _Layout, dashes: Sequence[yaml.Mark]) -> None:
    """Lay out a node whose first column is to be `indent`."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style:
        for key, value in node.value:
            _place_key(key, value, indent, layout)
            _place(value, indent + _STEP, layout, dashes)
    elif isinstance(node, yaml.SequenceNode) and not node.flow_style:
        _place_items(node, indent, layout, dashes)
    elif isinstance(node, yaml.ScalarNode) and node.style in {"|", ">"}:
        _place_block(node, indent, layout)
    else:
        for line in range(node.start_mark.line + 1, node.end_mark.line + 1):
            if isinstance(node, yaml.ScalarNode):
                layout.verbatim.add(line)
                layout.inside[line] = indent
            else:
                layout.shifted[line] = node.start_mark.line
        if isinstance(node, yaml.CollectionNode):
            _keep_texts(node, layout)


def _keep_texts(node: yaml.Node, layout: _Layout) -> None:
    """Keep the lines of texts within a flow collection as they are."""
    for one in _scalars(node):
        first, last = one.start_mark.line, one.end_mark.line
        layout.verbatim.update(range(first, last + 1) if last > first else ())


def _scalars(node: yaml.Node) -> Iterator[yaml.ScalarNode]:
    """Give the scalars of a node, in order."""
    if isinstance(node, yaml.ScalarNode):
        yield node
    for one in node.value if isinstance(node, yaml.CollectionNode) else ():
        for child in one if isinstance(one, tuple) else (one,):
            yield from _scalars(child)


def _place_key(key: yaml.Node, value: yaml.Node, indent: int, layout: _Layout) -> None:
    start, end = key.start_mark, key.end_mark
    line = layout.lines[start.line]
    if start.line != end.line or not _PREFIX_OF_KEY.fullmatch(line[: start.column]):
        raise CannotFormat(f"line {start.line + 1}: a key that is not a plain one")

    layout.put(start.line, start.column, indent)
    colon = line.index(":", end.column)
    layout.close_gap(start.line, end.column, colon, "")
    if value.start_mark.line == start.line and value.start_mark.column > colon + 1:
        layout.close_gap(start.line, colon + 1, value.start_mark.column, " ")
    elif value.start_mark.line > start.line:
        layout.put(value.start_mark.line, value.start_mark.column, indent + _STEP)


def _place_items(
    node: yaml.SequenceNode, indent: int, layout: _Layout, dashes: Sequence[yaml.Mark]
) -> None:
    column = node.start_mark.column
    own = [
        mark
        for mark in dashes
        if mark.column == column and node.start_mark.index <= mark.index < node.end_mark.index
    ]
    if len(own) != len(node.value):
        raise CannotFormat(f"line {node.start_mark.line + 1}: a list with an unusual layout")

    for dash, item in zip(own, node.value, strict=True):
        layout.put(dash.line, dash.column, indent)
        if item.start_mark.line == dash.line:
            layout.close_gap(dash.line, dash.column + 1, item.start_mark.column, " ")
        else:
            layout.put(item.start_mark.line, item.start_mark.column, indent + _STEP)
        _place(item, indent + _STEP, layout, dashes)


def _place_block(node: yaml.ScalarNode, indent: int, layout: _Layout) -> None:
    """Lay out a block of text: its lines move together."""
    first = node.start_mark.line
    header = _BLOCK_HEADER.match(layout.lines[first], node.start_mark.column)
    if header is None or any(one.isdigit() for one in header[1]):
        raise CannotFormat(f"line {first + 1}: a block of text with a given indentation")

    width, last = None, first
    for number in range(first + 1, len(layout.lines)):
        line = layout.lines[number]
        if not line.strip():
            continue
        width = _indent_of(line) if width is None else width
        if not width or _indent_of(line) < width:
            break
        last = number

    if "+" in header[1]:  # blank lines at the end are part of the text
        while last + 1 < len(layout.lines) and not layout.lines[last + 1].strip():
            last += 1

    for number in range(first + 1, last + 1):
        extra = len(layout.lines[number]) - len(layout.lines[number].lstrip(" ")) - (width or 0)
        layout.inside[number] = max(indent + extra, 0) if layout.lines[number] else 0
        layout.verbatim.add(number)


# ---- the lines


def _join(layout: _Layout) -> str:
    lines: list[tuple[str, bool]] = []
    for number, line in enumerate(layout.lines):
        content = _with_gaps(line, layout.gaps.get(number, ())).lstrip(" ")
        is_verbatim = number in layout.verbatim
        if not is_verbatim:
            content = content.rstrip()
        indent = _new_indent(number, layout) if content else 0
        lines.append((" " * indent + content, is_verbatim))

    kept: list[str] = []
    for is_blank, group in groupby(lines, key=lambda one: not one[0].strip() and not one[1]):
        found = [line for line, _ in group]
        kept += ([""] if kept else []) if is_blank else found
    return "\n".join(kept).rstrip("\n") + "\n" if not _ends_in_text(layout) else "\n".join(kept)


def _ends_in_text(layout: _Layout) -> bool:
    return len(layout.lines) - 1 in layout.verbatim


def _with_gaps(line: str, gaps: Sequence[tuple[int, int, str]]) -> str:
    for start, end, gap in sorted(gaps, reverse=True):
        line = line[:start] + gap + line[end:]
    return line


def _new_indent(number: int, layout: _Layout) -> int:
    old = _indent_of(layout.lines[number])
    if number in layout.starts:
        return layout.starts[number]
    if number in layout.inside:
        return layout.inside[number]
    if (first := layout.shifted.get(number)) is not None:
        return max(old + _shift(first, layout), 0)
    return _indent_of_comment(number, old, layout)


def _shift(line: int, layout: _Layout) -> int:
    return (
        layout.starts.get(line, 0) - _indent_of(layout.lines[line]) if line in layout.starts else 0
    )


def _indent_of_comment(number: int, old: int, layout: _Layout) -> int:
    """Align a comment with the line that it was aligned with: the next one, or one before."""
    following = next(
        (one for one in range(number, len(layout.lines)) if one in layout.starts), None
    )
    if following is not None and _indent_of(layout.lines[following]) == old:
        return layout.starts[following]
    for line in range(number - 1, -1, -1):
        if line in layout.starts and _indent_of(layout.lines[line]) == old:
            return layout.starts[line]
        if layout.lines[line].startswith("---"):
            break
    return max(old + _shift(following, layout), 0) if following is not None else old


def _indent_of(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
