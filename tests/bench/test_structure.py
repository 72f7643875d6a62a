"""The structure bench counts what it says."""

from pathlib import Path

from bench.structure import measure, read_modules

FILES = {
    "clawback/__init__.py": '"""Top."""\n',
    "clawback/actions/__init__.py": "",
    "clawback/actions/move.py": (
        'class Base: ...\n\n\nclass Move(Base):\n    name: Literal["move"]\n'
    ),
    "clawback/cases.py": (
        "from clawback.actions.move import Base, Move\n\n\n"
        "def f(action):\n"
        "    # why\n"
        "    if isinstance(action, (Move, int)):\n"
        "        return 1\n\n"
        "    match action:\n"
        "        case Base():\n"
        "            return 2\n\n\n"
        "def g():\n"
        "    return 1\n"
    ),
    "workflows/__init__.py": "from clawback import cases\n",
    "activities/__init__.py": f"LONG = '{'x' * 100}'\n",
    "worker.py": "import workflows\n",
}


def test_a_small_tree_is_measured(tmp_path: Path) -> None:
    """Packages, arrows, sizes, and both tests of an action type outside of `actions`."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    found = measure(read_modules(tmp_path))
    assert (found.packages, found.modules, found.functions, found.function_max) == (6, 7, 2, 8)
    assert found.arrows == 4  # cases → actions, workflows → cases and clawback, worker → workflows
    assert (found.long_lines, round(found.blank_share, 3)) == (1, round(1 / 7, 3))
    assert (found.action_type_tests, found.action_type_files) == (2, 1)
