"""The emulator's certificate authority and server certificate, issued on this machine."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography import x509

_VALID = timedelta(days=365)
_RENEWED_BEFORE_END = timedelta(days=30)


def ensure(home: Path, hosts: tuple[str, ...]) -> tuple[Path, Path]:
    """Return the CA certificate and the server's key with its certificate, as PEM files in `home`.

    Both are kept over restarts. They are issued anew if one is missing or expires soon, or if `hosts` have changed.
    """
    ca, server = home / "ca.pem", home / "server.pem"
    if not (ca.exists() and server.exists() and _is_valid(server, hosts)):
        _issue(ca, server, hosts)
    return ca, server


def _is_valid(server: Path, hosts: tuple[str, ...]) -> bool:
    certificate = x509.load_pem_x509_certificates(server.read_bytes())[0]
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    expires_later = certificate.not_valid_after_utc - datetime.now(UTC) > _RENEWED_BEFORE_END
    return expires_later and tuple(names.get_values_for_type(x509.DNSName)) == hosts


def _issue(ca: Path, server: Path, hosts: tuple[str, ...]) -> None:
    """Write both files, the CA first: a crash in between leaves a server certificate that is issued again.

    The CA's own key signs this one certificate and is never written, so no other certificate that clients trust can be made.
    """
    authority = trustme.CA(path_length=0, organization_name="fineforge", organization_unit_name="emulator CA")
    now = datetime.now(UTC)
    leaf = authority.issue_cert(*hosts, not_before=now - timedelta(days=1), not_after=now + _VALID, organization_name="fineforge")
    server.unlink(missing_ok=True)
    _write(ca, authority.cert_pem.bytes(), 0o644)
    _write(server, leaf.private_key_and_cert_chain_pem.bytes(), 0o600)


def _write(file: Path, content: bytes, mode: int) -> None:
    part = file.with_suffix(".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as stream:
        stream.write(content)
    part.replace(file)
