"""OpenID Connect: sign-in of the console (code with PKCE) and of commands (device flow).

Sources: OpenID Connect Core 1.0 and Discovery 1.0, RFC 7636 (PKCE), RFC 8628 (device flow).
"""

import asyncio
import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

import httpx
from pydantic import SecretStr

from clawback.identity.errors import NotSignedIn, ProviderUnavailable, TokenRefused
from clawback.identity.exchange import Answer, clean, get_json, post_form, require_private
from clawback.identity.role_mapping import RoleMapping, Verified
from clawback.identity.signing_keys import SigningKeys
from clawback.identity.tokens import TokenVerifier
from clawback.model.identity import Identity, IdentitySource

_DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
_SLOWER: Final = 5.0
_LONGEST_WAIT: Final = 30 * 60.0
_LONGEST_PAUSE: Final = 60.0


@dataclass(frozen=True)
class ClientSettings:
    """How this installation is known to the provider, and which claims mean which role."""

    issuer: str
    client_id: str
    client_secret: SecretStr | None = None
    scopes: str = "openid profile email"
    mapping: RoleMapping = field(default_factory=RoleMapping)


@dataclass(frozen=True, repr=False)
class Tokens:
    """What the provider gives whoever signed in. Never show them."""

    id_token: str
    refresh_token: str | None = None


@dataclass(frozen=True, repr=False)
class SignIn:
    """A sign-in that has begun in a browser. Keep all of it but `url` away from the browser's page.

    `state` ties the answer to this browser, `nonce` the token to this sign-in, `verifier` the code
    to whoever asked for it.
    """

    url: str
    redirect_uri: str
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True)
class DeviceCode:
    """What somebody types on another device, and how long that may take, in seconds."""

    user_code: str
    verification_uri: str
    complete_uri: str
    device_code: str
    interval: float
    expires_in: float


