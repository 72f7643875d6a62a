"""The sign-in of a command line: tokens in a file of its user, refreshed when they run out.

The file is private, but its content is not trusted: each command verifies the token again.
"""

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from clawback.identity.errors import NotSignedIn, TokenRefused
from clawback.identity.oidc import ClientSettings, OidcProvider, Tokens
from clawback.model.identity import Identity

_SIGN_IN = "sign in with `clawback login`"


def session_file(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where the tokens of this user are kept."""
    state = environment.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "clawback" / "session.json"


@dataclass(frozen=True)
class SessionStore:
    """The tokens of one user of this machine, at one provider at a time."""

    path: Path

    def load(self, issuer: str, client_id: str) -> Tokens:
        """Return the tokens of the last sign-in.

        Raises:
            NotSignedIn: there was none, or it was at another provider.

        """
        try:
            found: dict[str, Any] = json.loads(self.path.read_text("utf-8"))
            if (found["issuer"], found["client_id"]) != (issuer, client_id):
                raise NotSignedIn(
                    f"you signed in at {found['issuer']}, not at {issuer}: {_SIGN_IN}"
                )
            return Tokens(found["id_token"], found.get("refresh_token"))
        except (OSError, ValueError, KeyError, TypeError):
            raise NotSignedIn(f"you have not signed in: {_SIGN_IN}") from None

    def save(self, issuer: str, client_id: str, tokens: Tokens) -> None:
        """Replace the tokens; only this user can read them."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = {
            "issuer": issuer,
            "client_id": client_id,
            "id_token": tokens.id_token,
            "refresh_token": tokens.refresh_token,
        }
        new = self.path.with_name(f"{self.path.name}.{os.getpid()}.new")
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "w", encoding="utf-8") as stream:
            json.dump(content, stream)
        new.replace(self.path)

    def forget(self) -> bool:
        """Remove the tokens; False if there were none."""
        try:
            self.path.unlink()
        except FileNotFoundError:
            return False
        return True


async def signed_in_identity(
    http: httpx.AsyncClient, settings: ClientSettings, store: SessionStore
) -> Identity:
    """Return who has signed in here; refresh the token if its time is up.

    Raises:
        NotSignedIn: nobody has, or the sign-in is over.
        TokenRefused: the token is not one of this provider for this installation.
        ProviderUnavailable: the provider does not answer.

    """
    tokens = store.load(settings.issuer, settings.client_id)
    provider = await OidcProvider.discover(http, settings)
    host = socket.gethostname()
    try:
        return await provider.identify(tokens.id_token, host=host)
    except TokenRefused:
        if tokens.refresh_token is None:
            raise NotSignedIn(f"your sign-in is over: {_SIGN_IN}") from None

    tokens = await provider.refresh(tokens.refresh_token)
    identity = await provider.identify(tokens.id_token, host=host)
    store.save(settings.issuer, settings.client_id, tokens)
    return identity
