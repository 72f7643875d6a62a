"""Every kind of policy: its life cycle through the official SDK, and what is refused."""

from typing import Any

import pytest
from cloudflare import BadRequestError, NotFoundError

from clawback.simulator import Shape
from clawback.simulator.policy_kinds import RESOURCES
from tests.simulator import openapi
from tests.simulator.conftest import Api, Serve
from tests.simulator.test_sdk import ACCOUNT, client_of, every

ALLOW = {
    "pattern": "partner@vendor.example",
    "pattern_type": "EMAIL",
    "is_regex": False,
    "is_trusted_sender": True,
    "is_acceptable_sender": False,
    "is_exempt_recipient": False,
    "verify_sender": True,
}
DOMAIN = {
    "domain": "corp.example",
    "allowed_delivery_modes": ["API"],
    "drop_dispositions": ["MALICIOUS"],
    "ip_restrictions": ["198.51.100.0/24"],
    "regions": ["GLOBAL"],
}
GOOD: dict[str, dict[str, Any]] = {
    "allow_policies": ALLOW,
    "block_senders": {"pattern": "evil.test", "pattern_type": "DOMAIN", "is_regex": False},
    "trusted_domains": {
        "pattern": "vendor.example",
        "is_regex": False,
        "is_recent": True,
        "is_similarity": False,
    },
    "impersonation_registry": {
        "name": "Jane Roe",
        "email": "jane@corp.example",
        "is_email_regex": False,
    },
    "domains": DOMAIN,
    "sending_domain_restrictions": {"domain": "corp.example", "exclude": ["sub.corp.example"]},
    "url_ignore_patterns": {"pattern": "^https://ok[.]example/"},
    "content_policies": {
        "enabled": True,
        "name": "Invoices",
        "pattern": "(?i)invoice",
        "targets": ["SUBJECT"],
    },
}
EDITS: dict[str, dict[str, Any]] = {
    "allow_policies": {"verify_sender": False},
    "impersonation_registry": {"email": "roe@corp.example"},
    "trusted_domains": {"is_recent": False},
    "domains": {"lookback_hops": 2},
    "content_policies": {"enabled": False},
}
SUBJECTS = {
    "domains": "domain",
    "sending_domain_restrictions": "domain",
    "impersonation_registry": "email",
}


@pytest.mark.parametrize("name", GOOD)
async def test_life_cycle_through_the_sdk(api: Api, name: str) -> None:
    """The strict SDK reads create, list, get, edit and delete; the ledger has three rows."""
    edit = EDITS.get(name, {"comments": "changed"})
    async with client_of(api) as client:
        kind = getattr(client.email_security.settings, name)
        created = await kind.create(account_id=ACCOUNT, **GOOD[name])
        listed = await every(kind.list(account_id=ACCOUNT, per_page=1))
        assert [record.id for record in listed] == [created.id]
        edited = await kind.edit(created.id, account_id=ACCOUNT, **edit)
        fetched = await kind.get(created.id, account_id=ACCOUNT)
        assert edited.model_dump() == fetched.model_dump()
        assert {field: getattr(fetched, field) for field in edit} == edit
        await kind.delete(created.id, account_id=ACCOUNT)
        with pytest.raises(NotFoundError):
            await kind.get(created.id, account_id=ACCOUNT)
    rows = await api.ledger()
    assert [(row["operation"], row["resource"]) for row in rows] == [
        (operation, name) for operation in ("create", "edit", "delete")
    ]
    assert rows[0]["pattern"] == GOOD[name][SUBJECTS.get(name, "pattern")]


@pytest.mark.parametrize(
    "name", ["allow_policies", "trusted_domains", "domains", "content_policies"]
)
async def test_batch_through_the_sdk(api: Api, name: str) -> None:
    """The strict SDK reads a batch of all four parts, which takes effect."""
    async with client_of(api) as client:
        kind = getattr(client.email_security.settings, name)
        first, second, third = [
            (await kind.create(account_id=ACCOUNT, **GOOD[name])).id for _ in range(3)
        ]
        put = {field: value for field, value in GOOD[name].items() if field != "domain"}
        batch = {
            "deletes": [{"id": first}],
            "patches": [{"id": second, **EDITS[name]}],
            "puts": [{"id": third, **put, **EDITS[name]}],
            "posts": [GOOD[name]],
        }
        done = await kind.batch(account_id=ACCOUNT, **batch)
        assert [record.id for record in (*done.deletes, *done.patches, *done.puts)] == [
            first,
            second,
            third,
        ]
        assert len(await every(kind.list(account_id=ACCOUNT))) == 3
    assert [row["operation"] for row in await api.ledger()] == ["create"] * 3 + [
        "delete",
        "edit",
        "edit",
        "create",
    ]


