"""Checks of the account: permissions, domains, rate limit, clock, reachability."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from clawback.cloudflare import Domain
from clawback.doctor.account_checks import check_clock, check_cloudflare
from clawback.doctor.check import CheckStatus, Finding
from clawback.doctor.domain_checks import check_domains, domain_findings, provider_findings
from clawback.doctor.permission_checks import check_permissions, permission_findings
from clawback.local.installation import plan_installation
from clawback.model.mode import Mode
from clawback.model.providers import Provider
from clawback.settings import Settings
from clawback.simulator import Rate, Simulator, SimulatorOptions, TokenScope
from tests.cloudflare.support import client, closed_port, envelope, refusal, rude_server
from tests.shipped import shipped_rules

TOKENS = {
    "wr1te-t0ken": TokenScope.WRITE,
    "read-t0ken": TokenScope.READ,
    "bl1nd-t0ken": TokenScope.NONE,
}
WRITER = "wr1te-t0ken"
Rows = dict[str, tuple[CheckStatus, str]]


def settings(url: str, token: str = WRITER, **more: Any) -> Settings:
    return Settings(api_url=url, cloudflare_api_token=token, cloudflare_account_id="0" * 32, **more)


async def asked(check: Any, chosen: Settings) -> Rows:
    """Run one check; return status and text of each row."""
    return by_name(await check(chosen, plan_installation(chosen)))


def by_name(findings: Iterable[Finding]) -> Rows:
    assert all(one.remedy or one.status is CheckStatus.OK for one in findings)
    return {one.check: (one.status, f"{one.found} → {one.remedy}") for one in findings}


@pytest.fixture
async def served() -> AsyncIterator[tuple[Simulator, str]]:
    """Serve a simulator that accepts three tokens."""
    simulator = Simulator(SimulatorOptions(tokens=TOKENS, rate=Rate(100, 300)))
    async with simulator.serve() as url:
        yield simulator, url


@pytest.mark.parametrize(
    ("token", "mode", "statuses", "says"),
    [
        (
            "wr1te-t0ken",
            None,
            [CheckStatus.OK, CheckStatus.OK],
            "may move messages, change policies",
        ),
        (
            "read-t0ken",
            None,
            [CheckStatus.OK, CheckStatus.PROBLEM],
            "give it Cloud Email Security: Write",
        ),
        (
            "read-t0ken",
            Mode.SHADOW,
            [CheckStatus.OK, CheckStatus.OK],
            "which shadow mode does not need",
        ),
        ("bl1nd-t0ken", None, [], ""),
        ("n0body-t0ken", None, [], ""),
    ],
)
async def test_each_permission_is_tried_and_nothing_changes(
    served: tuple[Simulator, str],
    token: str,
    mode: Mode | None,
    statuses: list[CheckStatus],
    says: str,
) -> None:
    """A token that may not even search is reported by `check_cloudflare` alone."""
    simulator, url = served
    rows = await asked(check_permissions, settings(url, token, mode=mode))
    assert [status for status, _ in rows.values()] == statuses
    assert not says or says in rows["permission to act"][1]
    assert simulator.account.ledger.since(0) == []
    assert len(simulator.account.requests.entries) <= 8


@pytest.mark.parametrize(
    "part", ["phishguard/reports", "submissions", "settings/domains", "settings/block_senders"]
)
async def test_what_cannot_be_read_is_named(part: str) -> None:
    """For instance in an account without PhishGuard, or with a role that may not see policies."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method != "GET":
            return refusal(404)
        return refusal(403, (10000, "no")) if request.url.path.endswith(part) else envelope([])

    rows = by_name(await permission_findings(client(answer), Mode.ENFORCE))
    status, said = rows["permission to read"]
    named = {
        "phishguard/reports": "PhishGuard reports",
        "settings/domains": "domains",
        "settings/block_senders": "block senders",
    }
    assert (status, f"may not read {named.get(part, part)} →" in said) == (
        CheckStatus.PROBLEM,
        True,
    )


async def test_policies_and_mail_are_different_permissions() -> None:
    """A configuration administrator may change policies but not act on mail."""

    def answer(request: httpx.Request) -> httpx.Response:
        return (
            refusal(403, (10000, "no"))
            if request.method == "POST"
            else refusal(404)
            if request.method == "PATCH"
            else envelope([])
        )

    status, said = by_name(await permission_findings(client(answer), Mode.APPROVE))[
        "permission to act"
    ]
    assert (status, "may not move messages, and the mode is approve" in said) == (
        CheckStatus.PROBLEM,
        True,
    )


async def test_the_domains_are_checked(served: tuple[Simulator, str]) -> None:
    """No domain, one that is neither verified nor integrated, and one that is both."""
    simulator, url = served
    status, said = (await asked(check_domains, settings(url)))["domains"]
    assert (status, "no domain" in said) == (CheckStatus.WARNING, True)
    made = {
        "domain": "b.test",
        "allowed_delivery_modes": ["API"],
        "drop_dispositions": [],
        "ip_restrictions": [],
        "regions": ["GLOBAL"],
    }
    async with httpx.AsyncClient(headers={"Authorization": "Bearer wr1te-t0ken"}) as http:
        answer = await http.post(
            f"{url}/accounts/{'0' * 32}/email-security/settings/domains", json=made
        )
        (record,) = simulator.account.policies["domains"].values()
        assert answer.status_code == 201
    chosen = settings(url)
    findings = list(await check_domains(chosen, plan_installation(chosen)))
    assert [one.status for one in findings] == [CheckStatus.PROBLEM, CheckStatus.WARNING]
    assert "mail there cannot be moved" in findings[0].found
    assert findings[1].found == "not active (pending): b.test"
    record.update(status="ACTIVE", integration_id="6f1c3a52-0f0e-4d0b-9a53-6b0f6a1b7c11")
    assert (await asked(check_domains, chosen))["domains"][0] is CheckStatus.OK


