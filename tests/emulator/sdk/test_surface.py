"""What the emulator does not have it refuses by name: no operation of the SDK hangs, fails inside, or is told an untrue 404."""

from __future__ import annotations

from pathlib import Path

from tests.emulator import wire
from tests.emulator.sdk import scripts
from tests.support.running_emulator import RunningEmulator

NOT_HERE = """
    jobs.show_services, jobs.get step, jobs.stream step, schedules.list, models.list wrong view, data.list wrong view, data.share,
    data.list registry, components.get, components.list, environments.get, environments.list, environments.create,
    deployments.get_logs of its storage, batch_endpoints.list, workspaces.list, workspaces.get_keys, connections.list,
    compute.list_nodes, compute.start, compute.stop, compute.restart
"""


def test_surface(emulator: RunningEmulator, tmp_path: Path) -> None:
    wire.trained(emulator)
    seen, _ = scripts.run("surface", emulator, tmp_path, asks_too_much=True)
    refused = {name: seen.pop(name) for name in list(seen) if seen[name] != "works"}
    assert {name for name, status in refused.items() if status == "501"} == {name.strip() for name in NOT_HERE.split(",")}
    assert {name: status for name, status in refused.items() if status != "501"} == {
        **{name: "404" for name in refused if name.endswith(" unknown")},
        "models.share": "403",  # nobody but Microsoft writes into `azureml`
    }
    assert len(seen) >= 38
