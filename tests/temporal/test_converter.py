"""The data converter compresses and encrypts, and reads only what is ours."""

import dataclasses
import zlib

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.converter import (
    ActivitySerializationContext,
    DataConverter,
    WorkflowSerializationContext,
)
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from clawback.model.refusal import Refusal
from clawback.temporal.data_converter import (
    COMPRESS_FROM,
    MAX_INFLATED,
    PayloadRefused,
    data_converter,
    index_keys,
)
from clawback.temporal.key_ring import Key, KeyRing

OLD, NEW = Key.generate(), Key.generate()
ACTIVITY = ActivitySerializationContext("prod", "1", "move", "contain", "case/r/1", "case", False)  # noqa: FBT003 - the class of the SDK


def ring(*keys: Key) -> KeyRing:
    """Make a ring; without keys, one with a fresh key."""
    return KeyRing(keys or [Key.generate()])


def inside(converter: DataConverter, workflow: str, namespace: str = "prod") -> DataConverter:
    """The converter for the payloads of one workflow."""
    return converter.with_context(WorkflowSerializationContext(namespace, workflow))


async def there(converter: DataConverter, value: str) -> Payload:
    """Encode one value."""
    return (await converter.encode([value]))[0]


async def back(converter: DataConverter, payload: Payload) -> str:
    """Decode one value."""
    value: str = (await converter.decode([payload], [str]))[0]
    return value


async def refusal_of(converter: DataConverter, payload: Payload) -> Refusal:
    """Decode one value, which must be refused for good."""
    with pytest.raises(PayloadRefused) as raised:
        await back(converter, payload)
    assert raised.value.non_retryable
    return raised.value.refusal


