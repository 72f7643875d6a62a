"""`clawback rules backtest` as people run it.

Over files, over the API, and with something wrong.
"""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from clawback.cli.exits import ExitCode
from clawback.simulator import Simulator
from tests.cli.command import clawback, sentence
from tests.rules.folders import PLAIN, write

RULES = str(Path(__file__).parents[2] / "rules")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A corpus of three messages, one of which the rule moves."""
    path = tmp_path / "corpus.jsonl"
    senders = ("a@x.test", "b@x.test", "c@x.test")
    lines = [
        {"message": {"id": f"m{n}", "from": one, "scanned_at": f"2026-01-0{n + 1}T00:00:00Z"}}
        for n, one in enumerate(senders)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_over_a_corpus(tmp_path: Path, corpus: Path) -> None:
    """The table, the JSON and the page tell the same, and the exit code is 0."""
    folder = str(write(tmp_path / "rules", {"a_rule.yml": PLAIN}))
    done = clawback(
        "rules",
        "backtest",
        "--corpus",
        str(corpus),
        "--rules",
        folder,
        "--html",
        str(tmp_path / "report.html"),
    )
    assert done.returncode == ExitCode.OK, done.stderr
    assert "1 of 3 delivered messages moved (33.33%)" in done.stdout
    assert "1 move" in (tmp_path / "report.html").read_text()
    answer = json.loads(
        clawback("rules", "backtest", "--corpus", str(corpus), "--rules", folder, "--json").stdout
    )
    assert (answer["moved"], answer["actions"]["acting"], answer["days"]) == (1, {"move": 1}, 3)


def test_every_match_is_listed(tmp_path: Path, corpus: Path) -> None:
    """The terminal shows the newest matches of each rule, `--json` all, without control codes."""
    hostile = {"id": "m9", "from": "a@x.test", "subject": "\x1b[31m\u202epay"}
    with corpus.open("a") as file:
        for number in range(12):
            hostile |= {"id": f"h{number}", "scanned_at": f"2026-01-05T00:00:{number:02}Z"}
            file.write(json.dumps({"message": hostile}) + "\n")

    folder = str(write(tmp_path / "rules", {"a_rule.yml": PLAIN}))
    command = ("rules", "backtest", "--corpus", str(corpus), "--rules", folder)
    text = clawback(*command, "--top", "3").stdout
    assert "a_rule: 13 matched, the newest 3 (all: --json)" in text
    assert [f"  h{n}\n" in text for n in (11, 9, 8)] == [True, True, False]
    assert "\x1b" not in text
    assert "\u202e" not in text

    matches = json.loads(clawback(*command, "--json").stdout)["matches"]
    assert [one["id"] for one in matches] == [*(f"h{n}" for n in reversed(range(12))), "m0"]
    assert set(matches[0]) >= {"rule", "at", "sender", "subject", "mailbox", "verdict", "event"}


def test_a_review_shows_only_what_is_new(tmp_path: Path, corpus: Path) -> None:
    """`--accept` makes the file and adds to it; `--baseline` only compares, with exit code 1."""
    folder = write(tmp_path / "rules", {"a_rule.yml": PLAIN})
    command = ("rules", "backtest", "--corpus", str(corpus), "--rules", str(folder))
    file = tmp_path / "reviewed.jsonl"
    assert "no such file" in clawback(*command, "--baseline", str(file)).stderr

    first = clawback(*command, "--accept", str(file))
    assert ("m0" in first.stdout, first.returncode) == (True, ExitCode.OK)
    again = clawback(*command, "--baseline", str(file))
    assert ("nothing new" in again.stdout, again.returncode) == (True, ExitCode.OK)

    wider = PLAIN.replace("sel: {from: a@x.test}", "sel: {from: [a@x.test, c@x.test]}")
    write(folder, {"a_rule.yml": wider})
    changed = clawback(*command, "--baseline", str(file), "--json")
    assert [one["id"] for one in json.loads(changed.stdout)["matches"]] == ["m2"]
    assert changed.returncode == ExitCode.NO
    assert file.read_text().count("\n") == 1

    clawback(*command, "--accept", str(file))
    accepted = [json.loads(line)["event"] for line in file.read_text().splitlines()]
    assert accepted == ["message/m0", "message/m2"]


async def test_a_running_demo_needs_no_credentials(tmp_path: Path) -> None:
    """Without credentials `--since` and `explain --id` read the simulator of `clawback up`."""
    now = datetime.now(UTC) - timedelta(hours=1)
    message = {"id": "m1-a-0", "from": "a@x.test", "scanned_at": now.isoformat()}
    folder = str(write(tmp_path / "rules", {"a_rule.yml": PLAIN}))
    simulator = Simulator()
    simulator.add([{"message": message}])
    async with simulator.serve() as url:
        demo = {"CLAWBACK_SIMULATOR_PORT": str(httpx.URL(url).port)}
        command = ("rules", "backtest", "--since", "1d", "--rules", folder)
        backtest = await asyncio.to_thread(clawback, *command, **demo)
        explaining = ("rules", "explain", "a_rule", "--id", "m1-a-0", "--rules", folder)
        explain = await asyncio.to_thread(clawback, *explaining, **demo)

    assert "a_rule: 1 matched" in backtest.stdout, backtest.stderr
    assert explain.returncode == ExitCode.OK, explain.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), ExitCode.USAGE, "give the history: --corpus"),
        (("--corpus", "/nowhere.jsonl"), ExitCode.NO, "/nowhere.jsonl: No such file"),
        (("--corpus", "GARBAGE"), ExitCode.NO, "garbage.jsonl:2: "),
        (("--corpus", "EMPTY"), ExitCode.NO, "the history has no event"),
        (
            ("--corpus", "EMPTY", "--against", "nonsense"),
            ExitCode.USAGE,
            "no git revision 'nonsense'",
        ),
        (
            ("--corpus", "EMPTY", "--html", "/nowhere/x.html"),
            ExitCode.USAGE,
            "no such folder: /nowhere",
        ),
        (("--since", "7x"), ExitCode.USAGE, "is not a duration"),
        (("--since", "7d"), ExitCode.USAGE, "CLOUDFLARE_API_TOKEN"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(
    tmp_path: Path, arguments: tuple[str, ...], code: ExitCode, said: str
) -> None:
    """Whatever is wrong is named, with its place and an exit code."""
    (tmp_path / "garbage.jsonl").write_text('{"message": {"id": "a"}}\nnonsense\n')
    (tmp_path / "empty.jsonl").write_text("")
    names = {"GARBAGE": str(tmp_path / "garbage.jsonl"), "EMPTY": str(tmp_path / "empty.jsonl")}
    done = clawback(
        "rules", "backtest", *(names.get(one, one) for one in arguments), CLAWBACK_RULES=RULES
    )
    assert done.returncode == code
    assert said in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_an_unreachable_api_is_the_environments_fault() -> None:
    """Where nobody answers, the code says so."""
    account = {
        "CLOUDFLARE_API_TOKEN": "sim",
        "CLOUDFLARE_ACCOUNT_ID": "sim",
        "CLAWBACK_API_URL": "http://127.0.0.1:9/client/v4",
    }
    done = clawback(
        "rules", "explain", "quarantine_bec", "--id", "one", CLAWBACK_RULES=RULES, **account
    )
    assert done.returncode == ExitCode.ENVIRONMENT
    assert "Cloudflare is unavailable" in sentence(done)


async def test_over_the_api_it_only_reads(tmp_path: Path) -> None:
    """An account gives the result of a corpus, with few detections read and nothing changed."""
    now = datetime.now(UTC) - timedelta(hours=1)
    lines = [
        {
            "message": {
                "id": f"m{number}",
                "from": sender,
                "subject": subject,
                "scanned_at": now.isoformat(),
                "final_disposition": "MALICIOUS",
            },
            "detections": {"links": [{"href": "https://bad.test/x"}]},
        }
        for number, (sender, subject) in enumerate(
            [("a@x.test", "one"), ("a@x.test", "two"), ("b@x.test", "three")]
        )
    ]
    asking = PLAIN.replace(
        "sel: {from: a@x.test}", 'sel: {from: a@x.test, detections.links.href|contains: "bad.test"}'
    ).replace(
        "event: {from: a@x.test}",
        'event: {from: a@x.test, detections: {links: [{href: "https://bad.test"}]}}',
    )
    folder = write(tmp_path / "rules", {"a_rule.yml": asking})
    simulator = Simulator()
    simulator.add(lines)
    async with simulator.serve() as url:
        account = {
            "CLOUDFLARE_API_TOKEN": "sim",
            "CLOUDFLARE_ACCOUNT_ID": "acc",
            "CLAWBACK_API_URL": url,
        }
        done = await asyncio.to_thread(
            clawback,
            "rules",
            "backtest",
            "--since",
            "7d",
            "--rules",
            str(folder),
            "--json",
            **account,
        )
        assert done.returncode == ExitCode.OK, done.stderr
        explained = await asyncio.to_thread(
            clawback,
            "rules",
            "explain",
            "a_rule",
            "--id",
            "m0",
            "--rules",
            str(folder),
            "--json",
            **account,
            CLAWBACK_MODE="enforce",
        )
        async with httpx.AsyncClient() as client:
            root = url.partition("/client")[0] + "/_sim"
            requests = (await client.get(f"{root}/requests")).json()
            ledger = (await client.get(f"{root}/ledger")).json()
    assert json.loads(done.stdout)["moved"] == 2
    assert json.loads(explained.stdout)["acts"]
    assert ledger == []
    assert {request["method"] for request in requests} == {"GET"}
    assert sum("detections" in request["path"] for request in requests) == 3
