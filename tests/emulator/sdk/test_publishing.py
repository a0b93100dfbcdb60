"""The official SDK publishes a model to a registry of the user's own, and deploys it from there."""

from __future__ import annotations

from pathlib import Path

from tests.emulator import wire
from tests.emulator.sdk import scripts
from tests.support.running_emulator import RunningEmulator

REGISTRY = "azureml://registries/Shop-Models/models/answers"


def test_publishing(emulator: RunningEmulator, tmp_path: Path) -> None:
    wire.trained(emulator)
    seen, _ = scripts.run("publishing", emulator, tmp_path)
    assert seen == {
        "registry": {"name": "Shop-Models", "listed": ["Shop-Models"]},
        "shared": {"id": f"{REGISTRY}/versions/7", "type": "mlflow_model", "tags": {}},
        "again": "A model with this name and version already exists in registry",
        "uploaded": {"id": f"{REGISTRY}/versions/8", "files": ["MLmodel", "README.md", "answers.json"]},
        "latest": "8",
        "names": ["answers"],
        "versions": ["8", "7"],
        "served": {"model": f"{REGISTRY}/versions/7", "answer": wire.ANSWER},
        "left": [],
    }
    source = emulator.home / "blobs" / wire.BODIES.settings.container / "azureml" / "done" / "trained_model"
    for file in ("MLmodel", "answers.json"):
        (copied,) = (tmp_path / "down").rglob(file)
        assert copied.read_bytes() == (source / file).read_bytes()
    published = [entry["path"].split("/")[-1] for entry in emulator.requests(writes=True) if "experiments" in entry["host"]]
    assert published == ["import", "8"], "asking for an address to read or to upload to writes nothing"