@pytest.mark.skipif(not openapi.DOCUMENT.exists(), reason="the OpenAPI document is not here")
@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)
@pytest.mark.parametrize("shape", [Shape.NEW, Shape.OLD])
async def test_answers_are_as_documented(serve: Serve, resource: Any, shape: Shape) -> None:
    """Every answer of every kind is as the OpenAPI document says, but for two known differences.

    A domain's status is upper case, as the SDK wants it; and in the old shape ids are integers, as
    they were.
    """
    api = await serve(shape=shape)
    home = f"/settings/{resource.name}"
    one = home + "/{" + resource.parameter + "}"
    good = GOOD[resource.name]

    async def ask(method: str, template: str, path: str, body: Any = None) -> Any:
        answer = await api.send(method, path, body)
        assert answer.status_code < 300, answer.text
        openapi.check(method.lower(), template, answer.status_code, documented(answer.json()))
        return answer.json()["result"]

    identity = (await ask("POST", home, home, good))["id"]
    await ask("GET", home, home)
    await ask("GET", one, f"{home}/{identity}")
    await ask("PATCH", one, f"{home}/{identity}", EDITS.get(resource.name, {"comments": "changed"}))
    if resource.batch:
        empty: dict[str, list[Any]] = {part: [] for part in resource.batch}
        posts = {"posts": [good]} if "posts" in resource.batch else {}
        await ask("POST", home + "/batch", home + "/batch", empty | posts)
    await ask("DELETE", one, f"{home}/{identity}")


def documented(value: Any) -> Any:
    """Level the known differences: integer ids become texts, a domain's status lower case."""
    if isinstance(value, list):
        return [documented(item) for item in value]
    if not isinstance(value, dict):
        return value
    levelled = {name: documented(item) for name, item in value.items()}
    if isinstance(value.get("id"), int):
        levelled["id"] = "00000000-0000-4000-8000-000000000000"
    return levelled | (
        {"status": value["status"].lower()} if isinstance(value.get("status"), str) else {}
    )


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("allow_policies", {"pattern": "10.0.0.1", "pattern_type": "IP"}),
        ("allow_policies", {"verify_sender": None}),
        ("trusted_domains", {"pattern": "not a domain"}),
        ("trusted_domains", {"is_regex": True, "pattern": "("}),
        ("impersonation_registry", {"email": "nobody"}),
        ("impersonation_registry", {"name": "x" * 1025}),
        ("impersonation_registry", {"provenance": "ELSEWHERE"}),
        ("domains", {"allowed_delivery_modes": []}),
        ("domains", {"allowed_delivery_modes": ["CARRIER_PIGEON"]}),
        ("domains", {"lookback_hops": 21}),
        ("domains", {"regions": ["MARS"]}),
        ("domains", {"ip_restrictions": ["nonsense"]}),
        ("domains", {"integration_id": "nonsense"}),
        ("domains", {"surprise": 1}),
        ("sending_domain_restrictions", {"exclude": "sub.corp.example"}),
        ("url_ignore_patterns", {"pattern": "("}),
        ("url_ignore_patterns", {"surprise": 1}),
        ("content_policies", {"targets": ["FOOTER"]}),
    ],
)
async def test_wrong_policies_are_refused(api: Api, name: str, change: dict[str, Any]) -> None:
    """An invalid field is a 400 and adds no row."""
    answer = await api.post(f"/settings/{name}", GOOD[name] | change)
    assert answer.status_code == 400, answer.text
    assert await api.ledger() == []


@pytest.mark.parametrize("name", GOOD)
async def test_every_required_field_is_required(api: Api, name: str) -> None:
    """Each field of the smallest valid body is needed."""
    for field in GOOD[name]:
        body = {other: value for other, value in GOOD[name].items() if other != field}
        assert (await api.post(f"/settings/{name}", body)).status_code == 400, field


