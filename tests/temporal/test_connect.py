"""What is said when no Temporal server can be reached."""

import pytest
from temporalio.service import RPCError, RPCStatusCode

from clawback.settings import Settings
from clawback.temporal.client import TemporalUnreachable, connect, first_clause, lost_server


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


@pytest.mark.parametrize("status", ["UNAVAILABLE", "DEADLINE_EXCEEDED", "UNKNOWN"])
def test_a_server_that_goes_away_is_unreachable(status: str) -> None:
    """A worker that starts meanwhile ends with one sentence, not with a traceback."""
    error = lost_server(RPCError("transport error", RPCStatusCode[status], b""))
    assert f"went away ({status}): transport error" in error.log_text


def test_another_error_of_the_server_is_none_of_that() -> None:
    """What the server refuses is a defect, and keeps its traceback."""
    refused = RPCError("no such field", RPCStatusCode.INVALID_ARGUMENT, b"")
    with pytest.raises(RPCError) as raised:
        lost_server(refused)
    assert raised.value is refused
