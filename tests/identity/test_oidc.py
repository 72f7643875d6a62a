"""Sign-in with OpenID Connect, against real providers on this machine."""

import base64
import hmac
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from pydantic import SecretStr

from clawback.identity.configuration import client_settings
from clawback.identity.errors import NotSignedIn, ProviderUnavailable, TokenRefused
from clawback.identity.exchange import MAX_BODY, open_http, require_private
from clawback.identity.oidc import ClientSettings, OidcProvider, Tokens
from clawback.identity.role_mapping import RoleMapping
from clawback.identity.session import SessionStore, signed_in_identity
from clawback.identity.signing_keys import FRESH_FOR, PAUSE, STALE_FOR, SigningKeys
from clawback.model.identity import IdentitySource, Role
from clawback.settings import Settings
from tests.identity.providers import CLIENT, LocalProvider, local_provider, mock_provider

MAPPING = RoleMapping(groups={Role.ANALYST: ("soc",), Role.OPERATOR: ("leads",)})
NONE, HMAC = b'{"alg":"none","kid":"one"}', b'{"alg":"HS256","kid":"one"}'
REDIRECT = "http://127.0.0.1:8434/auth/callback"


@pytest.fixture
def local() -> Iterator[LocalProvider]:
    """A provider whose answers the test decides."""
    with local_provider() as provider:
        yield provider


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """A client as commands use it."""
    async with open_http() as client:
        yield client


def settings(issuer: str) -> ClientSettings:
    """A client of a provider."""
    return ClientSettings(issuer, CLIENT, client_secret=SecretStr("not-checked"), mapping=MAPPING)


async def no_pause(_: float) -> None:
    """Wait not at all."""


class Clock:
    """A clock that a test moves."""

    now = 100_000.0

    def __call__(self) -> float:
        return self.now


