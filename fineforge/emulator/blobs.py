"""Where blobs are on disk: <home>/blobs/<container>/<blob name>. Paths only; who serves or writes them is elsewhere."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

ARTIFACTS = "azureml"
"""The container of `workspaceartifactstore`: logs of runs."""


LONGEST = 250
"""Bytes of a part of a name, so that what lies beside a blob can be named after it. Azure takes 1,024 characters in all."""


class BlobFolder:
    def __init__(self, home: Path) -> None:
        self.root = home / "blobs"

    def path(self, container: str, name: str = "") -> Path:
        """The file or folder of a blob name; ValueError where it would leave the container, or is longer than files' names are."""
        parts = PurePosixPath(name).parts
        if any(len(part.encode("utf-8", "replace")) > LONGEST for part in parts):
            raise ValueError(f"a part of the blob name is longer than {LONGEST} bytes: {name[:40]}...")
        if "/" in container or container in ("", ".", "..") or ".." in parts or name.startswith("/") or "\x00" in name:
            raise ValueError(f"not a blob name: {container}/{name}")
        return self.root.joinpath(container, *parts)

    def exists(self, container: str, name: str) -> bool:
        """Whether there is a blob of that name, or any blob below it."""
        try:
            target = self.path(container, name)
        except ValueError:
            return False
        return target.is_file() or (target.is_dir() and any(entry.is_file() for entry in target.rglob("*")))


def log_name(job: str) -> str:
    """Blob name, in the container `azureml`, of the one log of a pipeline job that the SDK's stream prints."""
    return f"ExperimentRun/dcid.{job}/logs/azureml/executionlogs.txt"


def output_name(job: str, output: str) -> str:
    """Blob name, in the default container, below which an output of a job is kept."""
    return f"azureml/{job}/{output}"
