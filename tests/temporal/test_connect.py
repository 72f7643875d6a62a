"""What is said when no Temporal server can be reached."""

import pytest

from clawback.settings import Settings
from clawback.temporal.client import TemporalUnreachable, connect, first_clause


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1:1", "Server connection error (connection refused)"),
        ("bad host", "invalid target URL: invalid international domain name"),
    ],
)
async def test_the_reason_is_words_not_debug_text(address: str, reason: str) -> None:
    """The real SDK's nested error comes out as its first clause and its message."""
    with pytest.raises(TemporalUnreachable) as refused:
        await connect(Settings.model_construct(), address=address)
    assert (
        str(refused.value) == f"no Temporal server answers at {address} "
        f"(set TEMPORAL_ADDRESS, or run `clawback up`): {reason}"
    )


def test_a_refused_key_keeps_its_message() -> None:
    """A status of the server is cut to what it was about and what it says."""
    text = (
        "Failed client connect: `get_system_info` call error after connection: "
        'Status { code: Unauthenticated, message: "Request unauthorized.", '
        "metadata: MetadataMap { headers: {} }, source: None }"
    )
    assert (
        first_clause(text)
        == "`get_system_info` call error after connection (request unauthorized.)"
    )
