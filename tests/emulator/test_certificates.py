"""The emulator's certificates: who trusts what, and what is kept over restarts."""

from __future__ import annotations

import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from fineforge.emulator.http import certificates

HOSTS = ("management.azure.com", "*.api.azureml.ms")


def handshake(ca: Path, server: Path, host: str) -> None:
    """Run a TLS handshake in memory, between a client that trusts `ca` only and a server that presents `server`."""
    outgoing, incoming = ssl.MemoryBIO(), ssl.MemoryBIO()
    there = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    there.load_cert_chain(server)
    ends = [
        ssl.create_default_context(cafile=str(ca)).wrap_bio(incoming, outgoing, server_hostname=host),
        there.wrap_bio(outgoing, incoming, server_side=True),
    ]
    while ends:
        for end in list(ends):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            ends.remove(end)


@pytest.mark.parametrize("host", ["management.azure.com", "eastus.api.azureml.ms"])
def test_a_client_that_trusts_the_ca_accepts_the_server(host: str, tmp_path: Path) -> None:
    handshake(*certificates.ensure(tmp_path, HOSTS), host)


def test_other_hosts_and_other_authorities_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    ca, server = certificates.ensure(tmp_path, HOSTS)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(ca, server, "example.com")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(certificates.ensure(other, HOSTS)[0], server, HOSTS[0])


def test_files_are_kept_over_restarts_and_only_the_owner_reads_the_key(tmp_path: Path) -> None:
    ca, server = certificates.ensure(tmp_path, HOSTS)
    before = ca.read_bytes(), server.read_bytes()
    assert certificates.ensure(tmp_path, HOSTS) == (ca, server)
    assert (ca.read_bytes(), server.read_bytes()) == before
    assert stat.S_IMODE(server.stat().st_mode) == 0o600 and b"PRIVATE" not in before[0] and before[1].count(b"PRIVATE KEY") == 2
    assert {file.name for file in tmp_path.iterdir()} == {"ca.pem", "server.pem"}


def test_other_hosts_a_missing_file_and_a_near_end_issue_new_certificates(tmp_path: Path) -> None:
    ca, server = certificates.ensure(tmp_path, HOSTS)
    first = server.read_bytes()
    certificates.ensure(tmp_path, (*HOSTS, "login.microsoftonline.com"))
    second = server.read_bytes()
    assert second != first
    ca.unlink()
    certificates.ensure(tmp_path, HOSTS)
    handshake(ca, server, HOSTS[0])
    assert server.read_bytes() not in (first, second)

    old = trustme.CA()
    leaf = old.issue_cert(*HOSTS, not_after=datetime.now(UTC) + timedelta(days=29))
    old.cert_pem.write_to_path(ca)
    leaf.private_key_and_cert_chain_pem.write_to_path(server)
    certificates.ensure(tmp_path, HOSTS)
    assert server.read_bytes() != leaf.private_key_and_cert_chain_pem.bytes()
    handshake(ca, server, HOSTS[0])
