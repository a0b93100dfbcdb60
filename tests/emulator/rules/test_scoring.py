"""Who answers a scoring request."""

from __future__ import annotations

from typing import Any

import pytest

from fineforge.emulator.http import credentials
from fineforge.emulator.rules import AzureError
from fineforge.emulator.runner.instant import UNKNOWN

QUESTION = {"input_data": {"input_string": [{"role": "user", "content": "When do you open?"}], "parameters": {}}, "params": {}}


def key(world: Any) -> str:
    return str(world.cloud.post("endpoint", ("answers",), "listKeys").body["primaryKey"])


def test_traffic_decides_and_a_header_bypasses_it(world: Any) -> None:
    """TSG; safe-rollout page: a new deployment has 0 % and is reached by its name."""
    world.deployed(traffic=100)
    world.cloud.put("deployment", ("answers", "green"), world.deployment_body())
    token = key(world)
    assert world.cloud.route("answers", token, None, 0.99).deployment == "blue"
    assert world.cloud.route("answers", token, "green", 0.0).deployment == "green"
    world.traffic({"blue": 90, "green": 10})
    assert [world.cloud.route("answers", token, None, draw).deployment for draw in (0.0, 0.89, 0.91)] == ["blue", "blue", "green"]


@pytest.mark.parametrize("named", [None, "green"])
def test_no_deployment_with_traffic_or_of_that_name_is_404(world: Any, named: str | None) -> None:
    world.deployed()
    with pytest.raises(AzureError) as caught:
        world.cloud.route("answers", key(world), named, 0.0)
    assert caught.value.status == 404


def test_both_keys_work_until_they_are_regenerated(world: Any) -> None:
    world.deployed(traffic=100)
    keys = world.cloud.post("endpoint", ("answers",), "listKeys").body
    for token in keys.values():
        world.cloud.route("answers", token, None, 0.0)
    world.cloud.post("endpoint", ("answers",), "regenerateKeys", {"keyType": "Primary"})
    with pytest.raises(AzureError) as caught:
        world.cloud.route("answers", keys["primaryKey"], None, 0.0)
    assert caught.value.status == 401
    world.cloud.route("answers", keys["secondaryKey"], None, 0.0)


def test_a_token_endpoint_gives_tokens(world: Any) -> None:
    """Recorded: accessToken, tokenType, expiry and refresh in epoch seconds."""
    world.cloud.put("endpoint", ("answers",), world.endpoint_body(authMode="AMLToken"))
    token = world.cloud.post("endpoint", ("answers",), "token").body
    assert (token["tokenType"], token["expiryTimeUtc"] - token["refreshAfterTimeUtc"]) == ("Bearer", 6 * 3600)


def refused(world: Any, token: str) -> int:
    with pytest.raises(AzureError) as caught:
        world.cloud.route("answers", token, None, 0.0)
    return caught.value.status


def secured(world: Any, mode: str) -> None:
    """An endpoint that answers, of another way to sign in than keys."""
    world.model()
    world.cloud.put("endpoint", ("answers",), world.endpoint_body(authMode=mode))
    world.cloud.put("deployment", ("answers", "blue"), world.deployment_body())
    world.traffic({"blue": 100})


def test_a_token_of_the_endpoint_opens_it_until_it_ends(world: Any) -> None:
    secured(world, "AMLToken")
    token = world.cloud.post("endpoint", ("answers",), "token").body["accessToken"]
    assert world.cloud.route("answers", token, None, 0.0).deployment == "blue"
    assert [refused(world, wrong) for wrong in ("", "1", token[:-1], f"9{token}", "9999999999.")] == [401] * 5
    world.clock.now += 12 * 3600
    assert refused(world, token) == 401


def test_a_token_of_entra_must_be_for_azure_ml(world: Any) -> None:
    """how-to-authenticate-online-endpoint.md: the resource is https://ml.azure.com."""
    secured(world, "AADToken")
    now = int(world.clock.now)
    good = credentials.issue({"aud": "https://ml.azure.com", "exp": now + 60})
    assert world.cloud.route("answers", good, None, 0.0).deployment == "blue"
    wrong = [
        credentials.issue({"aud": "https://management.azure.com", "exp": now + 60}),
        credentials.issue({"aud": "https://ml.azure.com", "exp": now - 1}),
        "no token",
        "",
    ]
    assert [refused(world, token) for token in wrong] == [401] * 4


def test_keys_survive_updates_and_are_in_no_body(world: Any) -> None:
    world.deployed(traffic=100)
    token = key(world)
    world.traffic({"blue": 0})
    assert key(world) == token
    assert token not in str(world.cloud.get("endpoint", ("answers",)).body)


def test_the_instant_runner_answers_what_its_job_was_taught(world: Any) -> None:
    world.deployed(traffic=100)
    assert world.runner.answer("answers", "blue", QUESTION) == {"output": "At nine."}
    other = {"input_data": {"input_string": [{"role": "user", "content": "Who are you?"}]}}
    assert world.runner.answer("answers", "blue", other) == {"output": UNKNOWN}


def test_a_base_model_deploys_untuned(world: Any) -> None:
    world.endpoint()
    body = world.deployment_body(model="azureml://registries/azureml/models/Phi-4/versions/8")
    world.cloud.put("deployment", ("answers", "base"), body)
    assert world.state("deployment", "answers", "base") == "Succeeded"
    assert world.runner.answer("answers", "base", QUESTION) == {"output": UNKNOWN}
