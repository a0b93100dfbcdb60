"""The one port: what it lets through, and that nothing else gets anywhere."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import ssl
from pathlib import Path

import pytest
import requests

from fineforge.emulator.http.app import HOSTS
from fineforge.emulator.http.proxy import listen
from tests.emulator import wire
from tests.support.running_emulator import RunningEmulator


def talk(emulator: RunningEmulator, sent: bytes) -> str:
    """What comes back until the other side closes."""
    with socket.create_connection(("127.0.0.1", emulator.port), timeout=20) as line:
        line.sendall(sent)
        line.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: line.recv(65536), b"")).decode()


@pytest.mark.parametrize(
    "host",
    [
        "example.org",
        "huggingface.co",
        "evil.management.azure.com",
        "management.azure.com.evil.org",
        "localhost",
        "169.254.169.254",
    ],
)
def test_other_hosts_are_refused_by_name(emulator: RunningEmulator, host: str) -> None:
    said = talk(emulator, f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode())
    assert said.startswith("HTTP/1.1 403 ") and f"{host}:443 is not a host of Azure ML" in said
    with pytest.raises(requests.exceptions.ProxyError, match="403"):
        emulator.session.get(f"https://{host}/", proxies={"https": f"http://127.0.0.1:{emulator.port}"}, timeout=20)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"CONNECT management.azure.com:22 HTTP/1.1\r\n\r\n", "403"),
        (b"CONNECT management.azure.com HTTP/1.1\r\n\r\n", "403"),
        (b"CONNECT management.azure.com:443 HTTP/1.1\r\n\r\n\x16\x03\x01", "400"),
        (b"GET http://management.azure.com/subscriptions HTTP/1.1\r\nHost: management.azure.com\r\n\r\n", "403"),
        (b"nonsense\r\n\r\n", "403"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000, "431"),
        (b"GET / HTTP/1.1\r\nHost: management.azure.com\r\nConnection: close\r\n\r\n", "403"),
        (b"GET / HTTP/1.1\r\nHost: rebound.example.org\r\nConnection: close\r\n\r\n", "403"),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", "200"),
    ],
)
def test_what_is_no_tunnel(emulator: RunningEmulator, sent: bytes, status: str) -> None:
    assert talk(emulator, sent).split(" ", 2)[1] == status


def test_inside_a_tunnel_the_host_is_the_tunnels(emulator: RunningEmulator) -> None:
    answer = emulator.send("GET", "computes", headers={"Host": "eastus.api.azureml.ms"})
    assert answer.status_code == 501, "the path is not one of that host"
    answer = emulator.send("GET", "https://eastus.api.azureml.ms/discovery", headers={"Host": "westus.api.azureml.ms"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (421, "MisdirectedRequest")
    assert emulator.send("GET", "computes", headers={"Host": "management.azure.com:443"}).status_code == 200


def test_only_its_own_authority_is_trusted(emulator: RunningEmulator) -> None:
    """A program that was not told of the certificate authority does not talk to it, and a name that is not in it fits nowhere."""
    proxies = {"https": f"http://127.0.0.1:{emulator.port}"}
    with pytest.raises(requests.exceptions.SSLError):
        emulator.session.get("https://management.azure.com/", proxies=proxies, timeout=20)
    names = ssl.create_default_context(cafile=str(emulator.ca))
    with socket.create_connection(("127.0.0.1", emulator.port), timeout=20) as line:
        line.sendall(b"CONNECT management.azure.com:443 HTTP/1.1\r\n\r\n")
        assert line.recv(200).startswith(b"HTTP/1.1 200 ")
        with pytest.raises(ssl.SSLCertVerificationError), names.wrap_socket(line, server_hostname="example.org"):
            pass


def test_a_client_that_gives_up_in_the_handshake_hurts_nobody(emulator: RunningEmulator) -> None:
    for _ in range(5):
        said = talk(emulator, b"CONNECT management.azure.com:443 HTTP/1.1\r\n\r\n")
        assert said.startswith("HTTP/1.1 200 ")
    assert emulator.send("GET", "computes").status_code == 200


def test_a_connection_is_used_again(emulator: RunningEmulator) -> None:
    """100 requests over one tunnel: what makes it fast for a client that pools."""
    emulator.session.close()
    for _ in range(100):
        assert emulator.send("GET", "computes").status_code == 200
    (manager,) = emulator.session.get_adapter("https://").proxy_manager.values()  # type: ignore[attr-defined]
    pools = [manager.pools[key] for key in manager.pools.keys()]  # noqa: SIM118
    assert [(pool.num_requests, pool.num_connections) for pool in pools if pool.host == "management.azure.com"] == [(100, 1)]


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.1"])
def test_it_binds_to_loopback_only(address: str) -> None:
    with pytest.raises(ValueError, match=re.escape(address)):
        asyncio.run(listen(None, address, 0))  # type: ignore[arg-type]


def test_every_host_of_the_wire_is_served() -> None:
    hosts = [
        "management.azure.com", "login.microsoftonline.com", "ml.azure.com", "eastus.api.azureml.ms",
        "cert-eastus.experiments.azureml.net", "account.blob.core.windows.net", "my-endpoint.eastus.inference.ml.azure.com",
    ]  # fmt: skip
    assert all(HOSTS.fullmatch(host) for host in hosts)


def test_scoring_hosts_fit_the_certificate(emulator: RunningEmulator) -> None:
    assert wire.score(emulator, "wrong", endpoint="any-name-at-all").status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://example.com"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "https://example.com", "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
    ids=str,
)
def test_the_switches_are_not_for_pages_of_other_sites(
    headers: dict[str, str], emulator: RunningEmulator, tmp_path: Path
) -> None:
    """A browser lets any page post plain text to any address, and names the page's origin."""
    url = f"http://127.0.0.1:{emulator.port}/snapshot"
    content = json.dumps({"folder": str(tmp_path / "snapshot")})
    answer = requests.post(url, content, headers={"Content-Type": "text/plain", **headers}, timeout=20)
    assert answer.status_code == 403 and not (tmp_path / "snapshot").exists()


def test_the_switches_are_for_programs_and_the_emulators_own_pages(emulator: RunningEmulator) -> None:
    url = f"http://127.0.0.1:{emulator.port}"
    assert requests.get(f"{url}/requests", timeout=20).status_code == 200
    assert (
        requests.get(f"{url}/requests", headers={"Origin": url, "Sec-Fetch-Site": "same-origin"}, timeout=20).status_code == 200
    )
