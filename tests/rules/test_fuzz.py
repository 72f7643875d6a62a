"""Loading any folder ends soon, with a rule set or with problems, and leaks no memory.

`RULES_FUZZ_SECONDS=60` takes a minute, `RULES_FUZZ_SEED` takes another way.
"""

import gc
import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from time import monotonic

import pytest

from clawback.rules import RuleErrors, load_rules

RULES = Path(__file__).parents[2] / "rules"
SECONDS = float(os.environ.get("RULES_FUZZ_SECONDS", "4"))
SEED = int(os.environ.get("RULES_FUZZ_SEED", "0"))
SLOWEST = 10.0
"""Seconds that one load may take on a busy machine; a hang takes for ever."""
GROWTH = 64 << 20
WARM = 0.3
LARGE = 400_000
LONGEST = 100_000

Mutation = Callable[[Random, bytes], bytes]


def flipped(random: Random, raw: bytes) -> bytes:
    """Change single bytes."""
    found = bytearray(raw)
    for _ in range(random.randint(1, 8)):
        found[random.randrange(len(found))] = random.randrange(256)
    return bytes(found)


def cut(random: Random, raw: bytes) -> bytes:
    """Leave out a piece."""
    start = random.randrange(len(raw))
    return raw[:start] + raw[start + random.randint(1, 200) :]


def doubled(random: Random, raw: bytes) -> bytes:
    """Repeat a piece somewhere else."""
    start, where = random.randrange(len(raw)), random.randrange(len(raw))
    return raw[:where] + raw[start : start + random.randint(1, 300)] + raw[where:]


def lines_mixed(random: Random, raw: bytes) -> bytes:
    """Shuffle, indent and drop lines."""
    lines = raw.splitlines(keepends=True)
    for _ in range(random.randint(1, 6)):
        one, other = random.randrange(len(lines)), random.randrange(len(lines))
        lines[one], lines[other] = lines[other], b" " * random.randint(0, 4) + lines[one]
    return b"".join(lines)


def value_replaced(random: Random, raw: bytes) -> bytes:
    """Replace what stands after a colon."""
    lines = raw.splitlines()
    number = random.randrange(len(lines))
    lines[number] = lines[number].partition(b":")[0] + b": " + random.choice(VALUES)
    return b"\n".join(lines)


def noise(random: Random, raw: bytes) -> bytes:
    """Bytes of no meaning."""
    return random.randbytes(random.randint(0, len(raw)))


def monster(random: Random, raw: bytes) -> bytes:
    """Something far too deep, too long or too much.

    On its own, or as the condition or the value of a rule.
    """
    large = random.choice(MONSTERS)
    return random.choice(
        (large, raw + b"\n" + large, raw.replace(b"condition: ", b"condition: " + large + b" ", 1))
    )


