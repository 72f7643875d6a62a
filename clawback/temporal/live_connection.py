"""A connection to Temporal that can be made anew under the clients and workers that use it.

The SDK reads certificates once, when it connects. A new certificate needs a new connection: every
call that begins after it was made goes there, and the old one ends with its last call.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from google.protobuf.message import Message
from temporalio.client import Client
from temporalio.service import ServiceClient, TLSConfig

if TYPE_CHECKING:
    from temporalio.worker import Worker


class LiveServiceClient(ServiceClient):
    """Passes each call on to the connection of now."""

    def __init__(self, connected: ServiceClient) -> None:
        super().__init__(connected.config)
        self._connected = connected
        self._followers: list[Callable[[], None]] = []

    async def reconnect(self, tls: TLSConfig) -> None:
        """Connect with other certificates; the old connection stays in use if that fails.

        Raises:
            RuntimeError, ValueError, RPCError: the server cannot be reached with them.

        """
        config = replace(self.config, tls=tls)
        self._connected = await ServiceClient.connect(config)
        for follow in self._followers:
            follow()
        self.config = config

    def on_reconnected(self, follow: Callable[[], None]) -> None:
        """Have something called whenever there is a new connection."""
        self._followers.append(follow)

    @property
    def worker_service_client(self) -> Any:
        """The connection that workers poll over."""
        return self._connected.worker_service_client

    def update_rpc_metadata(self, metadata: Mapping[str, str | bytes]) -> None:
        """Send other metadata from now on."""
        self._connected.update_rpc_metadata(metadata)

    def update_api_key(self, api_key: str | None) -> None:
        """Send another API key from now on."""
        self._connected.update_api_key(api_key)

    async def _rpc_call(  # noqa: PLR0913 - as the SDK declares it
        self,
        rpc: str,
        req: Message,
        resp_type: type[Any],
        *,
        service: str,
        retry: bool,
        metadata: Mapping[str, str | bytes],
        timeout: timedelta | None,  # noqa: ASYNC109 - as the SDK declares it
    ) -> Any:
        return await self._connected._rpc_call(  # noqa: SLF001 - what it overrides
            rpc,
            req,
            resp_type,
            service=service,
            retry=retry,
            metadata=metadata,
            timeout=timeout,
        )


def make_live(client: Client) -> Client:
    """Return a client over the same connection, which can be made anew.

    Without TLS there is nothing that would need that, and the client is returned as it is.
    """
    if not isinstance(client.service_client.config.tls, TLSConfig):
        return client
    live: Any = {**client.config(), "service_client": LiveServiceClient(client.service_client)}
    return Client(**live)


def follow_connection(client: Client, workers: "Iterable[Worker]") -> None:
    """Let workers poll over the connection of a client, also when it is made anew."""
    if not isinstance(client.service_client, LiveServiceClient):
        return

    followers = tuple(workers)

    def follow() -> None:
        for worker in followers:
            # The same client: what the SDK takes from it is the connection below.
            worker.client = client

    client.service_client.on_reconnected(follow)
