"""Datasets of the Hugging Face hub at one commit: their files, and which of them are a split.

A commit never changes, so what it holds is asked once and kept in the cache. How bytes are fetched is `fineforge.dataset.fetch`.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.core.facts import DatasetFact
from fineforge.core.objects import SpecPath
from fineforge.dataset import cache, fetch, layout
from fineforge.dataset.fetch import Pieces, Remote
from fineforge.dataset.sources import COMMIT
from fineforge.host.files import JsonError, read_json

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SplitFiles:
    """The files of one split, in order, all of one format."""

    files: tuple[Remote, ...]
    format: str
    options: Mapping[str, Any]


def split_files(fact: DatasetFact, pieces: Pieces) -> SplitFiles:
    """What a split of a hub dataset is read from. At most two requests. Raises FF619 to FF622, FF626."""
    repository = str(fact.selection["source"]).removeprefix("hf://")
    place: SpecPath = ("dataset", "source")
    sizes, readme = _listing(repository, fact.revision, pieces)
    try:
        config = layout.config(list(sizes), readme, fact.selection.get("config"))
    except layout.Unclear as unclear:
        message, known = f"`{fact.source}` {unclear}", unclear.known
        raise FineforgeError(
            Diagnostic("FF621", message, path=("dataset", "config"), hint=_known(known, fact, "config"))
        ) from None
    wanted = str(fact.selection["from"])
    if wanted not in config.splits:
        message = f"`{fact.source}` has no split `{wanted}`" if config.splits else f"`{fact.source}` contains no data files"
        path = ("dataset", "splits", fact.split)
        raise FineforgeError(Diagnostic("FF621", message, path=path, hint=_known(tuple(config.splits), fact, "from")))
    files = config.splits[wanted]
    form = layout.form(files)
    if not form:
        message = f"the split `{wanted}` of `{fact.source}` is made of `{Path(files[0]).suffix}` files, which cannot be read"
        raise FineforgeError(Diagnostic("FF626", message, path=place, hint="parquet, JSON Lines, JSON, CSV and TSV can"))
    remotes = tuple(_remote(repository, fact.revision, file, sizes[file]) for file in files if file.lower().endswith(form))
    return SplitFiles(remotes, form, config.options)


def commit(repository: str, revision: str) -> str:
    """The commit that a branch or tag names now; without a name, the default branch's. One request."""
    where = f"/revision/{quote(revision, safe='')}" if revision else ""
    at = f"@{revision}" if revision else ""
    return _ask(repository, where, f"hf://{repository}{at}", _named_commit)


def _listing(repository: str, commit: str, pieces: Pieces) -> tuple[dict[str, int], str]:
    """Every file with its size in bytes, and the README's text."""
    kept = pieces.folder / "hub" / f"{repository.replace('/', '--')}-{commit}.json"
    try:
        known = read_json(kept)
        cache.touch(kept)
    except (FineforgeError, JsonError):
        known = _listing_of_hub(repository, commit)
        cache.private(kept.parent)
        with cache.unfinished(kept.parent) as part:
            part.write(json.dumps(known).encode())
            cache.finish(part, kept, durable=False)
    return dict(known["sizes"]), str(known["readme"])


def _listing_of_hub(repository: str, commit: str) -> dict[str, Any]:
    sizes = _ask(repository, f"/revision/{commit}?blobs=true", f"hf://{repository}@{commit[:7]}", _sizes)
    readme = ""
    if "README.md" in sizes:
        readme = fetch.answer(_remote(repository, commit, "README.md", None)).content.decode("utf-8", "replace")
    return {"sizes": sizes, "readme": readme}


def _ask(repository: str, where: str, name: str, read: Callable[[Any], T]) -> T:
    url = f"{fetch.endpoint()}/api/datasets/{repository}{where}"
    remote = Remote(name, url, "", hub=f"hf://{repository}")
    words = "the answer is not JSON"
    try:
        answer = fetch.answer(remote).json()
        words = "the answer does not come from a hub"
        return read(answer)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        problem = Diagnostic("FF622", f"`{name}` cannot be downloaded: {words}", path=remote.path)
        raise FineforgeError(replace(problem, hint=f"is {fetch.endpoint()} a Hugging Face hub?")) from None


def _named_commit(answer: Any) -> str:
    """It becomes part of addresses and of a file's name, so it is nothing else."""
    if not COMMIT.fullmatch(answer["sha"]):
        raise ValueError
    return str(answer["sha"])


def _sizes(answer: Any) -> dict[str, int]:
    return {str(entry["rfilename"]): int(entry.get("size") or 0) for entry in answer.get("siblings") or []}


def _remote(repository: str, commit: str, file: str, size: int | None) -> Remote:
    url = f"{fetch.endpoint()}/datasets/{repository}/resolve/{commit}/{quote(file)}"
    name = f"hf://{repository}/{file}"
    return Remote(name, url, f"hf:{repository}@{commit}/{file}", size, hub=f"hf://{repository}")


def _known(known: tuple[str, ...], fact: DatasetFact, key: str) -> str:
    near = difflib.get_close_matches(str(fact.selection.get(key) or ""), known, 1)
    listed = ", ".join(f"`{name}`" for name in known[:20]) + (" and more" if len(known) > 20 else "")
    if not listed:
        return ""
    said = f"did you mean `{near[0]}`? " if near else "" if key in fact.selection else f"set `dataset.{key}`: "
    return f"{said}it has {listed}"
