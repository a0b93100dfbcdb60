"""Load the specs that a command selects, and check them against each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fineforge.config import discovery, layers
from fineforge.config.loaded import Loaded
from fineforge.config.variables import Given
from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.core.gateway import Workspace
from fineforge.engine import loaded as engine_loaded
from fineforge.host.files import shown_path
from fineforge.policies import rules
from fineforge.resources import naming

Failures = Mapping[Path, tuple[Diagnostic, ...]]


@dataclass(frozen=True, slots=True)
class Batch:
    """The specs that are meant."""

    specs: tuple[Loaded, ...]
    failed: Failures = field(default_factory=dict)
    """Those that could not be read, and why."""
    problems: tuple[Diagnostic, ...] = ()
    """What is wrong with the folders themselves."""
    selected: bool = False
    """Whether some were left out on purpose."""
    left: tuple[Loaded, ...] = ()
    """Those: nothing is done with them, but what they want for themselves nobody else can have."""


def named(failed: Failures) -> dict[str, tuple[Diagnostic, ...]]:
    """Specs that could not be read or planned, by the names that people know them by."""
    return {shown_path(path): found for path, found in failed.items()}


def load(
    paths: Sequence[Path],
    select: Sequence[str] = (),
    overrides: Mapping[str, Any] | None = None,
    allow_outside: bool = False,
    target: str | None = None,
    given: Given | None = None,
) -> Batch:
    """Every spec below the paths that `select` keeps. Raises FF182 where a selection by git cannot be made, nothing else."""
    files, problems = discovery.find(paths)
    loaded: list[Loaded] = []
    failed: dict[Path, tuple[Diagnostic, ...]] = {}
    for file in files:
        try:
            loaded.append(engine_loaded.load(file, overrides, allow_outside, target, given))
        except FineforgeError as error:
            failed[file] = error.diagnostics
    if not select:
        return Batch(tuple(loaded), failed, tuple(problems))
    kept, left = _selected(loaded, failed, select)
    selected = {one.path for one in kept}
    others = tuple(one for one in loaded if one.path not in selected)
    return Batch(tuple(kept), left, tuple(problems), selected=True, left=others)


def at(batch: Batch, target: str) -> Batch:
    """The specs that are for a target; the others say so in `targets`, and are left out."""

    def meant(specs: Sequence[Loaded]) -> tuple[Loaded, ...]:
        return tuple(loaded for loaded in specs if loaded.spec.targets is None or target in loaded.spec.targets)

    return replace(batch, specs=meant(batch.specs), left=meant(batch.left))


def conflicts(batch: Batch, workspace: Workspace | None) -> Failures:
    """Specs that cannot be applied beside another one, selected or not, each with FF183 or FF184 naming the other's line. Without
    a workspace, an endpoint's default name is as unique as the spec's."""
    found: dict[Path, list[Diagnostic]] = {}
    first: dict[tuple[str, str], tuple[Loaded, tuple[str | int, ...]]] = {}
    for loaded in (*batch.specs, *batch.left):
        for (what, name), path in _claims(loaded, workspace):
            other = first.setdefault((what, name), (loaded, path))
            if other[0] is loaded:
                continue
            differs = what != "cluster" or loaded.spec.compute != other[0].spec.compute
            if not differs:
                continue
            code, words = ("FF184", "be different") if what == "cluster" else ("FF183", "have it")
            for one, place, two, there in ((loaded, path, *other), (*other, loaded, path)):
                message = f"the {what} `{name}` is also in `{_line(two, there)}`; both cannot {words}"
                hint = "write the same in both" if what == "cluster" else "give one of them another name"
                found.setdefault(one.path, []).append(one.source.place(Diagnostic(code, message, path=place, hint=hint)))
    return {loaded.path: tuple(found[loaded.path]) for loaded in batch.specs if loaded.path in found}


def _selected(
    loaded: Sequence[Loaded], failed: Failures, select: Sequence[str]
) -> tuple[list[Loaded], dict[Path, tuple[Diagnostic, ...]]]:
    """By name, path, tag, or by what git says has changed. Of specs that cannot be read only the path is known."""
    patterns = [pattern for entry in select for pattern in entry.split(",") if pattern]
    since = [pattern.removeprefix(discovery.CHANGED) for pattern in patterns if pattern.startswith(discovery.CHANGED)]
    patterns = [pattern for pattern in patterns if not pattern.startswith(discovery.CHANGED)]
    root = (loaded[0].project.root if loaded else next(iter(failed), Path()).parent) if since else Path()
    changed = frozenset[Path]().union(*(discovery.changed_since(reference, root) for reference in since))

    def is_meant(path: Path, name: str, tags: Mapping[str, str], made_of: Sequence[Path]) -> bool:
        return discovery.matches(path, name, tags, patterns) or (bool(since) and discovery.is_touched(path, made_of, changed))

    kept = [one for one in loaded if is_meant(one.path, one.spec.name, {**one.project.tags, **one.spec.tags}, _made_of(one))]
    return kept, {path: found for path, found in failed.items() if is_meant(path, "", {}, ())}


def _made_of(loaded: Loaded) -> list[Path]:
    """Files beside the spec that decide what it means, or would if they were there, and what is said to its plan."""
    found = [loaded.project.root / name for name in ("fineforge.yaml", "fineforge.lock.yaml")]
    found += [loaded.project.root / rules.FOLDER, *layers.folder_files(loaded.project, loaded.path.parent)]
    found += [Path(file.file) for file in loaded.given.files] if loaded.given else []
    found += [loaded.project.templates] if loaded.project.templates else []
    dataset = loaded.spec.dataset
    for split in dataset.splits.made() if dataset else ():
        source = dataset.source_of(split) if dataset else ""
        if "://" not in source and not source.startswith("azureml:"):
            found.append(loaded.path.parent / source)
    return found


def _claims(loaded: Loaded, workspace: Workspace | None) -> Iterator[tuple[tuple[str, str], tuple[str | int, ...]]]:
    """The names that a spec wants for itself (clusters: that it wants to be as it says), and where it says so."""
    spec = loaded.spec
    yield ("spec", loaded.whose), ("name",)
    if spec.endpoint is not None and not spec.endpoint.existing:
        default = naming.default_endpoint_name(spec.name, workspace.id) if workspace else f"{spec.name} (by default)"
        yield ("endpoint", spec.endpoint.name or default), ("endpoint", "name") if spec.endpoint.name else ("endpoint",)
    if spec.register_ is not None:
        yield ("model", spec.register_.name), ("register", "name")
    if spec.compute is not None and spec.compute.name is not None and not spec.compute.existing:
        yield ("cluster", spec.compute.name), ("compute",)


def _line(loaded: Loaded, path: tuple[str | int, ...]) -> str:
    span = loaded.source.place(Diagnostic("FF183", "", path=path)).span
    return f"{span.file}:{span.line}" if span else str(loaded.path)
