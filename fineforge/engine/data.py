"""The data of a spec: described without a network, prepared before anything is created, and told to whoever asks.

What a row must be, and how rows are read, is `fineforge.dataset`, which is imported when there is data.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fineforge.config.loaded import TargetedSpec
from fineforge.config.spec import Spec
from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.core.facts import DatasetFact
from fineforge.engine.facts import utc_today
from fineforge.host import files, git
from fineforge.resources import facts as registry_facts
from fineforge.resources import naming

if TYPE_CHECKING:
    from fineforge.dataset import Prepared, Progress


def prepare_data(spec: TargetedSpec, progress: Progress | None = None) -> Data:
    """Prepare every split and check its rows. Uploads nothing and contacts no workspace. Raises every split's errors at once."""
    model = registry_facts.snapshot_facts(spec.spec, utc_today(), {}, "/offline", spec.pins)[0].model
    return prepared(spec, model.context_length if model else None, progress)


@dataclass(frozen=True, slots=True)
class Data:
    """The data of a spec, prepared."""

    facts: Mapping[str, DatasetFact]
    """By split, as is all else."""
    files: Mapping[str, Prepared]
    """Of the splits that are prepared: data assets of the workspace are not."""
    warnings: tuple[Diagnostic, ...]


class _Stopped(Exception):
    """Nobody waits for the data any more."""


def described(spec: TargetedSpec) -> dict[str, DatasetFact]:
    """What each split is made of, by split. Raises the spec's and the files' errors, placed; see `dataset.describe`."""
    dataset = spec.spec.dataset
    if dataset is None or not spec.spec.trains:
        return {}
    from fineforge.dataset import describe

    try:
        return describe(dataset, spec.path.parent, spec.project.root, spec.options.allow_outside, spec.pins.datasets)
    except FineforgeError as error:
        raise FineforgeError(*spec.place(_as_of_commit(error.diagnostics, spec.path))) from None


def _as_of_commit(found: Sequence[Diagnostic], spec: Path) -> list[Diagnostic]:
    """With `--at` a file may lie before somebody's eyes, and yet not be in the commit."""
    of = git.commit_of(spec)
    hint = f"commit {of[:12]} does not contain it; data that git ignores can only be planned without `--at`"
    return [replace(one, hint=hint) if of and one.code == "FF601" else one for one in found]


def described_if_there(spec: TargetedSpec) -> dict[str, DatasetFact]:
    """To destroy, the data need not exist any more: assets are found by name."""
    try:
        return described(spec)
    except FineforgeError:
        return {}


def prepared(
    spec: TargetedSpec,
    context_length: int | None,
    progress: Progress | None = None,
    facts: Mapping[str, DatasetFact] | None = None,
) -> Data:
    """Every split, its rows checked, in the cache. Raises every split's errors at once, placed; see `dataset.prepare`."""
    from fineforge.dataset import cache, prepare

    facts = described(spec) if facts is None else facts
    try:
        files, warnings = prepare(facts, cache.place(), context_length, required_columns(spec.spec), progress)
    except FineforgeError as error:
        raise FineforgeError(*spec.place(error.diagnostics), exit_code=error.exit_code) from None
    return Data(facts, files, spec.place(warnings))


def uploads(
    spec: TargetedSpec, wanted: Mapping[str, str], context_length: int | None, progress: Progress, stop: threading.Event
) -> tuple[Mapping[str, Path], tuple[Diagnostic, ...]]:
    """The prepared files that a plan uploads, by where they go, and warnings. `wanted` is that place by split.

    Nothing where `stop` is set meanwhile: then no step is begun either. FF606 where the data is not what the plan was made for.
    """
    if not wanted:
        return {}, ()
    facts = described(spec)
    for split, destination in wanted.items():
        if split not in facts or naming.upload_path(spec.spec, facts[split]) != destination:
            raise FineforgeError(
                Diagnostic("FF606", f"the `{split}` data has changed since the plan", hint="plan again"), exit_code=5
            )

    def told(split: str, rows: int, count: int | None, fetched: int) -> None:
        if stop.is_set():
            raise _Stopped
        progress(split, rows, count, fetched)

    try:
        data = prepared(spec, context_length, told, facts)
    except _Stopped:
        return {}, ()
    return {wanted[split]: file.path for split, file in data.files.items() if split in wanted}, data.warnings


def checked(facts: Mapping[str, DatasetFact]) -> Mapping[str, Mapping[str, Any]]:
    """By split, the summary of its rows where they have been checked already; nothing of the others. Reads no rows."""
    if not facts:
        return {}
    from fineforge.dataset import cache
    from fineforge.dataset import checked as found

    return found(facts, cache.place())


def required_columns(spec: Spec) -> tuple[str, ...] | None:
    """The columns that each row must have; None where rows are conversations: where the task is a chat's.

    The components of other tasks are told their columns by parameters whose names end with `_key`.
    """
    component = spec.component.id or spec.component.name or ""
    if spec.task == "chat-completion" and (not component or "chat_completion" in component):
        return None
    given = (value for name, value in sorted(spec.parameters.items()) if name.endswith("_key"))
    return tuple(dict.fromkeys(value for value in given if isinstance(value, str) and value))


def resolve(source: str) -> str:
    """What pins a source; see `dataset.resolve`."""
    from fineforge.dataset import resolve as resolve_source

    return resolve_source(source)


def cached() -> tuple[Path, int, Mapping[str, tuple[int, int]]]:
    """The cache: its place, how many bytes it may hold, and what is in it: kind -> how many files, how many bytes."""
    from fineforge.dataset import cache

    found = cache.contents(cache.place())
    kinds = {"prepared splits": found.prepared, "pieces of remote files": found.pieces, "other": found.other}
    return found.place, found.limit, {name: (len(some), sum(entry.bytes for entry in some)) for name, some in kinds.items()}


def clear_cache() -> int:
    """Empties the cache; returns how many bytes are free now."""
    from fineforge.dataset import cache

    return cache.clear(cache.place())


def shown_rows(file: Path, count: int) -> list[dict[str, Any]]:
    """The first rows of a prepared file."""
    import json

    with files.open_regular(file) as stream:
        return [json.loads(line) for line, _ in zip(stream, range(count), strict=False)]
