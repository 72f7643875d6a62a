"""schemathesis over the OpenAPI document, as every role, against a real installation.

No answer is a server error, or one that the document does not describe; wrong input is refused.
"""

import asyncio

from clawback.console.api.operation_list import OPERATIONS
from clawback.model.identity import Role
from tests.console.api.running_api import RunningApi, serving_api
from tests.console.api.test_cases import act, hold


async def test_no_request_finds_an_undescribed_answer(api: RunningApi) -> None:
    """Requests as the document allows them, and others; of things that exist, and of others."""
    from tests.console.api.schema_fuzzer import ROLES, Fuzzer

    held, _ = await hold(api)
    acted, _ = await act(api)
    headers: dict[Role | None, dict[str, str]] = {None: {}}
    headers |= {role: {"Authorization": f"Bearer {api.tokens[role]}"} for role in Role}
    async with serving_api(api.app) as url:
        fuzzer = Fuzzer(url, headers, (held, acted))
        await asyncio.to_thread(fuzzer.run)
    assert {role for _, role in fuzzer.asked} == set(ROLES)
    assert {name for name, _ in fuzzer.asked} == {f"{one.method} {one.path}" for one in OPERATIONS}
