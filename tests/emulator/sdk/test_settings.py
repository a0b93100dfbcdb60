"""The official SDK sets what a cluster, an endpoint and a deployment can be told, and trains for another task."""

from __future__ import annotations

from pathlib import Path

from tests.emulator import wire
from tests.emulator.sdk import scripts
from tests.support.running_emulator import RunningEmulator


def test_settings(emulator: RunningEmulator, tmp_path: Path) -> None:
    wire.trained(emulator)
    seen, _ = scripts.run("settings", emulator, tmp_path)
    group = emulator.workspace.partition("/Microsoft.")[0]
    kept = [True, "Disabled", {"WORKER_COUNT": "2"}]
    said = seen["other task"].pop("said")
    assert "trains chat_completion_pipeline only, not text_classification_pipeline; on Azure this job would run" in said
    assert seen == {
        "cluster": {
            "tier": "low_priority",
            "subnet": f"{group}/Microsoft.Network/virtualNetworks/net/subnets/gpu",
            "public": False,
            "identity": ["user_assigned", f"{group}/Microsoft.ManagedIdentity/userAssignedIdentities/trainer"],
        },
        "plain": ["system_assigned", True, "dedicated"],
        "other task": {"status": "Failed"},
        "serving": {
            mode: {"mode": mode, "answer": wire.ANSWER, "statuses": [200, 401, 401, 401], "kept": kept, "scale": "default"}
            for mode in ("aad_token", "aml_token", "key")
        },
    }
