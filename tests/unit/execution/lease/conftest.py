"""Two servers that speak the blob protocol, and one client for both: `BlobLeases`, as an apply uses it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from azure.core.credentials import AzureSasCredential
from azure.storage.blob import ContainerClient, ContainerSasPermissions, generate_container_sas

from fineforge.azure import connection
from fineforge.azure.lease import BlobLeases
from fineforge.execution.lease import Terms
from fineforge.host import emulator as local
from tests.emulator.wire import BODIES
from tests.support.running_emulator import RunningEmulator
from tests.unit.execution.lease import azurite

NAME = "shop/support"


@pytest.fixture(scope="session")
def own_azurite() -> Iterator[azurite.Azurite]:
    try:
        with azurite.running() as found:
            with ContainerClient(found.url, azurite.CONTAINER, _key(found)) as container:
                container.create_container()
            yield found
    except azurite.NotToBeHad as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session", autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Prepared data and what holders leave on this machine: not the user's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("TMPDIR", str(tmp_path_factory.mktemp("tmp")))
        patch.setattr("tempfile.tempdir", None)
        for name in ("GITHUB_ACTOR", "GITHUB_RUN_ID", "GITHUB_SHA", "BUILD_REQUESTEDFOR", "BUILD_BUILDID", "CI_JOB_URL"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture
def later(emulator: RunningEmulator) -> Iterator[Callable[[float], None]]:
    """Moves the emulator's clock; it is put right afterwards."""
    moved: list[float] = []

    def move(seconds: float) -> None:
        moved.append(seconds)
        emulator.plant("later", seconds)

    yield move
    emulator.plant("later", -sum(moved))


@pytest.fixture(params=["emulator", "azurite, by key", "azurite, by SAS"])
def container(request: pytest.FixtureRequest) -> Iterator[ContainerClient]:
    """On each server, and by each credential that opens it."""
    if request.param == "emulator":
        emulator: RunningEmulator = request.getfixturevalue("emulator")
        with of_emulator(emulator) as found:
            yield found
    else:
        server: azurite.Azurite = request.getfixturevalue("own_azurite")
        credential = _key(server) if request.param.endswith("key") else _sas(server)
        with ContainerClient(server.url, azurite.CONTAINER, credential, retry_total=0) as found:
            yield found


@pytest.fixture
def leases(container: ContainerClient) -> BlobLeases:
    return BlobLeases(lambda: ("account", container))


@pytest.fixture
def name() -> str:
    """A lease that nobody else has: Azurite is shared by all tests."""
    return f"shop/{uuid.uuid4()}"


def of_emulator(emulator: RunningEmulator) -> ContainerClient:
    where = local.workspace(local.Emulator(emulator.facts))
    reached = connection.to_emulator(where, emulator.facts)
    account = f"https://{emulator.facts['storage_account']}.blob.core.windows.net"
    return ContainerClient(account, BODIES.settings.container, reached.credential, retry_total=0, **reached.transport)


def new() -> str:
    """An id."""
    return str(uuid.uuid4())


def patient(told: list[str], seconds: float = 60) -> Terms:
    """Terms that wait; what they tell is kept."""
    return Terms(timeout=seconds, tell=told.append)


def _key(server: azurite.Azurite) -> dict[str, str]:
    return {"account_name": azurite.ACCOUNT, "account_key": server.key}


def _sas(server: azurite.Azurite) -> Any:
    from datetime import UTC, datetime, timedelta

    may = ContainerSasPermissions(read=True, write=True, create=True, delete=True, list=True)
    expiry = datetime.now(UTC) + timedelta(hours=1)
    token = generate_container_sas(azurite.ACCOUNT, azurite.CONTAINER, account_key=server.key, permission=may, expiry=expiry)
    return AzureSasCredential(token)
