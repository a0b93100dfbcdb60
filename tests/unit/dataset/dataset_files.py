"""Specs and files for the tests of datasets: real ones, in a temporary project."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fineforge.config.spec import Dataset
from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.core.facts import DatasetFact
from fineforge.dataset import Prepared, describe, prepare


def row(question: str, answer: str = "Certainly, at any time of the day.", **extra: Any) -> str:
    return json.dumps({"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}], **extra})


def write(file: Path, *rows: str | bytes) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"".join((r.encode() if isinstance(r, str) else r) + b"\n" for r in rows))
    return file


def dataset(source: str = "data", **splits: dict[str, Any]) -> Dataset:
    return Dataset.model_validate({"source": source, "splits": splits or {"train": {}}})


def facts(folder: Path, source: str = "data", **splits: dict[str, Any]) -> dict[str, DatasetFact]:
    return describe(dataset(source, **splits), folder, folder)


def run(folder: Path, source: str = "data", context: int | None = None, **splits: dict[str, Any]) -> dict[str, Prepared]:
    return prepare(facts(folder, source, **splits), folder / "cache", context)[0]


def findings(folder: Path, source: str = "data", context: int | None = None, **splits: dict[str, Any]) -> list[Diagnostic]:
    """Errors and warnings alike of describing and preparing a dataset."""
    try:
        return list(prepare(facts(folder, source, **splits), folder / "cache", context)[1])
    except FineforgeError as error:
        return list(error.diagnostics)


def left(cache: Path) -> list[str]:
    """The files in a cache, by name."""
    return sorted(path.name for path in cache.rglob("*") if path.is_file())
