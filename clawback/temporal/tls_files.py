"""The files of certificates and key for TLS to Temporal that `TEMPORAL_TLS_*` or a profile name."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from temporalio.envconfig import ClientConfigProfile
from temporalio.service import TLSConfig

from clawback.secret_files import SecretName, WatchedFile


def _parse_certificates(text: str) -> bytes:
    pem = text.encode()
    try:
        x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise ValueError("it holds no certificate in PEM") from None
    return pem


def _parse_key(text: str) -> bytes:
    pem = text.encode()
    try:
        load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("it holds no private key in PEM without a password") from None
    return pem


_PARSERS: Final = {
    "server_root_ca_cert": (SecretName.TEMPORAL_CERTIFICATES, _parse_certificates),
    "client_cert": (SecretName.TEMPORAL_CERTIFICATES, _parse_certificates),
    "client_private_key": (SecretName.TEMPORAL_TLS_KEY, _parse_key),
}
"""By the field of `TLSConfig`, which `ClientConfigTLS` has too."""


class TlsFiles:
    """The files that are named; each is read again when it changes."""

    def __init__(self) -> None:
        tls = ClientConfigProfile.load().tls
        self._by_field: dict[str, WatchedFile[Any]] = {
            field: WatchedFile(name, source, parse)
            for field, (name, parse) in _PARSERS.items()
            if isinstance(source := getattr(tls, field, None), Path)
        }

    @property
    def files(self) -> tuple[WatchedFile[Any], ...]:
        """The files that there are."""
        return tuple(self._by_field.values())

    def apply(self, tls: TLSConfig) -> TLSConfig:
        """Return a configuration with what the files hold now, or last held that was good.

        Raises:
            SecretUnreadable: one of them has never been good.

        """
        return replace(tls, **{field: file.read() for field, file in self._by_field.items()})