@pytest.mark.parametrize("size", [10, COMPRESS_FROM * 20])
@pytest.mark.parametrize("encrypted", [False, True])
async def test_values_survive_the_round_trip(size: int, encrypted: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """Small and large, plain and encrypted."""
    converter = data_converter(ring() if encrypted else None)
    value = "secret " * size
    payload = await there(converter, value)
    assert await back(converter, payload) == value
    assert payload.ByteSize() < max(256, size * 7 // 5)


async def test_an_encrypted_payload_shows_nothing() -> None:
    """Neither the value nor its type can be read."""
    payload = await there(data_converter(ring()), "secret")
    assert b"secret" not in payload.SerializeToString()
    assert b"json" not in payload.SerializeToString()


@pytest.mark.parametrize("value", ["plain", "plain " * COMPRESS_FROM])
async def test_plaintext_is_refused_under_a_key(value: str) -> None:
    """Whoever has no key cannot say anything, in any form."""
    payload = await there(data_converter(None), value)
    assert await refusal_of(data_converter(ring()), payload) is Refusal.PLAINTEXT


async def test_a_migration_reads_plaintext_too() -> None:
    """What was written before the keys were set is read as long as that is allowed."""
    value = "plain " * COMPRESS_FROM
    converter = data_converter(ring(), accepts_plaintext=True)
    assert await back(converter, await there(data_converter(None), value)) == value


async def test_a_forged_mark_of_refusal_is_refused() -> None:
    """The form in which the codec hands on a refusal opens no way around it."""
    forged = Payload(metadata={"encoding": b"clawback/refused"}, data=b"trust me")
    assert await refusal_of(data_converter(ring()), forged) is Refusal.PLAINTEXT


async def test_every_key_of_the_ring_reads_and_the_first_writes() -> None:
    """The steps of a rotation: each worker reads what any other writes."""
    before, added, turned = (
        data_converter(ring(OLD)),
        data_converter(ring(OLD, NEW)),
        data_converter(ring(NEW, OLD)),
    )
    assert await back(turned, await there(before, "1")) == "1"
    assert await back(added, await there(turned, "2")) == "2"
    assert await back(data_converter(ring(NEW)), await there(turned, "3")) == "3"
    assert await refusal_of(before, await there(turned, "4")) is Refusal.UNKNOWN_KEY


async def test_a_refusal_names_the_missing_key() -> None:
    """With keys and without; never the key itself."""
    payload = await there(data_converter(ring(OLD)), "secret")
    for converter, refusal in (
        (data_converter(ring(NEW)), Refusal.UNKNOWN_KEY),
        (data_converter(None), Refusal.NO_KEY),
    ):
        with pytest.raises(PayloadRefused, match=OLD.id) as raised:
            await back(converter, payload)
        assert raised.value.refusal is refusal


async def test_a_payload_counts_in_its_own_workflow_only() -> None:
    """A decision about one case cannot be copied into another one, or another namespace."""
    converter = data_converter(ring())
    payload = await there(inside(converter, "case/r/1"), "approved")
    assert await back(inside(converter, "case/r/1"), payload) == "approved"
    for other in (inside(converter, "case/r/2"), inside(converter, "case/r/1", "test")):
        assert await refusal_of(other, payload) is Refusal.MISPLACED

    unbound = await there(converter, "approved")
    assert await refusal_of(inside(converter, "case/r/1"), unbound) is Refusal.MISPLACED


async def test_an_activity_reads_what_its_workflow_wrote() -> None:
    """Both belong to the same workflow."""
    converter = data_converter(ring())
    payload = await there(inside(converter, "case/r/1"), "move")
    assert await back(converter.with_context(ACTIVITY), payload) == "move"
    other = dataclasses.replace(ACTIVITY, workflow_id="case/r/2")
    assert await refusal_of(converter.with_context(other), payload) is Refusal.MISPLACED


@pytest.mark.parametrize("part", ["data", "bound-to", "encryption-key-id", "short"])
async def test_a_changed_payload_is_refused(part: str) -> None:
    """Whatever was changed: text, binding or key id."""
    converter = data_converter(ring(OLD, NEW))
    payload = await there(inside(converter, "case/r/1"), "move")
    match part:
        case "data":
            payload.data = payload.data[:-1] + bytes([payload.data[-1] ^ 1])
        case "short":
            payload.data = payload.data[:5]
        case "bound-to":
            other = await there(inside(converter, "case/r/2"), "move")
            payload.metadata[part] = other.metadata[part]
        case _:
            payload.metadata[part] = NEW.id.encode()
    assert await refusal_of(converter, payload) is Refusal.DAMAGED


def test_the_index_is_searched_with_every_key() -> None:
    """Hashes of cases from before a rotation are still found; new ones come from the new key."""
    (old,) = index_keys(data_converter(ring(OLD)).payload_codec, "prod")
    (plain,) = index_keys(data_converter(None).payload_codec, "prod")
    turned = index_keys(data_converter(ring(NEW, OLD)).payload_codec, "prod")
    assert (turned[1], len(set(turned) - {plain})) == (old, 2)
    migrating = data_converter(ring(OLD), accepts_plaintext=True)
    assert index_keys(migrating.payload_codec, "prod") == (old, plain)


@pytest.mark.parametrize("category", list(ApplicationErrorCategory))
@pytest.mark.parametrize("encrypted", [False, True])
async def test_an_expected_error_has_no_stack_trace(
    category: ApplicationErrorCategory,
    encrypted: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    """Quiet polls leave one of them in the history every three minutes."""
    converter, failure = data_converter(ring() if encrypted else None), Failure()
    with pytest.raises(ApplicationError) as raised:
        raise ApplicationError("nothing new", category=category)
    await converter.encode_failure(raised.value, failure)
    read = await converter.decode_failure(failure)
    assert isinstance(read, ApplicationError)
    has_trace = bool(read.failure and read.failure.stack_trace)
    assert has_trace is (category is not ApplicationErrorCategory.BENIGN)


async def test_a_bomb_and_rubbish_are_refused() -> None:
    """Where plaintext is read: neither memory nor the workflow task suffers."""
    bomb = zlib.compress(bytes(MAX_INFLATED + 1), 9)
    for converter in (data_converter(None), data_converter(ring(), accepts_plaintext=True)):
        for data, refusal in (
            (bomb, Refusal.TOO_LARGE),
            (bomb[:-9], Refusal.DAMAGED),
            (b"no zlib", Refusal.DAMAGED),
            (zlib.compress(b"\xff" * 9), Refusal.DAMAGED),
        ):
            payload = Payload(metadata={"encoding": b"binary/zlib"}, data=data)
            assert await refusal_of(converter, payload) is refusal


async def test_refused_payloads_are_reported() -> None:
    """Each one, with its reason; what is read is not."""
    seen: list[tuple[Payload, Refusal]] = []
    keys = ring()
    converter = data_converter(keys, on_refused=lambda one, why: seen.append((one, why.refusal)))
    foreign = await there(data_converter(None), "plain")
    own = await there(inside(data_converter(keys), "case/r/1"), "ours")
    await refusal_of(inside(converter, "case/r/1"), foreign)
    await refusal_of(inside(converter, "case/r/2"), own)
    assert await back(inside(converter, "case/r/1"), own) == "ours"
    assert seen == [(foreign, Refusal.PLAINTEXT), (own, Refusal.MISPLACED)]


async def test_the_runs_of_one_schedule_share_a_place() -> None:
    """Each is given the result of the run before, which nobody has copied. No other ids do."""
    converter = data_converter(ring())
    first, second = ("watchdog-2026-11-29T01:10:00Z", "watchdog-2026-11-29T01:20:00Z")
    result = await there(inside(converter, first), "done")
    assert await back(inside(converter, second), result) == "done"
    for other in ("reconciliation-2026-11-29T01:20:00Z", f"case/r/1/{second}", "case/r/1"):
        assert await refusal_of(inside(converter, other), result) is Refusal.MISPLACED

    case = await there(inside(converter, "case/r/1"), "ours")
    copied = "case/r/1-2026-11-29T01:20:00Z"
    assert await refusal_of(inside(converter, copied), case) is Refusal.MISPLACED
