"""`clawback rules explain`: what it says of events that match, nearly match, or cannot be read."""

import json
from pathlib import Path
from typing import Any

import pytest

from clawback.cli.exits import ExitCode
from tests.cli.command import clawback, sentence
from tests.rules.folders import PLAIN, responding, write

RULES = str(Path(__file__).parents[2] / "rules")
ACTING = {"CLAWBACK_MODE": "enforce", "CLAWBACK_AGE_LIMIT": "off", "CLAWBACK_RULES": RULES}


def written(path: Path, *records: object) -> str:
    """Write records as JSON lines."""
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return str(path)


def bec(number: int = 1, hour: int = 1, **fields: Any) -> dict[str, object]:
    """A record of business email compromise, as the API lists it."""
    at = f"2026-01-01T{hour:02}:00:00Z"
    return {
        "id": f"m{number}",
        "from": "a@x.test",
        "scanned_at": at,
        "final_disposition": "MALICIOUS-BEC",
        "edf_hash": "aa",
        "validation": {"dmarc": "pass"},
    } | fields


def test_a_match_that_acts(tmp_path: Path) -> None:
    """A match in enforce mode is exit code 0, with the leaf, its value and the actions."""
    done = clawback(
        "rules",
        "explain",
        "quarantine_bec",
        "--event",
        written(tmp_path / "one.json", bec()),
        **ACTING,
    )
    assert done.returncode == ExitCode.OK, done.stderr
    assert "final_disposition is MALICIOUS-BEC" in done.stdout
    assert "action   move to RecoverableItemsDeletions: 1 message" in done.stdout
    assert "so       it acts" in done.stdout
    assert "\x1b" not in done.stdout


def test_the_folder_at_another_provider(tmp_path: Path) -> None:
    """It says which folder is used instead of the one that the provider lacks, and why."""
    event = written(tmp_path / "one.json", bec(client_recipients=["a@g.test"]))
    command = ("rules", "explain", "quarantine_bec", "--event", event)
    elsewhere = "DeletedItems for 1 message: Google Workspace has no RecoverableItemsDeletions"
    google = ACTING | {"CLAWBACK_PROVIDERS": "google"}
    assert elsewhere in clawback(*command, **google).stdout
    data = json.loads(clawback(*command, "--json", **google).stdout)
    assert [one["elsewhere"] for one in data["cases"][0]["actions"]] == [[elsewhere], []]
    assert elsewhere not in clawback(*command, **ACTING).stdout


def test_only_the_events_that_match(tmp_path: Path) -> None:
    """`--matches-only` leaves out what the rule is false for, and says how many that are."""
    events = written(tmp_path / "two.jsonl", bec(1), bec(2, final_disposition="SPAM"))
    command = ("rules", "explain", "quarantine_bec", "--event", events, "--matches-only")
    text = clawback(*command, **ACTING).stdout
    assert ("message/m1 " in text, "message/m2 " in text) == (True, False)
    assert "1 of 2 events match" in text
    data = json.loads(clawback(*command, "--json", **ACTING).stdout)
    assert [one["event"] for one in data["events"]] == ["message/m1"]


def test_what_happens_while_a_case_is_held(tmp_path: Path) -> None:
    """The rule asks people, but it moves the message aside without them."""
    text = PLAIN.replace("mode: enforce", "mode: approve").replace(
        "tests:", "  while-held: {move: {destination: DeletedItems}}\ntests:"
    )
    folder = write(tmp_path / "rules", {"a_rule.yml": text})
    event = written(tmp_path / "one.json", bec())
    ask = ("rules", "explain", "a_rule", "--event", event)
    done = clawback(*ask, **{**ACTING, "CLAWBACK_RULES": str(folder)})
    assert "held     while it is held it would move to DeletedItems: 1 message" in done.stdout
    assert "so       it acts" in done.stdout
    asking = clawback(*ask, **{**ACTING, "CLAWBACK_RULES": str(folder), "CLAWBACK_MODE": "approve"})
    assert "while it is held" not in asking.stdout
    assert "it changes nothing by itself" in asking.stdout