async def test_directory_entries_cannot_be_edited(api: Api) -> None:
    """An entry synced from a directory may be deleted, not edited."""
    home = "/settings/impersonation_registry"
    body = GOOD["impersonation_registry"] | {"provenance": "SNOOPY-OFFICE_365"}
    identity = (await api.post(home, body)).json()["result"]["id"]
    assert (await api.send("PATCH", f"{home}/{identity}", {"name": "Other"})).status_code == 400
    assert (await api.send("DELETE", f"{home}/{identity}")).status_code == 200


async def test_filters_of_flags_and_lists(api: Api) -> None:
    """Lists filter by flags, by members of a list, and by several values of one parameter."""
    for recent in (True, False):
        await api.post("/settings/trusted_domains", GOOD["trusted_domains"] | {"is_recent": recent})
    for number, mode in enumerate(("API", "BCC", "DIRECT")):
        await api.post(
            "/settings/domains",
            DOMAIN | {"domain": f"d{number}.example", "allowed_delivery_modes": [mode]},
        )

    assert [
        record["is_recent"]
        for record in await api.result("/settings/trusted_domains", is_recent="false")
    ] == [False]
    assert [
        record["domain"]
        for record in await api.result("/settings/domains", allowed_delivery_mode="BCC")
    ] == ["d1.example"]
    both = await api.result(
        "/settings/domains", domain=["d0.example", "d2.example"], order="domain"
    )
    assert [record["domain"] for record in both] == ["d0.example", "d2.example"]
    assert len(await api.result("/settings/domains", status="pending")) == 3


async def test_replacing_a_policy(api: Api) -> None:
    """PUT replaces a policy and needs all required fields."""
    home = "/settings/block_senders"
    identity = (await api.post(home, GOOD["block_senders"])).json()["result"]["id"]
    body = {"pattern": "worse.test", "pattern_type": "DOMAIN", "is_regex": False}
    assert (await api.send("PUT", f"{home}/{identity}", body)).json()["result"][
        "pattern"
    ] == "worse.test"
    assert (
        await api.send("PUT", f"{home}/{identity}", {"pattern": "worst.test"})
    ).status_code == 400


async def test_deleting_many_domains_needs_a_body(api: Api) -> None:
    """The deprecated delete of many wants ids.

    The SDK sends none, is refused, and deletes nothing.
    """
    ids = [
        (await api.post("/settings/domains", DOMAIN | {"domain": f"d{number}.example"})).json()[
            "result"
        ]["id"]
        for number in range(3)
    ]
    async with client_of(api) as client:
        with pytest.warns(DeprecationWarning, match="deprecated"), pytest.raises(BadRequestError):
            await every(client.email_security.settings.domains.bulk_delete(account_id=ACCOUNT))
    done = await api.send("DELETE", "/settings/domains", [{"id": ids[0]}, {"id": ids[2]}])
    assert done.json()["result"] == [{"id": ids[0]}, {"id": ids[2]}]
    assert [record["id"] for record in await api.result("/settings/domains")] == [ids[1]]
    assert (
        await api.send("DELETE", "/settings/domains", [{"id": ids[1]}, {"id": ids[0]}])
    ).status_code == 404
    assert len(await api.result("/settings/domains")) == 1


@pytest.mark.skipif(not openapi.DOCUMENT.exists(), reason="the OpenAPI document is not here")
async def test_domain_verification(serve: Serve) -> None:
    """A new domain needs a TXT record; once verified it is ACTIVE and the response is a 204."""
    for after, status in ((3600, 200), (0, 204)):
        api = await serve(outcome_after=after)
        identity = (await api.post("/settings/domains", DOMAIN)).json()["result"]["id"]
        answer = await api.get(f"/settings/domains/{identity}/verification")
        assert answer.status_code == status
        if status == 200:
            openapi.check("get", "/settings/domains/{domain_id}/verification", 200, answer.json())
        assert (await api.result(f"/settings/domains/{identity}"))["status"] == (
            "PENDING" if status == 200 else "ACTIVE"
        )
    assert (await api.get("/settings/domains/nix/verification")).status_code == 404
