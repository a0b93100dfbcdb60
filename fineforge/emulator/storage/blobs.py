"""Where blobs are on disk: <home>/blobs/<container>/<blob name>. Paths only; who serves or writes them is elsewhere."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

ARTIFACTS = "azureml"
"""The container of `workspaceartifactstore`: logs of runs."""


LONGEST, LONGEST_PART = 2048, 250
"""Bytes of a name and of a part of it that a file can have, with what lies beside it. Azure takes 1,024 characters."""


class BlobFolder:
    def __init__(self, home: Path) -> None:
        self.root = home / "blobs"

    def path(self, container: str, name: str = "") -> Path:
        """The file or folder of a blob name; ValueError where it would leave the container, or is too long for a file."""
        parts = PurePosixPath(name).parts
        lengths = [len(part.encode("utf-8", "replace")) for part in parts]
        if max(lengths, default=0) > LONGEST_PART or sum(lengths) + len(lengths) > LONGEST:
            raise ValueError(f"the blob name is too long: {name[:40]}...")
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
