"""`python -m fineforge.emulator serve`: the emulator as a process. `fineforge emulator start` starts it in the background.

Here the parts are put together; `emulator.json` tells clients where it is, and is there only while it answers.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import ssl
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn

from fineforge.emulator.http import certificates
from fineforge.emulator.http.app import HOSTS, Application
from fineforge.emulator.http.common import Score, Service
from fineforge.emulator.http.proxy import Front, listen
from fineforge.emulator.lifecycle import Lifecycle, Progression
from fineforge.emulator.rules import Cloud, Runner, Settings
from fineforge.emulator.runner.instant import InstantRunner
from fineforge.emulator.storage.store import Store
from fineforge.emulator.testing.faults import Faults

HOST = "127.0.0.1"


def main() -> int:
    arguments = _parser().parse_args()
    home = Path(arguments.home).expanduser().resolve()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _alone(home):
            asyncio.run(_serve(home, arguments))
    except _CannotStart as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    except OSError as error:
        print(f"FF703 the emulator cannot work in `{home}`: {(error.strerror or str(error)).lower()}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


class _CannotStart(Exception):
    """A code and words for the one who started it, who reads them from the last line of the log."""


@contextlib.contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Two emulators must not share a home. The lock goes with the process, however that ends."""
    with (home / "lock").open("ab") as lock:
        try:
            import fcntl
        except ImportError:  # Windows: the port of emulator.json is all there is to go by.
            yield
            return
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise _CannotStart(f"FF706 an emulator runs in `{home}` already") from None
        yield


async def _serve(home: Path, arguments: argparse.Namespace) -> None:
    settings = Settings()
    ca, chain = certificates.ensure(home, _certified(settings))
    runner, score = _runner(arguments.trainer, home)
    store = Store(home / "state.sqlite")
    cloud = Cloud(home, runner, store, Lifecycle(Progression(arguments.lifecycle)), settings)
    for family, cores in _quota(os.environ.get("FINEFORGE_EMULATOR_QUOTA", "")):
        cloud.planted.quota(family, cores)
    front = _front(chain)
    front.config.app = Application(Service(cloud, score), Faults() if arguments.test_hooks else None, front.drop)
    front.config.load()
    try:
        server = await listen(front, HOST, arguments.port)
    except OSError as error:
        words = os.strerror(error.errno).lower() if error.errno else str(error)
        raise _CannotStart(f"FF702 port {arguments.port} cannot be used: {words}") from None
    cloud.resume()
    announced = _announce(home, server.sockets[0].getsockname()[1], ca, settings, arguments)
    try:
        await _until_told_to_stop()
    finally:
        announced.unlink(missing_ok=True)
        server.close()
        close = getattr(runner, "close", None)
        if close is not None:
            close()
        cloud.close()


def _quota(text: str) -> Iterator[tuple[str, int]]:
    """`standardNCADSA100v4Family=0,lowPriority=48`: cores of families, and the other limits of `models.sizes`."""
    for entry in filter(None, text.split(",")):
        family, _, cores = entry.partition("=")
        if not family.strip() or not (cores.isascii() and cores.strip().isdigit()):
            raise _CannotStart(f"FF703 FINEFORGE_EMULATOR_QUOTA is `{entry}`, not FAMILY=CORES, as standardNCADSA100v4Family=0")
        yield family.strip(), int(cores)


def _front(chain: Path) -> Front:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    config = uvicorn.Config(
        lambda *_: None,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        # A client's address must be its own: faults drop connections by it.
        proxy_headers=False,
        # Pollers come back after 5 s, which is also uvicorn's default: they would meet a closing connection.
        timeout_keep_alive=120,
    )
    return Front(config, context, HOSTS)


def _runner(trainer: str, home: Path) -> tuple[Runner, Score]:
    if trainer == "instant":
        instant = InstantRunner()

        async def answer(endpoint: str, deployment: str, body: bytes, timeout: float) -> tuple[int, bytes]:
            try:
                found = instant.answer(endpoint, deployment, json.loads(body))
            except (KeyError, ValueError, TypeError, AttributeError) as error:
                return 400, json.dumps({"message": f"{type(error).__name__}: {error}"}).encode()
            return 200, json.dumps(found, ensure_ascii=False).encode()

        return instant, answer
    from fineforge.emulator.runner.worker import Worker

    worker = Worker(home)

    async def forward(endpoint: str, deployment: str, body: bytes, timeout: float) -> tuple[int, bytes]:
        return await asyncio.to_thread(worker.score, endpoint, deployment, body, timeout)

    return worker, forward


def _certified(settings: Settings) -> tuple[str, ...]:
    """Names in the certificate: a wildcard stands for one label only."""
    return (
        "management.azure.com",
        "login.microsoftonline.com",
        "ml.azure.com",
        "*.api.azureml.ms",
        "*.experiments.azureml.net",
        "*.blob.core.windows.net",
        f"*.{settings.location}.inference.ml.azure.com",
    )


def _announce(home: Path, port: int, ca: Path, settings: Settings, arguments: argparse.Namespace) -> Path:
    """`emulator.json`, whole or not at all, for this user only."""
    facts: dict[str, Any] = {
        "format": 1,
        "pid": os.getpid(),
        "host": HOST,
        "port": port,
        "ca": str(ca),
        "home": str(home),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "tenant_id": settings.tenant_id,
        "client_id": "11111111-2222-4333-8444-555555555555",
        "client_secret": "local-emulator",
        "subscription_id": settings.subscription_id,
        "resource_group": settings.resource_group,
        "workspace": settings.workspace,
        "location": settings.location,
        "registry": settings.registry,
        "storage_account": settings.storage_account,
        "trainer": arguments.trainer,
        "test_hooks": arguments.test_hooks,
    }
    file = home / "emulator.json"
    part = file.with_suffix(".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        json.dump(facts, stream, indent=1)
    part.replace(file)
    print(f"listening on {HOST}:{port}, trainer {arguments.trainer}", flush=True)  # noqa: T201
    return file


async def _until_told_to_stop() -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):  # Windows has no handlers on its loop; Ctrl-C raises there.
            loop.add_signal_handler(number, stopped.set)
    await stopped.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fineforge.emulator")
    serve = parser.add_subparsers(dest="command", required=True).add_parser("serve")
    serve.add_argument("--home", required=True)
    serve.add_argument("--port", type=int, default=0)
    serve.add_argument("--trainer", choices=("real", "instant"), default="real")
    serve.add_argument("--lifecycle", choices=[entry.value for entry in Progression], default="instant")
    serve.add_argument("--test-hooks", action="store_true")
    return parser


if __name__ == "__main__":
    sys.exit(main())