class OidcProvider:
    """One provider, as its discovery document describes it."""

    def __init__(
        self, http: httpx.AsyncClient, settings: ClientSettings, metadata: Mapping[str, Any]
    ) -> None:
        self._http, self._settings, self._metadata = http, settings, metadata
        self._tokens = TokenVerifier(
            keys=SigningKeys(http, self._endpoint("jwks_uri")),
            issuer=settings.issuer,
            audience=settings.client_id,
        )

    @classmethod
    async def discover(cls, http: httpx.AsyncClient, settings: ClientSettings) -> "OidcProvider":
        """Read the discovery document of an issuer.

        Raises:
            ProviderUnavailable: there is none, or it is that of another issuer.

        """
        url = f"{settings.issuer.rstrip('/')}/.well-known/openid-configuration"
        metadata = await get_json(http, url)
        if metadata.get("issuer") != settings.issuer:
            raise ProviderUnavailable(
                f"{settings.issuer} calls itself {clean(metadata.get('issuer'))!r}: set exactly "
                "that as CLAWBACK_IDENTITY_ISSUER if it is right"
            )
        return cls(http, settings, metadata)

    # ---- in a browser: authorization code with PKCE

    def begin_sign_in(self, redirect_uri: str, *, asks_again: bool = False) -> SignIn:
        """Begin to sign somebody in, with new secrets; send the browser to `url`.

        With `asks_again` the provider has people prove who they are, even if it knows them.
        """
        state, nonce, verifier = (secrets.token_urlsafe(48) for _ in range(3))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
        query = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": redirect_uri,
            "scope": self._settings.scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge.rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            **({"prompt": "login", "max_age": "0"} if asks_again else {}),
        }
        endpoint = self._endpoint("authorization_endpoint")
        joint = "&" if "?" in endpoint else "?"
        url = f"{endpoint}{joint}{urlencode(query)}"
        return SignIn(url, redirect_uri, state, nonce, verifier)

    async def finish_sign_in(self, begun: SignIn, state: str, code: str) -> tuple[Verified, Tokens]:
        """Exchange the code that the browser brought back.

        Raises:
            TokenRefused: state or nonce are of another sign-in, or the token is not ours.
            NotSignedIn: the provider does not take the code.
            ProviderUnavailable: it does not answer.

        """
        if not hmac.compare_digest(state.encode(), begun.state.encode()):
            raise TokenRefused("the answer belongs to another sign-in: sign in again")

        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": begun.redirect_uri,
            "code_verifier": begun.verifier,
        }
        tokens = _read_tokens(await self._ask_tokens(form))
        claims = await self._verify(tokens.id_token, begun.nonce)
        return self._settings.mapping.read(claims, IdentitySource.OIDC), tokens

    @property
    def sign_out_url(self) -> str | None:
        """Where people sign out of the provider itself, if it has such a page."""
        url = self._metadata.get("end_session_endpoint")
        return require_private(url) if isinstance(url, str) else None

    # ---- on a terminal: device flow

    async def begin_device(self) -> DeviceCode:
        """Ask for a code that somebody types on another device.

        Raises:
            ProviderUnavailable: the provider has no device flow, or does not answer.

        """
        form = {"client_id": self._settings.client_id, "scope": self._settings.scopes}
        answer = await post_form(
            self._http, self._endpoint("device_authorization_endpoint"), self._authenticate(form)
        )
        body = answer.body
        uri = body.get("verification_uri") or body.get("verification_url")
        if answer.status != HTTPStatus.OK or not body.get("device_code"):
            raise ProviderUnavailable(
                f"the identity provider starts no device flow: {answer.error or answer.status}"
            )
        return DeviceCode(
            user_code=clean(body.get("user_code")),
            verification_uri=require_private(clean(uri)),
            complete_uri=clean(body.get("verification_uri_complete")),
            device_code=str(body["device_code"]),
            interval=_seconds(body.get("interval"), 5.0, _LONGEST_PAUSE),
            expires_in=_seconds(body.get("expires_in"), 600.0, _LONGEST_WAIT),
        )

    async def await_device(
        self, code: DeviceCode, sleep: Callable[[float], Any] = asyncio.sleep
    ) -> Tokens:
        """Wait until somebody has typed the code.

        Raises:
            NotSignedIn: they declined, or did not in time.
            ProviderUnavailable: the provider does not answer.

        """
        form = {"grant_type": _DEVICE_GRANT, "device_code": code.device_code}
        waited, pause = 0.0, code.interval
        while waited < code.expires_in:
            await sleep(pause)
            waited += pause
            answer = await self._ask_tokens(form)
            if answer.error == "slow_down":
                pause += _SLOWER
            elif answer.error != "authorization_pending":
                return _read_tokens(answer)
        raise NotSignedIn("nobody signed in before the code expired: run `clawback login` again")

    # ---- tokens

    async def refresh(self, refresh_token: str) -> Tokens:
        """Get new tokens; the provider may keep the old refresh token valid.

        Raises:
            NotSignedIn: the refresh token does not count any more.
            ProviderUnavailable: the provider does not answer.

        """
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        answer = await self._ask_tokens(form)
        if answer.status == HTTPStatus.OK and "id_token" not in answer.body:
            # The specification lets a provider leave it out, and then we cannot tell who it is.
            raise NotSignedIn("your sign-in is over: sign in again with `clawback login`")
        tokens = _read_tokens(answer)
        return Tokens(tokens.id_token, tokens.refresh_token or refresh_token)

    async def identify(self, id_token: str, host: str = "") -> Identity:
        """Verify an ID token and return whose it is.

        Raises:
            TokenRefused: it is not ours, or is over.
            ProviderUnavailable: its keys cannot be read.

        """
        claims = await self._tokens.verify(id_token)
        return self._settings.mapping.identify(claims, IdentitySource.OIDC, host)

    async def identify_bearer(self, access_token: str, audience: str) -> Identity:
        """Verify an access token for an audience and return whose it is.

        Raises what `identify` raises.
        """
        # Issued to the program that passes it on: only its audience says that it is for us.
        verifier = replace(self._tokens, audience=audience, checks_party=False)
        claims = await verifier.verify(access_token)
        return self._settings.mapping.identify(claims, IdentitySource.OIDC, "")

    async def _verify(self, id_token: str, nonce: str) -> Mapping[str, Any]:
        claims = await self._tokens.verify(id_token)
        if claims.get("nonce") != nonce:
            raise TokenRefused("the token belongs to another sign-in: sign in again")
        return claims

    async def _ask_tokens(self, form: Mapping[str, str]) -> Answer:
        return await post_form(
            self._http, self._endpoint("token_endpoint"), self._authenticate(form)
        )

    def _authenticate(self, form: Mapping[str, str]) -> Mapping[str, str]:
        client_secret = self._settings.client_secret
        secret = client_secret.get_secret_value() if client_secret is not None else None
        client = {"client_id": self._settings.client_id}
        return {**form, **client, **({"client_secret": secret} if secret else {})}

    def _endpoint(self, name: str) -> str:
        url = self._metadata.get(name)
        if not isinstance(url, str):
            raise ProviderUnavailable(f"{self._settings.issuer} has no {name}")
        return require_private(url)


def _read_tokens(answer: Answer) -> Tokens:
    if answer.status != HTTPStatus.OK:
        raise NotSignedIn(
            f"the identity provider refuses: {answer.error or answer.status}; "
            "sign in again with `clawback login`"
        )
    id_token, refresh = answer.body.get("id_token"), answer.body.get("refresh_token")
    if not isinstance(id_token, str):
        raise ProviderUnavailable("the identity provider gives no ID token: add the scope openid")
    return Tokens(id_token, refresh if isinstance(refresh, str) else None)


def _seconds(value: object, default: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return default
    return min(max(float(value), 1.0), most)
