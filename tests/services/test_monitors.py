"""The monitors of a worker: what people must know of the installation, as metrics."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from clawback.services.case_monitor import OLDEST, PRECISION, find_age
from clawback.services.credential_metrics import read_certificate_expiry, read_token_expiry
from clawback.services.storage_metrics import publish_storage
from clawback.settings import Settings
from clawback.telemetry import metrics

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("age", [timedelta(minutes=1), timedelta(days=3, hours=2), OLDEST * 2])
async def test_the_age_of_the_oldest_is_found_by_counting(age: timedelta) -> None:
    """It is right to a minute, and a count that grows does not change what it costs."""
    opened = [NOW - age * share for share in (1, 0.5, 0.01)]
    calls = 0

    async def count(until: datetime) -> int:
        nonlocal calls
        calls += 1
        return sum(one <= until for one in opened)

    found = await find_age(NOW, count)
    assert abs(found - min(age, OLDEST)) <= PRECISION
    assert calls <= 17


def certificate(ends: datetime) -> bytes:
    """Make a certificate in PEM that ends then."""
    key, name = generate_private_key(SECP256R1()), x509.Name([])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, ends)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def test_a_client_certificate_says_when_it_ends() -> None:
    """The first of the file counts; what is none has no expiry."""
    ends = NOW + timedelta(days=9)
    chain = certificate(ends) + certificate(NOW + timedelta(days=900))
    assert read_certificate_expiry(chain) == ends.timestamp()
    assert read_certificate_expiry(None) is None
    assert read_certificate_expiry(b"not a certificate") is None


def test_an_api_key_that_is_a_jwt_says_when_it_ends() -> None:
    """Opaque keys and those without an end have no expiry."""

    def token(claims: object) -> str:
        part = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        return f"e30.{part}.c2ln"

    assert read_token_expiry(token({"exp": 1_800_000_000})) == 1_800_000_000
    assert [read_token_expiry(one) for one in (token({}), token([]), "opaque", "a.b.c", None)] == [
        None
    ] * 5


def test_sizes_are_read_at_each_scrape(tmp_path: Path) -> None:
    """The database counts with its write-ahead log; without one there is no such series."""

    def size(part: str) -> float | None:
        return metrics.REGISTRY.get_sample_value("clawback_state_bytes", {"part": part})

    settings = Settings(state=tmp_path)
    settings.folder.mkdir()
    metrics.STATE_BYTES.clear()
    publish_storage(settings)
    assert (size("database"), size("audit")) == (None, 0)

    (settings.folder / "temporal.db").write_bytes(b"x" * 100)
    (settings.folder / "temporal.db-wal").write_bytes(b"x" * 11)
    publish_storage(settings)
    settings.audit_file.write_bytes(b"x" * 7)
    assert (size("database"), size("audit")) == (111, 7)
    free = metrics.REGISTRY.get_sample_value("clawback_disk_free_bytes")
    whole = metrics.REGISTRY.get_sample_value("clawback_disk_size_bytes")
    assert free is not None
    assert whole is not None
    assert 0 < free < whole
