"""A cluster that the spec only names, without its size: what a look at it tells before the job is submitted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fineforge import engine
from fineforge.core.diagnostics import FineforgeError, Severity
from tests.scenarios.stories.telling import Telling

NAME = "somebodys"


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Telling:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    telling = Telling(tmp_path)
    telling.data["compute"] = {"name": NAME, "existing": True}
    return telling


def there(told: Telling, size: str) -> None:
    properties: dict[str, Any] = {"vmSize": size, "scaleSettings": {"minNodeCount": 0, "maxNodeCount": 2}}
    body = {"location": "eastus", "properties": {"computeType": "AmlCompute", "properties": properties}}
    told.gateway.cloud.put("compute", (NAME,), body)


def test_gpus_that_would_stay_idle(told: Telling) -> None:
    there(told, "Standard_NC96ads_A100_v4")
    (found,) = [found for found in told.plan().diagnostics if found.code == "FF156"]
    assert found.severity is Severity.WARNING and found.hint == "write `size: Standard_NC96ads_A100_v4`, and all are used"
    assert "is 1, the component's default, and a `Standard_NC96ads_A100_v4` node has 4" in found.message
    told.data["compute"]["size"] = "Standard_NC96ads_A100_v4"
    assert "FF156" not in {found.code for found in told.plan().diagnostics}


def test_no_gpu_at_all(told: Telling) -> None:
    there(told, "Standard_DS3_v2")
    with pytest.raises(FineforgeError) as caught:
        told.plan()
    assert "FF156 `Standard_DS3_v2` has no GPU" in [f"{found.code} {found.message}" for found in caught.value.diagnostics]


def test_a_size_that_the_model_does_not_list(told: Telling) -> None:
    there(told, "Standard_NC4as_T4_v3")
    with pytest.raises(FineforgeError, match="FF153"):
        told.plan()


def test_what_is_not_seen_is_not_judged(told: Telling) -> None:
    assert not {"FF153", "FF156"} & {found.code for found in engine.validate(told.loaded().at("prod")).diagnostics}
