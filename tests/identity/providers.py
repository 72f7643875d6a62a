"""Identity providers on this machine.

`mock_provider` runs oidc-provider-mock in a process of its own. It has no device flow and checks no
PKCE: `LocalProvider` has both, and publishes whatever keys a test wants.
"""

import base64
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import RSAKey

from clawback.local import free_port
from tests.http_server import serving
from tests.waiting import eventually

CLIENT = "clawback-test"


async def mock_provider() -> tuple[subprocess.Popen[bytes], str]:
    """Start oidc-provider-mock; its process, to be ended, and its URL."""
    port = free_port()
    user = json.dumps({"sub": "ana", "email": "ana@corp.example", "groups": ["soc", "on-call"]})
    options = ("-p", str(port), "--user-claims", user)
    process = subprocess.Popen(  # noqa: ASYNC220 - it only starts it
        [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", *options],
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"

    async def answers() -> bool | None:
        async with httpx.AsyncClient() as http:
            try:
                return (await http.get(f"{url}/jwks")).is_success or None
            except httpx.TransportError:
                return None

    await eventually(answers, timedelta(seconds=60))
    return process, url


@cache
def _first_key() -> RSAKey:
    """Generate the key that every provider begins with: making one takes a second."""
    return RSAKey.generate_key(2048, parameters={"kid": "one"})


class LocalProvider:
    """A provider whose every answer a test decides."""

    def __init__(self) -> None:
        self.keys = [_first_key()]
        self.requests: list[str] = []
        self.cookies: list[str] = []
        self.identity: dict[str, Any] = {}
        self.forms: list[dict[str, str]] = []
        self.answers: list[tuple[int, Mapping[str, Any]]] = []
        self.is_down = False
        self.challenge = ""
        self.metadata: dict[str, Any] = {}
        self.url = ""

    @property
    def claims(self) -> dict[str, Any]:
        """The claims of a token that counts."""
        now = int(time.time())
        person = {"sub": "ana", "email": "ana@corp.example", "groups": ["soc"]}
        return {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300, **person}

    def token(self, key: RSAKey | None = None, alg: str = "RS256", **claims: Any) -> str:
        """Sign a token, with the newest key unless told otherwise; None removes a claim."""
        key = key or self.keys[-1]
        said = {name: one for name, one in {**self.claims, **claims}.items() if one is not None}
        return jwt.encode({"alg": alg, "kid": key.kid}, said, key, algorithms=[alg])

    def answer(self, path: str) -> tuple[int, Mapping[str, Any]]:
        """Answer a GET request."""
        if self.is_down:
            return 503, {}
        if path in {"/jwks", "/cdn-cgi/access/certs"}:
            return 200, {"keys": [key.as_dict(private=False) for key in self.keys]}
        if path == "/cdn-cgi/access/get-identity" and self.identity:
            return 200, self.identity
        if path == "/.well-known/openid-configuration":
            names = ("authorization", "token", "device_authorization")
            endpoints = {f"{name}_endpoint": f"{self.url}/{name}" for name in names}
            known = {"issuer": self.url, "jwks_uri": f"{self.url}/jwks", **endpoints}
            return 200, {**known, **self.metadata}
        return 404, {}

    def take(self, path: str, form: dict[str, str]) -> tuple[int, Mapping[str, Any]]:
        """Answer a form."""
        self.forms.append(form)
        if self.answers:
            return self.answers.pop(0)
        if path == "/device_authorization":
            code = {"device_code": "secret", "user_code": "WDJB-MJHT", "interval": 1}
            return 200, {**code, "verification_uri": f"{self.url}/device", "expires_in": 60}

        verifier = form.get("code_verifier", "").encode()
        digest = base64.urlsafe_b64encode(hashlib.sha256(verifier).digest()).rstrip(b"=")
        if self.challenge and digest.decode() != self.challenge:
            return 400, {"error": "invalid_grant"}
        return 200, {"id_token": self.token(nonce=form.get("code")), "refresh_token": "again"}


@contextmanager
def local_provider() -> Iterator[LocalProvider]:
    """Serve a provider on a port of this machine."""
    provider = LocalProvider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            provider.requests.append(self.path)
            provider.cookies.append(self.headers["Cookie"] or "")
            self._send(*provider.answer(urlsplit(self.path).path))

        def do_POST(self) -> None:
            provider.requests.append(self.path)
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self._send(*provider.take(self.path, dict(parse_qsl(body.decode()))))

        def _send(self, status: int, body: Mapping[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            if location := body.get("location"):
                self.send_header("Location", location)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with serving(Handler) as url:
        provider.url = url
        yield provider