@pytest.mark.parametrize(
    ("environment", "fields", "code"),
    [
        ({"CLAWBACK_MODE": "shadow"}, {}, "mode"),
        ({}, {"is_quarantined": True}, "no_match"),
        ({}, {"delivery_mode": "DMARC_AGGREGATE_REPORT"}, "delivery_mode"),
        ({"CLAWBACK_AGE_LIMIT": "1h"}, {}, "age"),
        ({"CLAWBACK_AGE_LIMIT": "72h"}, {"scanned_at": "0001-01-01", "sent_at": ""}, "no_time"),
        ({}, {"final_disposition": "SPAM"}, "no_match"),
    ],
)
def test_why_it_would_not_act(
    tmp_path: Path, environment: dict[str, str], fields: dict[str, Any], code: str
) -> None:
    """Whatever stops a rule from acting is among the reasons, and `acts` is false."""
    path = written(tmp_path / "one.json", bec(**fields))
    answer = json.loads(
        clawback(
            "rules",
            "explain",
            "quarantine_bec",
            "--event",
            path,
            "--json",
            **(ACTING | environment),
        ).stdout
    )
    reasons = [
        reason["code"]
        for part in (*answer["events"], *answer["cases"])
        for reason in part["reasons"]
    ]
    assert code in reasons
    assert not answer["acts"]


def test_a_message_that_was_dealt_with_is_not_moved_again(tmp_path: Path) -> None:
    """What was moved before stays where it is, and the reason is given.

    The case is reclassified all the same.
    """
    path = written(tmp_path / "one.json", bec(post_delivery_operations=["MOVE"]))
    (case,) = json.loads(
        clawback("rules", "explain", "quarantine_bec", "--event", path, "--json", **ACTING).stdout
    )["cases"]
    assert [action["outcomes"] for action in case["actions"]] == [{"already_there": 1}, {"act": 1}]
    assert [reason["code"] for reason in case["reasons"]] == ["handled"]


def test_the_history_of_a_sender_is_explained(tmp_path: Path) -> None:
    """A corpus line may have it; without it, the condition says what it needs."""
    folder = tmp_path / "rules"
    new = responding("sel: {history.messages: 0}\ncondition: sel")
    write(folder, {"a_rule.yml": new, "safety.yml": "{}"})
    rules = {**ACTING, "CLAWBACK_RULES": str(folder)}
    for history, expected in (
        ({"history": {"messages": 0}}, "← 0"),
        ({}, "needs the history of the sender"),
    ):
        path = written(tmp_path / "one.json", {"message": bec(), **history})
        done = clawback("rules", "explain", "a_rule", "--event", path, **rules)
        assert expected in done.stdout


def test_a_correlation_says_what_is_missing(tmp_path: Path) -> None:
    """Two of three campaigns: the window, what is missing, and exit code 1.

    With the third it fires.
    """
    first = written(tmp_path / "one.json", bec(1, 1, edf_hash="1"), bec(2, 5, edf_hash="2"))
    done = clawback("rules", "explain", "block_repeat_sender", "--event", first, **ACTING)
    assert done.returncode == ExitCode.NO
    assert (
        "2 of 3 seen from 2026-01-01 01:00:00 to 2026-01-01 05:00:00; missing: 1 more value"
        in done.stdout
    )
    second = written(tmp_path / "two.json", bec(3, 7, edf_hash="3"))
    done = clawback(
        "rules",
        "explain",
        "block_repeat_sender",
        "--event",
        first,
        "--event",
        second,
        "--json",
        **ACTING,
    )
    (case,) = json.loads(done.stdout)["cases"]
    assert (done.returncode, case["window"]["fires"], case["acts"]) == (ExitCode.OK, True, True)
    assert case["actions"][0]["pattern"] == "a@x.test"


