"""What each split is made of, said without a network: its source, the revision that pins it, and its recipe.

Here belong the kinds of source and what they refuse. Reading rows is `fineforge.dataset.reading`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from fineforge.config.spec import Dataset, Split
from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.core.facts import DatasetFact
from fineforge.core.objects import SpecPath
from fineforge.dataset.local import FORMATS, LongLine, Project, check_form, content, locate, long_line, shown_from, unreadable
from fineforge.dataset.recipe import part, selection, wanted_rows

HUB = re.compile(r"hf://([\w.-]+(?:/[\w.-]+)?)(?:@([\w./-]+))?")
"""`hf://owner/name@revision`: the dataset, and a branch, a tag or a commit of it."""
ASSET = re.compile(r"azureml:([^:@]+):([^:@]+)")
COMMIT = re.compile(r"[0-9a-f]{40}")
_SIGNED = re.compile(r"(?:^|[&;])(?:[\w-]*sig(?:nature)?|[\w-]*token|[\w-]*credential|password|api[_-]?key)=", re.IGNORECASE)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def describe(
    dataset: Dataset, folder: Path, root: Path, allow_outside: bool = False, pins: Mapping[str, str] | None = None
) -> dict[str, DatasetFact]:
    """What each split is made of, by split name. `folder` is the spec's, `root` the project's, which paths may not leave.

    `pins` are the lock file's: source as the spec writes it -> commit, `etag:...` or `sha256:...`. Reads every byte of local
    files once, and asks no network. Raises FF601 to FF603, FF618, FF623, FF626 and FF629, all splits' errors at once.
    """
    found: dict[str, DatasetFact] = {}
    problems = _without_config(dataset)
    project = Project(folder, root.resolve(), allow_outside)
    for name, split in dataset.splits.given().items():
        source = dataset.source_of(name)
        try:
            if split.filter is not None:
                from fineforge.dataset import filters

                filters.compiled(split.filter, ("dataset", "splits", name, "filter"))
            found |= _with_held_out(_fact(dataset, name, split, source, project, pins or {}), split)
        except FineforgeError as error:
            problems += [problem for problem in error.diagnostics if problem not in problems]
        except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: links in a circle; ValueError: a NUL byte
            file = getattr(error, "filename", None) or ""
            problems.append(unreadable(shown_from(Path(file), project) if file else source, error))
    if problems:
        raise FineforgeError(*problems)
    return {name: found[name] for name in dataset.splits.made()}


def _without_config(dataset: Dataset) -> list[Diagnostic]:
    sources = [dataset.source_of(name) for name in dataset.splits.given()]
    if dataset.config is None or any(source.startswith("hf://") for source in sources):
        return []
    message = f"`config` does not apply to `{bare(sources[0])}`"
    return [Diagnostic("FF626", message, path=("dataset", "config"), hint="only `hf://` datasets have configurations")]


def bare(source: str) -> str:
    """An address to show: without its query, which may hold a signature, and without a user's name."""
    if not source.startswith(("https://", "http://")):
        return source[:200]
    address = urlsplit(source)
    return f"{address.scheme}://{address.netloc.rpartition('@')[2]}{address.path}"[:200]


def _fact(dataset: Dataset, name: str, split: Split, source: str, project: Project, pins: Mapping[str, str]) -> DatasetFact:
    place: SpecPath = ("dataset", "splits", name, "source") if split.source else ("dataset", "source")
    if source.startswith("hf://"):
        return _of_hub(dataset, name, split, source, place, pins)
    if source.startswith(("https://", "http://")):
        return _of_address(name, split, source, place, pins)
    if source.startswith("azureml:"):
        return _of_workspace(name, split, source, place)
    if "://" in source:
        hint = "use a path, `hf://owner/name`, `https://...` or `azureml:NAME:VERSION`"
        raise FineforgeError(Diagnostic("FF626", f"`{bare(source)}` is not a known kind of source", path=place, hint=hint))
    return _of_files(name, split, source, project)


def _of_files(name: str, split: Split, source: str, project: Project) -> DatasetFact:
    """The digest is of bytes, not of names: a file that is only renamed trains nothing again."""
    found = locate(source, name, split, project)
    recipe = selection(split, {} if found.format == "jsonl" else {"format": found.format})
    for file in found.files:
        check_form(file, found.format, shown_from(file, project))
    try:
        digest, total = content(found.files, found.format)
    except LongLine as error:
        file, number = error.args
        raise FineforgeError(long_line(shown_from(file, project), number)) from None
    path = str(found.files[0]) if len(found.files) == 1 else ""
    rows = wanted_rows(total, recipe) if total is not None and split.filter is None else None
    return DatasetFact(name, found.shown, digest, recipe, rows, path, tuple(map(str, found.files)), total)


