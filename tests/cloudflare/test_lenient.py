"""Random responses: records are parsed or rejected, and nothing crashes."""

import json
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawback.cloudflare import (
    ActionLogEntry,
    AllowPolicy,
    ApiError,
    BlockedSender,
    ContentPolicy,
    Domain,
    Job,
    JobMessage,
    Message,
    MoveItem,
    Page,
    ProtectedName,
    ReleaseItem,
    Report,
    SendingRestriction,
    Submission,
    TrustedDomain,
    UrlIgnorePattern,
)
from clawback.cloudflare.api_response import decode_json, decode_odd_json
from clawback.cloudflare.wire_model import InvalidRecord, WireField, WireModel
from tests.cloudflare.support import IID, WINDOW, always, envelope

KINDS: list[type[WireModel]] = [
    Message,
    Report,
    Submission,
    BlockedSender,
    ActionLogEntry,
    MoveItem,
    Job,
    JobMessage,
]
KINDS += [
    ReleaseItem,
    AllowPolicy,
    TrustedDomain,
    ProtectedName,
    Domain,
    SendingRestriction,
    ContentPolicy,
    UrlIgnorePattern,
]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
IDS: dict[type[WireModel], str | None] = {
    Submission: "submission_id",
    Job: "job_id",
    JobMessage: "message_id",
    ActionLogEntry: None,
    MoveItem: None,
}


def fields_of(kind: type[WireModel]) -> dict[str, WireField[Any]]:
    """The typed fields of a kind of record by name."""
    return {
        name: value
        for base in kind.__mro__
        for name, value in vars(base).items()
        if isinstance(value, WireField)
    }


NAMES = sorted(
    {name for kind in KINDS for name in (*fields_of(kind), *kind.renamed)} | {"from", "action_log"}
)
RECORDS = st.dictionaries(st.sampled_from(NAMES) | st.text(), JSON, max_size=12)


def has_id(kind: type[WireModel], raw: Any) -> bool:
    """Whether a record is usable by contract: an object with a string or integer id."""
    if not isinstance(raw, dict):
        return False
    field = IDS.get(kind, "id")
    value = raw.get(field) if field else "not needed"
    if value is None:
        value = next(
            (raw[old] for old, new in kind.renamed.items() if new == field and old in raw), None
        )
    return isinstance(value, str | int) and not isinstance(value, bool) and value != ""


@pytest.mark.parametrize("kind", KINDS)
@given(raw=RECORDS | JSON)
@settings(max_examples=60)
def test_only_the_id_is_required(kind: type[WireModel], raw: Any) -> None:
    """A record parses if it has an id, and all its fields can be read; raw values are kept."""
    try:
        read = kind.parse(raw)
    except InvalidRecord:
        assert not has_id(kind, raw)
        return
    assert has_id(kind, raw)
    record = read.record
    for name in fields_of(kind):
        getattr(read, name)
    known = set(NAMES)
    assert {name: value for name, value in record.items() if name not in known} == {
        n: v for n, v in raw.items() if n not in known
    }


@pytest.mark.parametrize("method", ["messages", "phishguard_reports", "submissions"])
@given(raw=st.lists(RECORDS | JSON, max_size=6), info=JSON | RECORDS)
@settings(max_examples=60)
async def test_no_record_can_crash_or_shorten_a_page(
    method: str, raw: list[Any], info: Any
) -> None:
    """Every record is parsed or rejected, whatever it and `result_info` hold."""
    api = always(httpx.Response(200, json={"success": True, "result": raw, "result_info": info}))
    page = await getattr(api, method)(**WINDOW)
    assert len(page.items) + len(page.rejected) == len(raw)


@given(raw=st.lists(RECORDS | JSON, max_size=4))
async def test_a_move_is_read_whatever_it_says(raw: list[Any]) -> None:
    """Items that are not objects are left out, so that their messages count as unknown."""
    items = await always(envelope(raw)).move([IID], "JunkEmail")
    assert len(items) == sum(isinstance(item, dict) for item in raw)


@given(
    body=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()),
    status=st.integers(200, 599),
)
async def test_any_bytes_under_any_status_are_a_page_or_an_api_error(
    body: bytes, status: int
) -> None:
    """Any response gives a page or an `ApiError`."""
    try:
        outcome: object = await always(httpx.Response(status, content=body)).messages(**WINDOW)
    except ApiError as error:
        outcome = str(error)
    if isinstance(outcome, Page):
        assert status < 300
    else:
        assert len(str(outcome)) < 1000


BODIES = st.one_of(
    JSON.map(lambda value: json.dumps(value).encode()),
    JSON.map(
        lambda value: json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8", "replace")
    ),
    st.floats().map(lambda number: json.dumps(number).encode()),
    st.text('{}[]",:0123456789.eE+-\\\\/bfnrtuadDlsNI \t\ufeffé😀', max_size=30).map(str.encode),
    st.lists(st.sampled_from(["\\ud83d", "\\ude00", "\\u0041", "x", "\\\\"])).map(
        lambda parts: f'["{"".join(parts)}"]'.encode()
    ),
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 9)), max_size=4).map(
        lambda pairs: ("{" + ",".join(f'"{key}":{value}' for key, value in pairs) + "}").encode()
    ),
    st.binary(max_size=30),
)


@given(body=BODIES)
@settings(max_examples=500)
def test_both_decoders_agree_on_what_orjson_takes(body: bytes) -> None:
    """A body means the same with and without orjson; only integers beyond 64 bits lose digits."""
    try:
        read = orjson.loads(body)
    except orjson.JSONDecodeError:
        return
    assert repr(rounded(decode_odd_json(body))) == repr(rounded(read))


@given(body=BODIES)
@settings(max_examples=500)
def test_decoding_gives_what_the_lenient_decoder_gives(body: bytes) -> None:
    """What one refuses, the other refuses; what is read is standard JSON."""
    try:
        expected = decode_odd_json(body)
    except ValueError:
        with pytest.raises(ValueError, match="not JSON"):
            decode_json(body)
        return
    read = decode_json(body)
    assert repr(rounded(read)) == repr(rounded(expected))
    json.dumps(read, allow_nan=False, ensure_ascii=False).encode()


def rounded(value: Any) -> Any:
    """Turn integers beyond 64 bits into floats, as orjson does."""
    if isinstance(value, list):
        return [rounded(item) for item in value]
    if isinstance(value, dict):
        return {name: rounded(item) for name, item in value.items()}
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return float(value)
    return value


@pytest.mark.parametrize(
    "text",
    [
        '{"result":[{"id":"a","subject":"\\ud800","score":NaN,"size":1e999,"\\udfff":1}]}',
        '\ufeff{"result":[{"id":"a","subject":"x"}]}',
        '{"result":[{"id":"a","subject":"x","n":' + "1" * 4000 + "}]}",
    ],
)
async def test_json_beyond_the_standard_is_made_harmless(text: str) -> None:
    """Lone surrogates, NaN, infinities and a byte order mark parse to valid JSON."""
    page = await always(httpx.Response(200, content=text.encode())).messages(**WINDOW)
    assert (
        json.loads(json.dumps(page.items[0].record, allow_nan=False).encode())
        == page.items[0].record
    )
    page.items[0].record["subject"].encode()


async def test_bad_utf_8_does_not_lose_the_page() -> None:
    """A subject in a broken encoding loses its odd characters only."""
    api = always(httpx.Response(200, content=b'{"result":[{"id":"a","subject":"caf\xe9"}]}'))
    assert (await api.messages(**WINDOW)).items[0].subject == "caf\ufffd"