def test_a_chain_of_correlations_says_how_far_it_is(tmp_path: Path) -> None:
    """The matches of the inner correlation are what the outer one counts.

    One sender has a burst, the other not yet.
    """
    page = (Path(__file__).parents[2] / "docs" / "rules" / "correlations.md").read_text()
    start = page.index("title: Malicious mail\nname: malicious_mail")
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "junk_bursts.yml").write_text(page[start : page.index("```", start)])
    (folder / "safety.yml").write_text("{}")
    sent = [bec(number, 1, **{"from": "a@x.test"}) for number in range(3)] + [
        bec(number, 2, **{"from": "b@x.test"}) for number in (3, 4)
    ]
    done = clawback(
        "rules",
        "explain",
        "junk_bursts",
        "--rules",
        str(folder),
        "--event",
        written(tmp_path / "some.json", *sent),
    )
    assert (
        "needs 2 or more values of from in events of malicious_burst "
        "(3 or more events of malicious_mail within 1h)" in done.stdout
    )
    assert "1 of 2 seen" in done.stdout
    assert "missing: 1 more value" in done.stdout


def test_a_sender_on_the_never_block_list_is_not_blocked(tmp_path: Path) -> None:
    """The never-block list is one of the reasons."""
    boss = {"from": "boss@cloudflare.com"}
    records = [bec(number, number, edf_hash=str(number), **boss) for number in (1, 2, 3)]
    done = clawback(
        "rules",
        "explain",
        "block_repeat_sender",
        "--event",
        written(tmp_path / "e", *records),
        "--json",
        **ACTING,
    )
    (case,) = json.loads(done.stdout)["cases"]
    assert case["reasons"][0]["code"] == "never_block"
    assert not case["acts"]


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\u0085", "\u000c"])
def test_a_line_of_json_ends_at_a_newline_only(tmp_path: Path, separator: str) -> None:
    """A subject may have other line separators, unescaped or not."""
    records = [bec(number, subject=f"Pay{separator}now") for number in (1, 2)]
    lines = [json.dumps(one, ensure_ascii=separator < " ") for one in records]
    path = tmp_path / "some.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")

    done = clawback("rules", "explain", "quarantine_bec", "--event", str(path), "--json", **ACTING)

    assert done.returncode == ExitCode.OK, done.stderr
    assert len(json.loads(done.stdout)["events"]) == 2


def test_shapes_of_events(tmp_path: Path) -> None:
    """Corpus lines, whole answers of the API and lists of records are all understood."""
    for value in (
        {"message": bec(), "detections": {}},
        {"success": True, "result": [bec()]},
        [bec()],
        bec(),
    ):
        done = clawback(
            "rules",
            "explain",
            "quarantine_bec",
            "--event",
            written(tmp_path / "e.json", value),
            "--json",
            **ACTING,
        )
        assert [one["event"] for one in json.loads(done.stdout)["events"]] == ["message/m1"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there is no event in"),
        ("nonsense", "not JSON"),
        ('{"id": "a"}\n{"id', ":2: not JSON"),
        ("[1]", "an event is a JSON object"),
        ("{}", "the record has no 'id'"),
    ],
)
def test_what_is_no_event_is_a_sentence(tmp_path: Path, text: str, said: str) -> None:
    """A file without an event in it is named, with the line where there is one."""
    (tmp_path / "e.json").write_text(text)
    done = clawback(
        "rules", "explain", "quarantine_bec", "--event", str(tmp_path / "e.json"), **ACTING
    )
    assert (done.returncode, said in sentence(done)) == (ExitCode.USAGE, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("quarantine_bce", "--event", "x"), "did you mean 'quarantine_bec'?"),
        (("quarantine_bec",), "give an event"),
        (("quarantine_bec", "--event", "/nowhere.json"), "No such file"),
        (("quarantine_bec", "--id", "abc"), "CLOUDFLARE_API_TOKEN"),
        (("quarantine_confirmed_report", "--id", "abc"), "evaluates a phishguard_report"),
    ],
)
def test_wrong_commands(arguments: tuple[str, ...], said: str) -> None:
    """What cannot be asked is a usage error that says what to write."""
    done = clawback("rules", "explain", *arguments, **ACTING)
    assert (done.returncode, said in sentence(done)) == (ExitCode.USAGE, True)