def _of_hub(dataset: Dataset, name: str, split: Split, source: str, place: SpecPath, pins: Mapping[str, str]) -> DatasetFact:
    match = HUB.fullmatch(source)
    if match is None:
        hint = "write `hf://owner/name`, or `hf://owner/name@revision`"
        raise FineforgeError(Diagnostic("FF626", f"`{bare(source)}` is not a valid hub dataset", path=place, hint=hint))
    repository, revision = match[1], match[2] or ""
    commit = revision if COMMIT.fullmatch(revision) else _pin(source, pins, place)
    where = (
        {"source": f"hf://{repository}"} | ({"config": dataset.config} if dataset.config else {}) | {"from": split.from_ or name}
    )
    return DatasetFact(name, source, commit, selection(split, where))


def _of_address(name: str, split: Split, source: str, place: SpecPath, pins: Mapping[str, str]) -> DatasetFact:
    address = urlsplit(source)
    if problem := _not_public(address):
        raise FineforgeError(Diagnostic("FF626", f"`{bare(source)}` {problem}", path=place, hint="use a public `https://` URL"))
    ending = Path(address.path).suffix.lower().removeprefix(".")
    if ending not in FORMATS:
        hint = f"it must have one of the extensions {', '.join('.' + known for known in FORMATS)}"
        raise FineforgeError(Diagnostic("FF626", f"unknown format of `{bare(source)}`", path=place, hint=hint))
    wanted = split.from_ or ("train" if split.source else name)
    if wanted != "train":
        message = f"`{bare(source)}` is one file; it has no split `{wanted}`"
        hint = "give the split its own `source` with `from: train`, or hold out rows of `train`"
        raise FineforgeError(Diagnostic("FF601", message, path=("dataset", "splits", name), hint=hint))
    recipe = selection(split, {"source": bare(source), "format": ending})
    return DatasetFact(name, bare(source), _pin(source, pins, place), recipe, files=(source,))


def _not_public(address: SplitResult) -> str:
    """Why an address may not be used: it would carry a secret into plans and the lock file, or rows over an open line."""
    if address.username or address.password:
        return "contains a user name"
    if _SIGNED.search(address.query):
        return "contains a signature or a token"
    return "is not encrypted" if address.scheme == "http" and address.hostname not in _LOOPBACK else ""


def _of_workspace(name: str, split: Split, source: str, place: SpecPath) -> DatasetFact:
    """A data asset that exists is used as it is."""
    if not ASSET.fullmatch(source):
        hint = "write `azureml:NAME:VERSION`"
        raise FineforgeError(Diagnostic("FF626", f"`{source[:100]}` has no data asset version", path=place, hint=hint))
    extra = [key for key in ("percent", "rows", "sample", "filter", "columns", "holdout") if key in split.model_fields_set]
    if extra:
        message = f"`{extra[0]}` does not apply to `{source}`: an existing data asset is used unchanged"
        hint = "delete the key, or use the source that the asset was created from"
        raise FineforgeError(Diagnostic("FF629", message, path=("dataset", "splits", name, extra[0]), hint=hint))
    return DatasetFact(name, source, source, {"asset": source}, asset=source)


def _pin(source: str, pins: Mapping[str, str], place: SpecPath) -> str:
    pinned = pins.get(source)
    if pinned:
        return pinned
    message = f"`{bare(source)}` is not pinned, so its content can change"
    raise FineforgeError(Diagnostic("FF618", message, path=place, hint="`fineforge lock` pins it"))


def _with_held_out(fact: DatasetFact, split: Split) -> dict[str, DatasetFact]:
    """The split's fact; with `holdout` also that of the validation split, both parts of the same rows."""
    if split.holdout is None:
        return {fact.split: fact}
    rest = {key: value for key, value in fact.selection.items() if key != "holdout"}
    held = replace(fact, split="validation", selection={**rest, "held_out": split.holdout})
    return {one.split: replace(one, rows=_part(one)) for one in (fact, held)}


def _part(fact: DatasetFact) -> int | None:
    return None if fact.rows is None else len(part(fact.selection, fact.rows))
