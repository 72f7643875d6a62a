"""Access tokens that another program passes on for a person, such as the Temporal UI."""

from clawback.identity.discovery import ProviderConnection
from clawback.identity.oidc import ClientSettings
from clawback.model.identity import Identity


class BearerTokens:
    """Verifies the access tokens of one provider for one audience; they must be JWTs (RFC 9068).

    The provider is asked when the first token comes. Close it after use.
    """

    def __init__(self, settings: ClientSettings, audience: str) -> None:
        self._connection, self._audience = ProviderConnection(settings), audience

    async def identify(self, token: str) -> Identity:
        """Verify a token and return whose it is.

        Raises:
            TokenRefused: it is not for this audience, or its time is up.
            ProviderUnavailable: the provider does not answer.

        """
        provider = await self._connection.provider()
        return await provider.identify_bearer(token, self._audience)

    async def close(self) -> None:
        """Close the connections to the provider."""
        await self._connection.close()