VALUES = (
    b"null",
    b"[]",
    b"{}",
    b"yes",
    b"0x10",
    b"1e400",
    b"-1",
    b"''",
    b'"\\ud800"',
    b"'*'",
    b"'(((('",
    b"'(a|a)*b{1000}'",
    b"2026-02-30",
    b"'%vips%'",
    b"not not not sel",
    b"1 of *",
    b"((((sel))))",
    b"sel and",
    b"&a [*a]",
    b"!!python/object:os.system x",
    b"{a: {b: {c: [1, {d: e}]}}}",
    "\u202e\u200b".encode(),
    b"99999999999999999999999999",
    b".nan",
    b"|\n  text",
)
MONSTERS = (
    b"[" * 50_000,
    b"{a: " * 20_000,
    b"- " * 50_000,
    b"(" * 5_000 + b"sel" + b")" * 5_000,
    b"not " * 20_000 + b"sel",
    b"sel or " * 20_000 + b"sel",
    b"x" * LARGE,
    b"'" + b"*?" * 50_000 + b"'",
    b'"' + b"\\" * 50_001,
    b"\t" * LARGE,
    b"\xff" * LARGE,
    "\u200b".encode() * (LARGE // 3),
    b"\n" * LARGE,
    b"---\n" * 50_000,
    b"a: 1\n" * 50_000,
    b"".join(b"k%d: &a%d [*a%d]\n" % (number, number, number - 1) for number in range(20_000)),
    b"&a " * 10_000,
    b"a" * 2_000_000,
    b"\x00" * 10_000,
    b"\xed\xa0\x80" * 1_000,
    b"? " * 20_000,
    b"%YAML 9.9\n---\n",
)
MUTATIONS: tuple[Mutation, ...] = (
    flipped,
    flipped,
    cut,
    doubled,
    lines_mixed,
    value_replaced,
    value_replaced,
    value_replaced,
    noise,
    monster,
)


@pytest.fixture
def shipped() -> list[tuple[Path, bytes]]:
    """The files of the shipped library, by their place in the folder."""
    return [(path.relative_to(RULES), path.read_bytes()) for path in sorted(RULES.rglob("*.yml"))]


def folders(
    random: Random, shipped: list[tuple[Path, bytes]], folder: Path
) -> Iterator[tuple[Mutation, bytes]]:
    """Write one folder after the other, of one mutated file each, beside good lists.

    Now and then it is safety, a list or an exception.
    """
    lists = [(path, raw) for path, raw in shipped if path.parts[0] in {"lists", "safety.yml"}]
    while True:
        path, raw = random.choice(shipped)
        mutate = random.choice(MUTATIONS)
        mutated = mutate(random, raw)
        for name, text in [*lists, (path, mutated)]:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(text)
        yield mutate, mutated
        (folder / path).unlink()


def told(folder: Path) -> str:
    """Load a folder; gives the text of its problems, which is empty if there are none."""
    try:
        load_rules(folder)
    except RuleErrors as error:
        return str(error) or "nothing"
    return ""


def resident() -> int:
    """The most memory that this process ever had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_garbage_is_refused_and_nothing_else_happens(
    tmp_path: Path, shipped: list[tuple[Path, bytes]]
) -> None:
    """Mutated rules, noise and monsters give a set or problems.

    No other error, no hang, no growth once every kind has been seen.
    """
    random = Random(SEED)  # noqa: S311 - reproducible on purpose
    outcomes = {"loaded": 0, "refused": 0}
    started = monotonic()
    warm: int | None = None
    for mutate, mutated in folders(random, shipped, tmp_path):
        before = monotonic()
        outcomes["refused" if told(tmp_path) else "loaded"] += 1
        spent = monotonic() - before
        assert spent < SLOWEST, (
            f"{mutate.__name__}: {spent:.1f} s for {len(mutated)} bytes, {mutated[:80]!r}"
        )
        if warm is None and monotonic() - started > SECONDS * WARM:
            gc.collect()
            warm = resident()
        if monotonic() - started > SECONDS:
            break
    assert warm is not None
    assert resident() - warm < GROWTH, (
        f"grew by {(resident() - warm) >> 20} MiB in {sum(outcomes.values())} loads"
    )
    assert all(outcomes.values()), outcomes


@pytest.mark.parametrize("number", range(len(MONSTERS)))
def test_monsters_are_refused_soon(number: int, tmp_path: Path) -> None:
    """Each monster, as a file of its own and as a condition, is refused with problems, soon."""
    for name, raw in (
        ("alone", MONSTERS[number]),
        ("condition", RULE.replace(b"CONDITION", MONSTERS[number])),
    ):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "safety.yml").write_bytes(b"{}\n")
        (folder / "a_rule.yml").write_bytes(raw)
        before = monotonic()
        problems = told(folder)
        assert monotonic() - before < SLOWEST
        assert problems or not raw.strip()
        assert len(problems) < LONGEST


RULE = b"""title: A rule
name: a_rule
logsource: {product: cloudflare, service: email_security, category: message}
detection:
  sel: {from: a@x.test}
  condition: CONDITION
"""
