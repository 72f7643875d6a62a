"""Figures about the shape of the source tree: packages, imports, sizes, action-type tests."""

import ast
import json as json_module
import tokenize
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Annotated

import typer
from rich.table import Table

from bench.report import wide_console

ROOT = Path(__file__).parents[1]
_PRODUCT = ("clawback", "workflows", "activities", "worker.py")
_MAX_COLUMNS = 100
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass
class Module:
    """One source file: its dotted name, its text and its syntax tree."""

    name: str
    text: str
    tree: ast.Module
    imports: set[str] = field(default_factory=set)

    @property
    def package(self) -> str:
        """The package it belongs to: the first component below `clawback`, or the top one."""
        first, *rest = self.name.split(".")
        return rest[0] if first == "clawback" and rest else first


@dataclass(frozen=True)
class Structure:
    """The figures. Shares are from 0 to 1; function lengths are in lines."""

    packages: int
    arrows: int
    modules: int
    one_importer: int
    lines: int
    functions: int
    function_median: float
    function_p90: float
    function_max: int
    long_lines: int
    comment_share: float
    blank_share: float
    action_type_tests: int
    action_type_files: int


def read_modules(root: Path) -> dict[str, Module]:
    """Parse the product below a checkout and resolve its imports, by dotted name."""
    paths = [
        path
        for part in _PRODUCT
        for path in ([root / part] if part.endswith(".py") else sorted((root / part).rglob("*.py")))
    ]
    modules = {}
    for path in paths:
        name = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        text = path.read_text(encoding="utf-8")
        modules[name] = Module(name, text, ast.parse(text))
    for module in modules.values():
        module.imports = set(_imports(module.tree, modules)) - {module.name}
    return modules


def _imports(tree: ast.Module, modules: Mapping[str, Module]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield from (name for name in (submodule, node.module) if name in modules)


def measure(modules: Mapping[str, Module]) -> Structure:
    """Compute all figures."""
    importers: dict[str, set[str]] = defaultdict(set)
    for module in modules.values():
        for imported in module.imports:
            importers[imported].add(module.name)
    arrows = {
        (module.package, modules[imported].package)
        for module in modules.values()
        for imported in module.imports
        if module.package != modules[imported].package
    }

    functions = [
        node
        for module in modules.values()
        for node in ast.walk(module.tree)
        if isinstance(node, _FUNCTIONS)
    ]
    lengths = sorted((node.end_lineno or node.lineno) - node.lineno + 1 for node in functions)
    deciles = quantiles(lengths, n=10, method="inclusive")
    lines = [line for module in modules.values() for line in module.text.splitlines()]
    tests = {name: count for name, count in _action_type_tests(modules) if count}

    return Structure(
        packages=len({module.package for module in modules.values()}),
        arrows=len(arrows),
        modules=len(modules),
        one_importer=sum(len(importers[name]) == 1 for name in modules),
        lines=len(lines),
        functions=len(lengths),
        function_median=deciles[4],
        function_p90=deciles[8],
        function_max=lengths[-1],
        long_lines=sum(len(line) > _MAX_COLUMNS for line in lines),
        comment_share=sum(_count_comments(module) for module in modules.values()) / len(lines),
        blank_share=_blank_share(modules, functions),
        action_type_tests=sum(tests.values()),
        action_type_files=len(tests),
    )


def _count_comments(module: Module) -> int:
    """Count the lines that are a comment and nothing else."""
    tokens = tokenize.generate_tokens(iter(module.text.splitlines(keepends=True)).__next__)
    return sum(
        token.type == tokenize.COMMENT and token.line.lstrip().startswith("#") for token in tokens
    )


def _blank_share(
    modules: Mapping[str, Module], functions: list[ast.FunctionDef | ast.AsyncFunctionDef]
) -> float:
    """The share of blank lines in the bodies of functions."""
    owners = {id(node): module for module in modules.values() for node in ast.walk(module.tree)}
    bodies = [
        line
        for node in functions
        for line in owners[id(node)].text.splitlines()[node.body[0].lineno - 1 : node.end_lineno]
    ]
    return sum(not line.strip() for line in bodies) / len(bodies)


def _action_type_tests(modules: Mapping[str, Module]) -> Iterator[tuple[str, int]]:
    """Count `isinstance` and `case` on action types in every module outside `clawback.actions`."""
    types = _action_types(modules)
    for module in modules.values():
        if module.package != "actions":
            yield module.name, sum(_tests_one_of(node, types) for node in ast.walk(module.tree))


def _action_types(modules: Mapping[str, Module]) -> frozenset[str]:
    """The classes with a literal `name` in `clawback.actions`, and their bases there."""
    bases: dict[str, set[str]] = {}
    found: set[str] = set()
    for module in modules.values():
        if module.package == "actions":
            for node in ast.walk(module.tree):
                if isinstance(node, ast.ClassDef):
                    bases[node.name] = {one.id for one in node.bases if isinstance(one, ast.Name)}
                    found |= {node.name} if _has_literal_name(node) else set()
    while further := {base for name in found for base in bases[name] if base in bases} - found:
        found |= further
    return frozenset(found)


def _has_literal_name(node: ast.ClassDef) -> bool:
    return any(
        isinstance(item, ast.AnnAssign)
        and isinstance(item.target, ast.Name)
        and item.target.id == "name"
        and "Literal" in ast.dump(item.annotation)
        for item in node.body
    )


def _tests_one_of(node: ast.AST, types: frozenset[str]) -> bool:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        tested = node.args[1:2] if node.func.id == "isinstance" else []
    elif isinstance(node, ast.MatchClass):
        tested = [node.cls]
    else:
        tested = []
    return any(
        isinstance(one, ast.Name) and one.id in types for root in tested for one in ast.walk(root)
    )


async def structure(
    *,
    root: Annotated[Path, typer.Option(help="The checkout to measure.")] = ROOT,
    json: Annotated[Path | None, typer.Option(help="Also write the figures to this file.")] = None,
) -> None:
    """Print figures about the shape of the source tree; no programs run."""
    found = measure(read_modules(root))
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in asdict(found).items():
        shown = f"{value:.1%}" if name.endswith("_share") else f"{value:,g}"
        table.add_row(name.replace("_", " "), shown)
    wide_console().print(table)
    if json is not None:
        json.write_text(json_module.dumps(asdict(found), indent=2) + "\n")