def test_a_withdrawn_authorization_is_a_problem() -> None:
    """With Cloudflare's reason on one line; five domains are named."""
    authorization = {
        "authorized": False,
        "timestamp": "2026-11-01T00:00:00Z",
        "status_message": "consent\nrevoked",
    }
    fields = {"integration_id": "i", "status": "active", "authorization": authorization}
    domains = [
        Domain.parse({"id": str(number), "domain": f"d{number}.test", **fields})
        for number in range(7)
    ]
    (finding,) = domain_findings(domains, Mode.SHADOW)
    assert finding.status is CheckStatus.PROBLEM
    assert finding.found.endswith(
        "d0.test, d1.test, d2.test, d3.test, d4.test and 2 more (consent revoked)"
    )


GOOGLE = "Google Workspace has no RecoverableItemsDeletions, to which quarantine_malware"


@pytest.mark.parametrize(
    ("provider", "stated", "status"),
    [
        ("Google", (), CheckStatus.OK),
        ("google", (), CheckStatus.OK),
        ("Microsoft", (), None),
        ("Microsoft", (Provider.GOOGLE,), None),
        (None, (Provider.GOOGLE,), CheckStatus.OK),
        (None, (Provider.MICROSOFT,), None),
        (None, (), CheckStatus.WARNING),
    ],
)
def test_folders_that_a_provider_lacks_are_named(
    provider: str | None, stated: tuple[Provider, ...], status: CheckStatus | None
) -> None:
    """With the rules and the nearest folder; an unknown provider of integrated mailboxes warns."""
    record = {"id": "1", "domain": "g.test", "inbox_provider": provider, "integration_id": "2"}
    findings = list(provider_findings([Domain.parse(record)], stated, shipped_rules()))
    assert [one.status for one in findings] == ([status] if status else [])
    for one in findings:
        assert GOOGLE in one.found
        assert "mail there goes to DeletedItems" in one.found
        assert (one.remedy is not None) is (status is CheckStatus.WARNING)


async def test_a_rate_limit_nearly_or_fully_used_up(served: tuple[Simulator, str]) -> None:
    """Nearly is a warning; a block is a problem with its duration."""
    simulator, url = served
    assert (await asked(check_cloudflare, settings(url)))["rate limit"][0] is CheckStatus.OK
    now = simulator.account.now.timestamp()
    for _ in range(92):
        simulator.account.limiter.take("wr1te-t0ken", now)
    status, said = (await asked(check_cloudflare, settings(url)))["rate limit"]
    assert (status, said.startswith("6 of 100 requests left")) == (CheckStatus.WARNING, True)
    while simulator.account.limiter.take("wr1te-t0ken", now) is not None:
        pass
    rows = await asked(check_cloudflare, settings(url))
    assert rows.keys() == {"rate limit"}
    assert rows["rate limit"][0] is CheckStatus.PROBLEM
    assert "blocks all requests" in rows["rate limit"][1]


@pytest.mark.parametrize(
    ("hours", "status"), [(0, CheckStatus.OK), (-2, CheckStatus.PROBLEM), (3, CheckStatus.PROBLEM)]
)
async def test_a_skewed_clock_is_detected(hours: int, status: CheckStatus) -> None:
    """From the `Date` header of a response, with the direction."""
    date = format_datetime(datetime.now(UTC) + timedelta(hours=hours), usegmt=True)
    answer = (
        f"HTTP/1.1 404 Not Found\r\nDate: {date}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
    async with rude_server(answer.encode(), "close") as url:
        found, said = (await asked(check_clock, settings(url)))["clock"]
    assert found is status
    assert status is CheckStatus.OK or ("behind" if hours > 0 else "ahead of") in said


async def test_an_unreachable_api_is_reported_once(served: tuple[Simulator, str]) -> None:
    """A closed port is one problem; the other checks of the account return nothing."""
    chosen = settings(f"http://127.0.0.1:{closed_port()}")
    status, said = (await asked(check_cloudflare, chosen))["cloudflare"]
    assert (status, "CLAWBACK_API_URL" in said, "HTTPS_PROXY" in said) == (
        CheckStatus.PROBLEM,
        True,
        True,
    )
    others = await asyncio.gather(
        *(asked(check, chosen) for check in (check_permissions, check_domains, check_clock))
    )
    assert others == [{}, {}, {}]
    assert served[0].account.requests.entries == []


async def test_a_page_of_a_proxy_is_named_and_no_refusal_of_the_token() -> None:
    """The row says who answered, and what to do about it."""
    page = b"<html><title>Blocked by policy</title></html>"
    head = f"HTTP/1.1 403 No\r\nVia: 1.1 gateway\r\nContent-Length: {len(page)}\r\n\r\n".encode()
    async with rude_server(head + page, "close") as url:
        status, text = (await asked(check_cloudflare, settings(url)))["cloudflare"]
    assert status is CheckStatus.PROBLEM
    assert "403 from an intermediary (proxy, via: 1.1 gateway)" in text
    assert "Blocked by policy" in text
    assert "filter of the proxy in HTTPS_PROXY" in text