async def test_the_next_exchange_has_the_new_client_secret(
    local: LocalProvider, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    """The provider reads it from the file of the setting, without a restart."""
    (file := tmp_path / "secret").write_text("first")
    configured = Settings(
        identity_issuer=local.url, identity_client_id=CLIENT, identity_client_secret_file=file
    )
    provider = await OidcProvider.discover(http, client_settings(configured))
    for secret in ("first", "second"):
        file.write_text(f"{secret}\n")
        await provider.refresh("again")
        assert local.forms[-1]["client_secret"] == secret


async def test_sign_in_with_a_browser(http: httpx.AsyncClient) -> None:
    """At oidc-provider-mock: discovery, code, and an ID token by its published key."""
    process, url = await mock_provider()
    try:
        provider = await OidcProvider.discover(http, settings(url))
        begun = provider.begin_sign_in(REDIRECT)
        answer = await http.post(begun.url, data={"sub": "ana"})
        (back,) = (answer.headers["location"],)
        query = dict(parse_qsl(urlsplit(back).query))

        verified, tokens = await provider.finish_sign_in(begun, query["state"], query["code"])
        identity = verified.identity
        assert (identity.source, identity.issuer, identity.subject) == (
            IdentitySource.OIDC,
            url,
            "ana",
        )
        assert identity.is_verified
        assert (await provider.identify(tokens.id_token)).person == identity.person
        with pytest.raises(NotSignedIn, match="invalid_grant"):
            await provider.finish_sign_in(begun, query["state"], query["code"])
    finally:
        process.terminate()
        process.wait()


async def test_another_browsers_answer_is_refused(
    local: LocalProvider, http: httpx.AsyncClient
) -> None:
    """State and nonce tie answer and token to one sign-in; PKCE the code to who asked for it."""
    provider = await OidcProvider.discover(http, settings(local.url))
    begun, other = provider.begin_sign_in(REDIRECT), provider.begin_sign_in(REDIRECT)
    local.challenge = parse_qs(urlsplit(begun.url).query)["code_challenge"][0]

    with pytest.raises(TokenRefused, match="another sign-in"):
        await provider.finish_sign_in(begun, other.state, begun.nonce)
    assert local.forms == []
    with pytest.raises(TokenRefused, match="another sign-in"):
        await provider.finish_sign_in(begun, begun.state, other.nonce)
    with pytest.raises(NotSignedIn, match="invalid_grant"):
        await provider.finish_sign_in(
            replace(begun, verifier=other.verifier), begun.state, begun.nonce
        )
    verified, _ = await provider.finish_sign_in(begun, begun.state, begun.nonce)
    assert verified.identity.roles == (Role.ANALYST,)
    assert "groups" in verified.claim_names


async def test_the_device_flow_waits_for_the_person(
    local: LocalProvider, http: httpx.AsyncClient
) -> None:
    """It asks at the pace that the provider wants."""
    provider = await OidcProvider.discover(http, settings(local.url))
    code = await provider.begin_device()
    pending = (400, {"error": "authorization_pending"})
    local.answers = [pending, (400, {"error": "slow_down"}), pending]
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    tokens = await provider.await_device(code, pause)
    assert pauses == [1.0, 1.0, 6.0, 6.0]
    assert (await provider.identify(tokens.id_token)).label == "ana@corp.example"
    assert local.forms[-1]["device_code"] == "secret"


@pytest.mark.parametrize("error", ["access_denied", "expired_token"])
async def test_a_declined_device_is_not_signed_in(
    local: LocalProvider, http: httpx.AsyncClient, error: str
) -> None:
    """The remedy is a new sign-in."""
    provider = await OidcProvider.discover(http, settings(local.url))
    code = await provider.begin_device()
    local.answers = [(400, {"error": error})]
    with pytest.raises(NotSignedIn, match=rf"{error}.*`clawback login`"):
        await provider.await_device(code, no_pause)


async def test_nobody_waits_for_ever(local: LocalProvider, http: httpx.AsyncClient) -> None:
    """Whatever the provider says, for at most as long as the code counts."""
    provider = await OidcProvider.discover(http, settings(local.url))
    code = replace(await provider.begin_device(), expires_in=3.0)
    local.answers = [(400, {"error": "authorization_pending"})] * 10
    with pytest.raises(NotSignedIn, match="expired"):
        await provider.await_device(code, no_pause)
    assert len(local.answers) == 7


def encode(data: bytes) -> str:
    """Encode a part of a token."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forged(local: LocalProvider, kind: str) -> str:
    """A token that must not count."""
    stranger = RSAKey.generate_key(2048, parameters={"kid": "one"})
    now = int(time.time())
    body = local.token().split(".")[1]
    # joserfc makes no such token: the public key as the secret of an HMAC.
    text = f"{encode(HMAC)}.{body}"
    mac = hmac.digest(local.keys[0].as_pem(private=False), text.encode(), "sha256")
    tokens: dict[str, Any] = {
        "signed by another": lambda: local.token(key=stranger),
        "unknown key": lambda: local.token(
            key=RSAKey.generate_key(2048, parameters={"kid": "two"})
        ),
        "unsigned": lambda: f"{encode(NONE)}.{body}.",
        "public key as secret": lambda: f"{text}.{encode(mac)}",
        "expired": lambda: local.token(exp=now - 61, iat=now - 900),
        "from the future": lambda: local.token(nbf=now + 3600),
        "without end": lambda: local.token(exp=None),
        "other audience": lambda: local.token(aud="another-client"),
        "without audience": lambda: local.token(aud=None),
        "other party": lambda: local.token(aud=[CLIENT, "x"], azp="x"),
        "other issuer": lambda: local.token(iss="https://login.example.net"),
        "no subject": lambda: local.token(sub=None),
        "nonsense": lambda: "nonsense",
        "long": lambda: "a" * 40_000,
    }
    token: str = tokens[kind]()
    return token


@pytest.mark.parametrize(
    "kind",
    [
        "signed by another",
        "unknown key",
        "unsigned",
        "public key as secret",
        "expired",
        "from the future",
        "without end",
        "other audience",
        "without audience",
        "other party",
        "other issuer",
        "no subject",
        "nonsense",
        "long",
    ],
)
async def test_a_token_that_is_not_ours_is_refused(
    local: LocalProvider, http: httpx.AsyncClient, kind: str
) -> None:
    """Whoever made it."""
    provider = await OidcProvider.discover(http, settings(local.url))
    assert (await provider.identify(local.token())).subject == "ana"
    with pytest.raises(TokenRefused):
        await provider.identify(forged(local, kind))


async def test_keys_rotate_and_an_unknown_one_is_asked_for_once(
    local: LocalProvider, http: httpx.AsyncClient
) -> None:
    """A new key counts at once; a flood of unknown ones costs one request a minute."""
    clock = Clock()
    keys = SigningKeys(http, f"{local.url}/jwks", clock)
    await keys.find("one")
    local.keys.append(RSAKey.generate_key(2048, parameters={"kid": "two"}))
    clock.now += PAUSE + 1
    assert (await keys.find("two")).kid == "two"
    for _ in range(5):
        with pytest.raises(TokenRefused):
            await keys.find("three")
    assert local.requests == ["/jwks", "/jwks"]


async def test_known_keys_count_for_a_day_without_an_answer(
    local: LocalProvider, http: httpx.AsyncClient
) -> None:
    """After that, and without any, nobody is believed."""
    clock = Clock()
    keys = SigningKeys(http, f"{local.url}/jwks", clock)
    await keys.find("one")
    local.is_down = True
    clock.now += FRESH_FOR + 1
    assert (await keys.find("one")).kid == "one"
    clock.now += STALE_FOR
    for found in (keys, SigningKeys(http, f"{local.url}/jwks", clock)):
        with pytest.raises(ProviderUnavailable, match="cannot be read"):
            await found.find("one")


async def test_a_redirect_takes_no_token_elsewhere(
    local: LocalProvider, http: httpx.AsyncClient
) -> None:
    """It is an error, like every answer that is no answer."""
    provider = await OidcProvider.discover(http, settings(local.url))
    with local_provider() as elsewhere:
        local.answers = [(307, {"location": f"{elsewhere.url}/token"})]
        with pytest.raises(NotSignedIn, match="307"):
            await provider.refresh("secret")
        assert elsewhere.requests == []


async def test_a_provider_that_is_another_or_answers_without_end_is_refused(
    local: LocalProvider, http: httpx.AsyncClient
) -> None:
    """Its issuer must be exactly the one that was set; bodies are bounded."""
    local.metadata = {"issuer": "https://login.example.net"}
    with pytest.raises(ProviderUnavailable, match="calls itself"):
        await OidcProvider.discover(http, settings(local.url))
    local.metadata = {"padding": "x" * MAX_BODY}
    with pytest.raises(ProviderUnavailable, match="answers more than"):
        await OidcProvider.discover(http, settings(local.url))
    local.metadata = {"jwks_uri": "http://login.example.net/jwks"}
    with pytest.raises(ProviderUnavailable, match="not https"):
        await OidcProvider.discover(http, settings(local.url))


def test_secrets_go_to_https_or_this_machine_only() -> None:
    """Whatever a discovery document says."""
    assert require_private("https://login.example.com/token")
    assert require_private("http://127.0.0.1:1/token")
    for url in ("http://login.example.com/", "ftp://127.0.0.1/", "file:///etc/passwd", ""):
        with pytest.raises(ProviderUnavailable):
            require_private(url)


async def test_a_session_is_private_verified_and_refreshed(
    local: LocalProvider, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    """What stands in the file is not believed; an old token is replaced."""
    store, chosen = SessionStore(tmp_path / "state" / "session.json"), settings(local.url)
    with pytest.raises(NotSignedIn, match="`clawback login`"):
        await signed_in_identity(http, chosen, store)

    old = local.token(exp=int(time.time()) - 100, iat=int(time.time()) - 900)
    store.save(local.url, CLIENT, Tokens(old, "again"))
    assert store.path.stat().st_mode & 0o777 == 0o600
    identity = await signed_in_identity(http, chosen, store)
    assert (identity.subject, local.forms[-1]["refresh_token"]) == ("ana", "again")
    assert store.load(local.url, CLIENT).id_token != old

    mine = jwt.encode(
        {"alg": "RS256", "kid": "one"},
        {**local.claims, "groups": ["leads"]},
        RSAKey.generate_key(2048),
    )
    store.save(local.url, CLIENT, Tokens(mine))
    with pytest.raises(NotSignedIn):
        await signed_in_identity(http, chosen, store)
    with pytest.raises(NotSignedIn, match="you signed in at"):
        await signed_in_identity(http, settings("https://login.example.net"), store)
    assert (store.forget(), store.forget()) == (True, False)


@pytest.mark.parametrize(
    ("claim", "claims", "roles"),
    [
        ("groups", {"groups": ["soc", "leads"]}, (Role.ANALYST, Role.OPERATOR)),
        ("groups", {"groups": "soc"}, (Role.ANALYST,)),
        ("groups", {"groups": ["SOC", 7, None]}, ()),
        ("groups", {}, ()),
        ("realm_access.roles", {"realm_access": {"roles": ["leads"]}}, (Role.OPERATOR,)),
        ("https://corp.example/roles", {"https://corp.example/roles": ["soc"]}, (Role.ANALYST,)),
        ("groups", {"groups": {"soc": True}}, ()),
    ],
    ids=["list", "text", "other values", "none", "nested", "name with dots", "object"],
)
def test_roles_come_from_one_claim(
    claim: str, claims: dict[str, Any], roles: tuple[Role, ...]
) -> None:
    """Exactly, or not at all."""
    assert replace(MAPPING, claim=claim).roles_of(claims) == roles
