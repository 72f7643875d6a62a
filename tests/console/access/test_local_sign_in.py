"""Signing in on this machine alone, by a link that counts once."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from clawback.audit import AuditLog
from clawback.console.access.authenticator import LocalUser
from clawback.console.access.front_door import console_links, sign_in_link
from clawback.console.access.sealing import console_secrets
from clawback.identity.access_list import RevokedPerson, hash_session
from clawback.identity.local import local_identity
from clawback.model.audit_record import AuditRecord, RecordKind
from tests.console.access.front import RING, Front, leads_to, minutes, opened

LINK_SECONDS = 300


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    """A console without an identity provider."""
    async with opened({}) as found:
        yield found


def path_of(link: str | None) -> str:
    """The path of a link."""
    assert link is not None
    return "/" + link.split("/", 3)[3]


async def test_a_link_signs_in_once_and_leaves_the_address(front: Front) -> None:
    """Whoever finds it in a history later cannot use it."""
    browser = front.browser()
    link = front.door.create_link()
    assert link is not None
    assert link.startswith(f"{front.url}/auth/local?link=")
    async with httpx.AsyncClient() as http:
        await http.head(link)
    opened_link = await browser.get(path_of(link))
    assert (opened_link.status_code, opened_link.headers["location"]) == (303, "/")
    cookie = opened_link.headers["set-cookie"]
    assert "SameSite=Strict" in cookie
    assert "HttpOnly" in cookie

    shown = (await browser.get("/")).json()
    assert shown["who"] == local_identity().subject
    again = await front.browser().get(path_of(link))
    assert again.status_code == 403
    assert "is used, older than five minutes" in again.text
    assert "<code>clawback console --link</code>" in again.text


async def test_who_signs_in_and_out_is_recorded(tmp_path: Path) -> None:
    """And whom nobody let in, with the reason alone; the hash tells sessions apart."""
    audit = AuditLog(tmp_path / "audit.jsonl")
    async with opened({}, audit=audit) as front:
        browser, link = front.browser(), path_of(front.door.create_link())
        await browser.get(link)
        shown = (await browser.get("/")).json()
        await browser.post("/auth/sign-out", shown["csrf"])
        await front.browser().get(link)

    lines = audit.path.read_text(encoding="utf-8").splitlines()
    records = [AuditRecord.model_validate(json.loads(one)["unmapped"]) for one in lines]
    session, me = f"session {hash_session(shown['session'])}", local_identity()
    assert [(one.kind, one.actor, one.target, one.detail) for one in records] == [
        (RecordKind.SIGNED_IN, me.label, me.id, session),
        (RecordKind.SIGNED_OUT, me.label, me.id, session),
        (RecordKind.SIGN_IN_REFUSED, "nobody", None, "the one-time link did not count"),
    ]


async def test_a_session_ends_when_an_operator_revokes_those_of_the_person(front: Front) -> None:
    """Of that person alone; whoever signs in later is let in."""
    browser = front.browser()
    await browser.get(path_of(front.door.create_link()))
    for who, is_in in (("somebody else", True), (local_identity().subject.casefold(), False)):
        front.revocations.people.append(RevokedPerson(who=who, at=front.clock.now))
        assert ((await browser.get("/")).headers["content-type"] == "application/json") is is_in
    front.clock.now += minutes(3)
    await browser.get(path_of(front.door.create_link()))
    assert (await browser.get("/")).json()["who"] == local_identity().subject


async def test_any_process_with_the_keys_makes_links(front: Front) -> None:
    """Such as `clawback console --link`; without the keys it is refused."""
    host = front.url.removeprefix("http://")
    for ring, status in ((RING, 303), (None, 403)):
        link = sign_in_link(console_links(console_secrets(ring)), host)
        assert (await front.browser().get(path_of(link))).status_code == status


async def test_a_local_session_lasts_an_hour(front: Front) -> None:
    """Browsers give its cookie to every port of this machine."""
    browser = front.browser()
    await browser.get(path_of(front.door.create_link()))
    for _ in range(5):
        front.clock.now += minutes(11)
        assert (await browser.get("/")).status_code == 200
    front.clock.now += minutes(5)
    assert leads_to(await browser.get("/")) == "/?sign-in=again"
    how = await browser.get("/?sign-in=again")
    assert how.headers["location"] == "/sign-in"
    assert "clawback console --link" in (await browser.get("/sign-in")).text


async def test_another_user_of_the_machine_is_not_signed_in() -> None:
    """Neither with the link nor with the cookie; nor is a peer from elsewhere."""
    user = [os.geteuid()]
    local = LocalUser(os.geteuid(), lambda _client, _server: user[0])
    async with opened({}, local=local) as front:
        browser = front.browser()
        await browser.get(path_of(front.door.create_link()))
        assert (await browser.get("/")).status_code == 200
        user[0] += 1
        assert leads_to(await browser.get("/")) == "/?sign-in=again"
        assert (await browser.get(path_of(front.door.create_link()))).status_code == 403


AS_NOBODY = """
import encodings.idna, os, socket, sys
os.setuid(65534)
host, path = sys.argv[1:]
name, _, port = host.rpartition(":")
with socket.create_connection((name, int(port))) as connection:
    connection.sendall(f"GET {path} HTTP/1.1\\r\\nHost: {host}\\r\\n\\r\\n".encode("ascii"))
    print(connection.recv(12).decode("ascii"))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
async def test_a_process_of_another_user_cannot_use_a_stolen_link(front: Front) -> None:
    """The operating system says whose connection it is."""
    path = path_of(front.door.create_link())
    command = [sys.executable, "-c", AS_NOBODY, front.url.removeprefix("http://"), path]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "HTTP/1.1 403", done.stderr
    assert (await front.browser().get(path)).status_code == 303


async def test_a_name_that_was_pointed_at_this_machine_signs_nobody_in(front: Front) -> None:
    """DNS rebinding: the link is not even looked at."""
    path = path_of(front.door.create_link())
    assert (await front.browser().get(path, host="evil.example")).status_code == 421
    assert (await front.browser().get(path)).status_code == 303


async def test_there_is_no_provider_to_go_to(front: Front) -> None:
    """The routes of one lead to the page that says how to sign in."""
    browser = front.browser()
    start = await browser.get("/auth/start?next=/cases/1")
    assert start.headers["location"] == "/sign-in?next=%2Fcases%2F1"
    assert (await browser.get("/auth/callback?state=x&code=y")).status_code == 403


async def test_without_keys_sessions_end_with_the_process() -> None:
    """Nothing that another process sealed is taken."""
    async with opened({}, keys=None) as front:
        browser = front.browser()
        await browser.get(path_of(front.door.create_link()))
        assert (await browser.get("/")).status_code == 200
        cookies = browser.cookies
    async with opened({}, keys=None) as front:
        other = front.browser()
        other.cookies = httpx.Cookies(cookies)
        assert leads_to(await other.get("/")) == "/?sign-in=again"
