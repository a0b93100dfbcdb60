"""What azure-ai-ml sends, seen by the emulator, is what the in-memory gateway sends: kind by kind, with and without options."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from fineforge.azure.gateway import AzureGateway
from fineforge.emulator.rules import Settings
from tests.support import azure_bodies, offline
from tests.support.running_emulator import RunningEmulator

pytestmark = pytest.mark.filterwarnings("ignore")
"""The SDK warns about its own dependencies when it is imported."""

SPECS = {
    "the usual": offline.SUPPORT,
    "every option": offline.FULL,
    "serverless": offline.SUPPORT.replace("{name: gpu-a100,", "{serverless: true,"),
    "the other choices": offline.SUPPORT.replace("NC96ads_A100_v4}", "NC96ads_A100_v4, tier: low_priority}")
    .replace("endpoint: {}", "endpoint: {auth: aml_token}")
    .replace("timeout_ms: 90000", "timeout_ms: 1500"),
}


@pytest.mark.parametrize("spec", SPECS)
def test_the_sdk_sends_the_same(
    spec: str, emulator: RunningEmulator, gateway: AzureGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # The SDK adds the commit of a repository that it runs in to a job.
    emulator.plant("registry", "shared-models")
    row = tmp_path / "row.jsonl"
    azure_bodies.write_row(row)
    for want in offline.make(SPECS[spec]).desired:
        document = yaml.safe_load(want.text)
        if want.key.kind == "data":
            gateway.upload(row, document["path"].split("/paths/")[1])
        emulator.control("DELETE", "/requests")
        gateway.create(want.key, want.text)
        (write,) = emulator.requests(writes=True)
        assert azure_bodies.sent(want.key.kind, document, Settings()) == write["body"], want.key
        gateway.wait(want.key, lambda _: None, lambda: False)


def test_every_kind_is_compared() -> None:
    assert {want.key.kind for want in offline.make(offline.FULL).desired} == set(offline.KINDS)
