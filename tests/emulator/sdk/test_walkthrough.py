"""The official walkthrough, by the official SDK, from sign-in to deletion; without dedicated GPUs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.emulator.sdk import scripts
from tests.support.running_emulator import running

QUESTION, ANSWER = "Who paints the boats?", "Everybody, in spring."


def hub(folder: Path) -> None:
    """As the dataset's files are: three splits of conversations; a question of the test is one of the training."""
    turns = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": ANSWER}]
    for split, count in (("train_sft", 60), ("test_sft", 40), ("test_gen", 20)):
        row: dict[str, Any] = {"prompt": QUESTION, "prompt_id": "0", "messages": turns}
        file = folder / "data" / f"{split}-00000-of-00001.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist([row] * count), file)


def test_the_walkthrough(tmp_path: Path) -> None:
    hub(tmp_path / "hub")
    with running("--lifecycle", "stepped") as emulator:
        emulator.plant("quota", "standardNCADSA100v4Family", 0)
        seen, said = scripts.run("walkthrough", emulator, tmp_path)
        writes = [
            (entry["method"], entry["path"].split("/workspaces/local/")[1].split("/")[0]) for entry in emulator.requests(True)
        ]
    defaults = seen.pop("defaults")
    assert {"apply_lora", "learning_rate", "num_train_epochs", "deepspeed_stage"} < set(defaults)
    assert seen == {
        "connected": ["local", "local"],
        "by label": "ValidationException",
        "by version": "azureml://registries/azureml/models/Phi-3-mini-4k-instruct/versions/15",
        "cluster": ["dedicated: ClusterMinNodesExceedCoreQuota", "low_priority"],
        "compute": {"tier": "low_priority", "gpus": 1, "listed as allowed": [], "allowed": True},
        "data": {
            "rows": {"train_sft": 3, "test_sft": 2, "test_gen": 1},
            "columns": ["messages", "prompt", "prompt_id"],
            "roles": ["user", "assistant"],
        },
        "job": {
            "status": "Completed",
            "name": "Phi-3-mini-4k-instruct-display-name-walk",
            "experiment": "chat_completion-Phi-3-mini-4k-instruct",
        },
        "metrics": ["eval_loss", "loss"],
        "model": {"base": "Phi-3-mini-4k-instruct:15", "job": True, "of job": True},
        "served": {"answer": {"output": ANSWER}, "traffic": {"demo": 100}, "probe": 600, "timeout": 90000},
        "left": [],
    }
    assert "instant trainer" in said, "the job's log is streamed"
    assert writes == [
        ("PUT", "computes"), ("PUT", "computes"), ("PUT", "jobs"), ("PUT", "models"), ("PUT", "onlineEndpoints"),
        ("PUT", "onlineEndpoints"), ("PUT", "onlineEndpoints"), ("DELETE", "onlineEndpoints"),
    ]  # fmt: skip
