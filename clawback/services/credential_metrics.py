"""Metrics of the credentials of this worker that say themselves when they expire."""

import base64
import json
from collections.abc import Mapping
from datetime import datetime

import structlog
from cryptography import x509
from temporalio.service import ConnectConfig

from clawback.telemetry import metrics

log = structlog.get_logger("clawback")


def publish_expiries(connection: ConnectConfig) -> None:
    """Publish when the credentials of the connection to Temporal expire, as far as they say so."""
    certificate = getattr(connection.tls, "client_cert", None) if connection.tls else None
    found = {
        "temporal_client_certificate": read_certificate_expiry(certificate),
        "temporal_api_key": read_token_expiry(connection.api_key),
    }
    for credential, expiry in found.items():
        if expiry is not None:
            metrics.CREDENTIAL_EXPIRY.labels(credential).set(expiry)


def read_certificate_expiry(pem: bytes | None) -> float | None:
    """Read when the first certificate of a PEM file ends, in seconds of Unix time."""
    if not pem:
        return None
    try:
        ends: datetime = x509.load_pem_x509_certificates(pem)[0].not_valid_after_utc
    except ValueError:
        log.warning("worker.certificate_unreadable")
        return None
    return ends.timestamp()


def read_token_expiry(token: str | None) -> float | None:
    """Read the claim `exp` of a JWT; None for a token that is none, or that never expires.

    Its signature is the server's to check.
    """
    parts = (token or "").split(".")
    if len(parts) != len(("header", "claims", "signature")):
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return None
    expiry = claims.get("exp") if isinstance(claims, Mapping) else None
    return float(expiry) if isinstance(expiry, int | float) else None
