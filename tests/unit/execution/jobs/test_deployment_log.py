"""The log of a deployment's container: as the service tells it, and as it refuses to."""

from __future__ import annotations

import pytest

from fineforge.azure import AzureGateway, connection
from fineforge.core.diagnostics import FineforgeError
from fineforge.core.objects import ResourceKey
from fineforge.host import emulator as local
from tests.emulator import wire
from tests.support.running_emulator import RunningEmulator, running

BLUE = ResourceKey("deployment", "blue", parent="answers")


def refused(gateway: AzureGateway, key: ResourceKey) -> tuple[str, str]:
    with pytest.raises(FineforgeError) as caught:
        gateway.read_deployment_log(key, 10)
    (found,) = caught.value.diagnostics
    return found.code, found.message


def test_its_last_lines(gateway: AzureGateway, emulator: RunningEmulator) -> None:
    wire.deployed(emulator, blue=100)
    assert gateway.read_deployment_log(BLUE, 10) == "There are no logs for this deployment at the moment."
    log = emulator.home / "deployments" / "answers" / "blue" / "log.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("one\ntwo\nthree\n", encoding="utf-8")
    try:
        assert gateway.read_deployment_log(BLUE, 10) == "one\ntwo\nthree\n"
        assert gateway.read_deployment_log(BLUE, 2) == "two\nthree\n"
    finally:
        log.unlink()


def test_what_the_emulator_only_keeps(gateway: AzureGateway, emulator: RunningEmulator) -> None:
    """An answer must not pass for that of somebody's own script."""
    wire.deployed(emulator, blue=100)
    body = wire.BODIES.deployment_body()
    body["properties"]["codeConfiguration"] = {"codeId": "azureml:scoring:1", "scoringScript": "score.py"}
    wire.put(emulator, "onlineEndpoints/answers/deployments/own", body)
    log = gateway.read_deployment_log(ResourceKey("deployment", "own", parent="answers"), 10)
    assert log == "no effect here: codeConfiguration (the emulator serves the model by itself)\n"


def test_of_a_deployment_that_is_not_there(gateway: AzureGateway, emulator: RunningEmulator) -> None:
    wire.deployed(emulator, blue=100)
    key = ResourceKey("deployment", "green", parent="answers")
    assert refused(gateway, key) == ("FF404", "`deployment/answers/green` does not exist")
    assert refused(gateway, ResourceKey("deployment", "blue", parent="nowhere"))[0] == "FF404"


def test_while_it_is_created() -> None:
    """The service tells nothing then (FIELD 14.1): neither an empty log nor a fault of it."""
    with running("--lifecycle", "stepped") as emulator:
        wire.upload(emulator)
        wire.put(emulator, "data/train/versions/1", wire.BODIES.data_body())
        wire.put(emulator, "jobs/done", wire.BODIES.job_body())
        while emulator.send("GET", "jobs/done").json()["properties"]["status"] != "Completed":
            pass
        wire.put(emulator, "models/tuned/versions/1", wire.BODIES.model_body())
        wire.put(emulator, "onlineEndpoints/answers", wire.BODIES.endpoint_body())
        while emulator.send("GET", "onlineEndpoints/answers").json()["properties"]["provisioningState"] != "Succeeded":
            pass
        wire.put(emulator, "onlineEndpoints/answers/deployments/blue", wire.BODIES.deployment_body())
        gateway = AzureGateway(
            connection.to_emulator(local.workspace(local.Emulator(emulator.facts)), emulator.facts), emulator.home
        )
        code, message = refused(gateway, BLUE)
        gateway.close()
    assert code == "FF420"
    assert message == "`deployment/answers/blue`: Deployment is in deleting or creating state so logs can't be retrieved"
