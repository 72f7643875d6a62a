"""`clawback login`, `whoami` and `logout`, and what commands ask for where people sign in."""

import asyncio
import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from temporalio.client import Client

from clawback.cases import CaseState
from clawback.cli.exits import ExitCode
from clawback.identity.local import local_identity
from clawback.identity.permission import Policy
from clawback.model.audit_record import RecordKind
from clawback.temporal.data_converter import data_converter
from clawback.temporal.key_ring import create_key_file
from tests.cli.command import clawback, sentence
from tests.identity.providers import CLIENT, LocalProvider, local_provider
from tests.workflows.deployment import deployed
from tests.workflows.test_case import simulated
from tests.workflows.test_orders import ask


@pytest.fixture
def provider() -> Iterator[LocalProvider]:
    """A provider on this machine."""
    with local_provider() as provider:
        yield provider


@pytest.fixture
def set_(provider: LocalProvider, tmp_path: Path) -> dict[str, str]:
    """Settings of an installation whose analysts are the group `soc`."""
    return {
        "CLAWBACK_IDENTITY_ISSUER": provider.url,
        "CLAWBACK_IDENTITY_CLIENT_ID": CLIENT,
        "CLAWBACK_IDENTITY_ANALYSTS": "soc, night-shift",
        "CLAWBACK_IDENTITY_OPERATORS": "leads",
        "XDG_STATE_HOME": str(tmp_path / "home"),
    }


def test_without_a_provider_you_are_the_user_of_the_system(tmp_path: Path) -> None:
    """With all roles, and nobody who vouches for it."""
    done = clawback("whoami", XDG_STATE_HOME=str(tmp_path), USER="ceo", LOGNAME="ceo")
    me = local_identity().label
    assert done.stdout == f"{me}: viewer, analyst, operator (unverified)\n"
    assert "CLAWBACK_IDENTITY_ISSUER" in sentence(clawback("login"))


def test_you_sign_in_and_out(provider: LocalProvider, set_: dict[str, str], tmp_path: Path) -> None:
    """The code is shown, the token is private, and gone after `logout`."""
    assert "`clawback login`" in sentence(clawback("whoami", **set_))
    done = clawback("login", **set_)
    assert (done.returncode, done.stdout) == (
        ExitCode.OK,
        "Signed in as ana@corp.example (analyst).\n",
    )
    assert "type WDJB-MJHT" in done.stderr
    assert provider.token()[:20] not in done.stdout + done.stderr

    file = tmp_path / "home" / "clawback" / "session.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    shown = json.loads(clawback("whoami", "--json", **set_).stdout)
    assert (shown["subject"], shown["roles"], shown["is_verified"]) == ("ana", ["analyst"], True)
    assert clawback("logout", **set_).stdout == "Signed out.\n"
    assert not file.exists()


@pytest.mark.parametrize(
    "words",
    [
        ("case", "approve", "case/r/0123456789abcdef", "--digest", "1-x"),
        ("case", "deny", "case/r/0123456789abcdef"),
        ("undo", "rule", "r", "--yes"),
        ("block", "lift", "a@sender.example"),
        ("block", "extend", "a@sender.example", "--for", "1d"),
        ("block", "reconcile"),
        ("resume",),
        ("rules", "confirm", "r"),
        ("poll", "pause"),
        ("poll", "resume"),
        ("poll", "rewind", "1h"),
        ("audit", "rotate-key"),
        ("api", "investigate", "move", "id", "--to", "Inbox", "--yes"),
    ],
    ids=" ".join,
)
def test_what_changes_something_needs_a_sign_in(
    set_: dict[str, str], words: tuple[str, ...]
) -> None:
    """One sentence, before anything else is asked for or shown."""
    done = clawback(*words, **set_)
    assert done.returncode == ExitCode.NO
    assert "sign in with `clawback login`" in sentence(done)


def test_a_role_that_is_missing_is_named(set_: dict[str, str]) -> None:
    """An analyst resumes nothing, changes no block by hand, and undoes no whole rule or time."""
    assert clawback("login", **set_).returncode == ExitCode.OK
    for words, what in {
        ("resume",): "resume containment",
        ("block", "lift", "p1"): "lift a block",
        ("block", "extend", "p1", "--for", "1d"): "extend a block",
        ("undo", "rule", "r1"): "undo",
        ("undo", "--since", "2h"): "undo",
    }.items():
        assert sentence(clawback(*words, **set_)).endswith(
            f"to {what} takes the role operator; ana@corp.example has analyst"
        )


def test_a_provider_needs_a_key_to_sign_with(set_: dict[str, str]) -> None:
    """Otherwise anybody could decide in any name."""
    done = clawback("case", "list", **set_, CLAWBACK_ENCRYPTION="off")
    assert done.returncode == ExitCode.USAGE
    assert "CLAWBACK_ENCRYPTION_KEY_FILE" in sentence(done)


async def test_two_people_sign_in_and_agree(
    temporal: Client, provider: LocalProvider, set_: dict[str, str], tmp_path: Path
) -> None:
    """On a real server: each with a token of his own; the audit has both, and for whom they act."""
    keys = tmp_path / "keys"
    client = Client(
        temporal.service_client,
        namespace=temporal.namespace,
        data_converter=data_converter(create_key_file(keys)),
    )
    set_ |= {
        "CLAWBACK_ENCRYPTION_KEY_FILE": str(keys),
        "TEMPORAL_ADDRESS": temporal.service_client.config.target_host,
        "TEMPORAL_NAMESPACE": temporal.namespace,
    }
    policy = Policy(has_provider=True)
    async with deployed(client, simulated([]), tmp_path / "state", policy=policy) as deployment:
        asked = await ask(deployment)
        words = ("case", "approve", asked.case, "--digest", asked.digest, "--by", "the desk")
        for person in ("ana", "ben"):
            signed = provider.token(sub=person, email=f"{person}@corp.example")
            provider.answers = [provider.take("/device_authorization", {})]
            provider.answers.append((200, {"id_token": signed}))
            assert (await asyncio.to_thread(clawback, "login", **set_)).returncode == ExitCode.OK
            done = await asyncio.to_thread(clawback, *words, **set_)
            assert done.returncode == ExitCode.OK, done.stderr

        await deployment.settled(asked.case, CaseState.SETTLED)
        approvals = [one for one in deployment.audit() if one.kind is RecordKind.APPROVED]
        assert [(one.actor, one.verified, one.on_behalf_of) for one in approvals] == [
            ("ana@corp.example", True, "the desk"),
            ("ben@corp.example", True, "the desk"),
        ]
