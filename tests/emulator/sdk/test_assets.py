"""The official SDK finds data by label, cancels a job, uploads without a key, downloads what was trained."""

from __future__ import annotations

from pathlib import Path

from tests.emulator.sdk import scripts
from tests.support.running_emulator import running

QUESTION, ANSWER = "Which pear keeps longest?", "The winter pear, until March."


def test_assets(tmp_path: Path) -> None:
    with running("--lifecycle", "stepped") as emulator:
        seen, _ = scripts.run("assets", emulator, tmp_path)
        paths = [entry["path"] for entry in emulator.requests()]
        trained = emulator.home / "blobs" / "azureml-blobstore-55555555-5555-4555-8555-555555555555" / "azureml"
        written = files(trained / seen["model"].pop("job") / "trained_model")
    assert seen == {
        "latest": "2",
        "archived": {"latest": "1", "listed": ["1"]},
        "restored": "2",
        "numbered": "1",
        "keyless": {
            "type": "None",
            "stores": ["identityblobstore", "workspaceartifactstore", "workspaceblobstore"],
            "default": "workspaceblobstore",
            "path": "local/datastores/identityblobstore/paths",
        },
        "trained": "Completed",
        "model": {"version": "1", "learned": {QUESTION: ANSWER}},
        "filed": {
            "archived": [],
            "restored": 1,
            "files": [
                "artifacts/logs/azureml/executionlogs.txt",
                "named-outputs/trained_model/MLmodel",
                "named-outputs/trained_model/answers.json",
            ],
        },
        "cancelled": {
            "status": "Canceled",
            "again": "Canceled",
            "registered": "NoMatchingArtifactsFoundFromJob",
            "models": ["pears"],
        },
    }
    assert files(tmp_path / "model" / "pears" / "trained_model") == written
    assert [path for path in paths if path.endswith("/listSecrets") and "identityblobstore" in path] == []
    assert any(path.endswith("/workspaceblobstore/listSecrets") for path in paths)


def files(folder: Path) -> dict[str, bytes]:
    found = {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    assert found
    return found
