"""Load the specs that a command selects, and check them against each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fineforge.config import discovery, layers
from fineforge.config.loaded import DEFAULTS, SpecFile, SpecOptions, TargetedSpec
from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.core.gateway import Workspace
from fineforge.host.files import is_folder, shown_path
from fineforge.policies import rules
from fineforge.resources import naming

Failures = Mapping[Path, tuple[Diagnostic, ...]]
"""What is wrong with specs that cannot be read or planned, by path."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The specs that a command selects. A single spec is a batch of one."""

    specs: tuple[SpecFile, ...]
    failed: Failures = field(default_factory=dict)
    """Those that could not be read, and why."""
    problems: tuple[Diagnostic, ...] = ()
    """What is wrong with the folders themselves."""
    selected: bool = False
    """True if patterns left some out."""
    left: tuple[SpecFile, ...] = ()
    """Those: nothing is done with them, but the names that they claim are taken."""
    named: tuple[Path, ...] = ()
    """Files that were given by name. Such a spec must be for the target. One that was found in a folder may be for others."""

    @property
    def target(self) -> str:
        """The name of the target that the batch is asked for. Empty where it holds no spec."""
        return self.specs[0].project.target(self.specs[0].options.target) if self.specs else ""

    @property
    def single(self) -> bool:
        """True if exactly one file was given by name, so that answers are about it alone."""
        return len(self.named) == len(self.specs) + len(self.failed) == 1

    def for_target(self, name: str) -> tuple[SpecFile, ...]:
        """Return the specs for a target. A file that was given by name is among them even if the target is not one of its own."""
        return tuple(spec for spec in self.specs if spec.is_for(name) or spec.path in self.named)

    @property
    def errors(self) -> list[Diagnostic]:
        """Everything that is wrong with the selection and the specs in it."""
        return [*self.problems, *(problem for problems in self.failed.values() for problem in problems)]


@dataclass(frozen=True, slots=True)
class TargetedBatch:
    """The specs of a batch that are for one target, at that target."""

    specs: tuple[TargetedSpec, ...]
    failed: Failures
    """Those that could not be read at the target, in addition to those of the batch."""
    left: tuple[TargetedSpec, ...]

    @classmethod
    def of(cls, batch: Batch, target: str) -> TargetedBatch:
        """Return the batch at a target. Specs of folders that are for other targets only are left out."""

        def at_target(specs: Sequence[SpecFile]) -> tuple[list[TargetedSpec], dict[Path, tuple[Diagnostic, ...]]]:
            targeted, failed = [], {}
            for spec in specs:
                try:
                    targeted.append(spec.at(target))
                except FineforgeError as error:
                    failed[spec.path] = error.diagnostics
            return targeted, failed

        specs, failed = at_target(batch.for_target(target))
        left, _ = at_target([spec for spec in batch.left if spec.is_for(target)])
        return cls(tuple(specs), {**batch.failed, **failed}, tuple(left))


def by_name(failed: Failures) -> dict[str, tuple[Diagnostic, ...]]:
    """Return specs that could not be read or planned, by the paths that a user knows them by."""
    return {shown_path(path): problems for path, problems in failed.items()}


def load(paths: Sequence[Path], select: Sequence[str] = (), options: SpecOptions = DEFAULTS) -> Batch:
    """Read every spec below the paths that `select` keeps. What cannot be read is in `failed`.

    Raises FF182 where a selection by git cannot be made.
    """
    files, problems = discovery.find(paths)
    loaded: list[SpecFile] = []
    failed: dict[Path, tuple[Diagnostic, ...]] = {}
    for file in files:
        try:
            loaded.append(SpecFile.read(file, options))
        except FineforgeError as error:
            failed[file] = error.diagnostics
    if not select:
        return Batch(tuple(loaded), failed, tuple(problems), named=tuple(path for path in paths if not is_folder(path)))
    kept, failed = _selected(loaded, failed, select)
    selected = {spec.path for spec in kept}
    left = tuple(spec for spec in loaded if spec.path not in selected)
    return Batch(tuple(kept), failed, tuple(problems), selected=True, left=left)


def conflicts(batch: TargetedBatch, workspace: Workspace | None) -> Failures:
    """Return the specs that cannot be applied next to another one, each with FF183 or FF184 and the other's line.

    A spec that patterns left out counts as well. Without a workspace, an endpoint's default name is as unique as the spec's.
    """
    problems: dict[Path, list[Diagnostic]] = {}
    first: dict[tuple[str, str], tuple[TargetedSpec, tuple[str | int, ...]]] = {}
    for spec in (*batch.specs, *batch.left):
        for (what, name), path in _claims(spec, workspace):
            other = first.setdefault((what, name), (spec, path))
            if other[0] is spec or (what == "cluster" and spec.spec.compute == other[0].spec.compute):
                continue
            for one, place, two, there in ((spec, path, *other), (*other, spec, path)):
                place_of_other = _line(two, there)
                if what == "cluster":
                    code, message = "FF184", f"cluster `{name}` is defined differently in `{place_of_other}`"
                    hint = "use the same definition in both"
                else:
                    code, message = "FF183", f"{what} `{name}` is also used in `{place_of_other}`"
                    hint = "rename one of them"
                problems.setdefault(one.path, []).append(one.source.place(Diagnostic(code, message, path=place, hint=hint)))
    return {spec.path: tuple(problems[spec.path]) for spec in batch.specs if spec.path in problems}


def _selected(
    loaded: Sequence[SpecFile], failed: Failures, select: Sequence[str]
) -> tuple[list[SpecFile], dict[Path, tuple[Diagnostic, ...]]]:
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


def _made_of(loaded: SpecFile) -> list[Path]:
    """Files beside the spec that decide what it means, or would if they were there, and what is said to its plan."""
    found = [loaded.project.root / name for name in ("fineforge.yaml", "fineforge.lock.yaml")]
    found += [loaded.project.root / rules.FOLDER, *layers.folder_files(loaded.project, loaded.path.parent)]
    found += [Path(file.file) for file in loaded.options.given.files] if loaded.options.given else []
    found += [loaded.project.templates] if loaded.project.templates else []
    dataset = loaded.spec.dataset
    for split in dataset.splits.made() if dataset else ():
        source = dataset.source_of(split) if dataset else ""
        if "://" not in source and not source.startswith("azureml:"):
            found.append(loaded.path.parent / source)
    return found


def _claims(loaded: TargetedSpec, workspace: Workspace | None) -> Iterator[tuple[tuple[str, str], tuple[str | int, ...]]]:
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


def _line(loaded: TargetedSpec, path: tuple[str | int, ...]) -> str:
    span = loaded.source.place(Diagnostic("FF183", "", path=path)).span
    return f"{span.file}:{span.line}" if span else str(loaded.path)
