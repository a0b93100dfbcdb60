"""Saved plans: a plan as JSON, applied exactly as it was reviewed, or not at all."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from fineforge import __version__
from fineforge.config.spec import Spec
from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.core.gateway import Workspace
from fineforge.core.plan import Plan
from fineforge.engine import saved_facts
from fineforge.host import files, git
from fineforge.planner import PLAN_FORMAT
from fineforge.resources.kinds import KINDS
from fineforge.resources.ownership import digest

_KIND = "fineforge-plan"


def save(plans: Sequence[tuple[Path, Plan]], path: Path) -> None:
    """Writes plans beside the specs that they were made from, mode 0600, whole or not at all. No secret is in it, and no row."""
    commit = next((git.commit_of(spec) for spec, _ in plans), "")
    head = {"kind": _KIND, "format": PLAN_FORMAT, "cli_version": __version__, "commit": commit}
    told = [{"spec_path": str(git.now(spec)), "plan": to_jsonable_python(plan)} for spec, plan in plans]
    files.write(path, json.dumps(sealed({**head, "plans": told}), indent=1), mode=0o600)


def sealed(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with the digest of everything else in it, by which an edit is noticed."""
    content = {key: value for key, value in document.items() if key != "digest"}
    return {**content, "digest": digest(content)}


def is_plan(path: Path) -> bool:
    """Whether a file looks like a saved plan: a spec never has a brace first, and this word near it."""
    try:
        with files.open_regular(path) as stream:
            begin = stream.read(200)
    except (OSError, ValueError):  # ValueError: NUL in its name
        return False
    return begin.lstrip().startswith(b"{") and _KIND.encode() in begin


@contextmanager
def opened(path: Path, allow_outside: bool = False) -> Iterator[list[tuple[Path, Plan]]]:
    """The plans with their specs as `load` gives them; those that were planned `--at` a commit, as they were at that commit."""
    document = _document(path, allow_outside)
    entries, commit = _entries(path, document), str(document.get("commit") or "")
    if not commit:
        yield entries
        return
    with git.at(commit, [spec for spec, _ in entries]) as there:
        yield [(was, plan) for was, (_, plan) in zip(there, entries, strict=True)]


def load(path: Path) -> list[tuple[Path, Plan]]:
    """The plans, each with the spec that it was made from. Raises FF521 where it is none of ours or of another format."""
    return _entries(path, _document(path))


def _entries(path: Path, document: Mapping[str, Any]) -> list[tuple[Path, Plan]]:
    if document.get("format") != PLAN_FORMAT:
        made_by = document.get("cli_version", "an unknown version")
        message = f"`{path}` has plan format {document.get('format')} (fineforge {made_by}), but this version reads {PLAN_FORMAT}"
        raise FineforgeError(Diagnostic("FF521", message, hint="plan again with this version"))
    if document.get("digest") != sealed(document)["digest"]:
        raise _damaged(path, "it was edited after it was saved")
    try:
        if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}|", document["commit"]):
            raise ValueError("`commit` must be the id of a commit, or empty")
        found = [(Path(entry["spec_path"]), _plan(entry["plan"])) for entry in document["plans"]]
        if not found or len({spec for spec, _ in found}) < len(found) or any(files.is_folder(spec) for spec, _ in found):
            raise ValueError("`plans` must contain one plan per spec")
        for spec, _ in found:
            files.refuse_name(spec)
    except ValidationError as error:
        first = error.errors()[0]
        raise _damaged(path, f"`{'.'.join(map(str, first['loc']))}`: {first['msg'].lower()}") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(path, str(error)) from None
    return found


def _damaged(path: Path, words: str) -> FineforgeError:
    return FineforgeError(Diagnostic("FF521", f"`{path}` is damaged: {words}", hint="plan again"))


def _document(path: Path, allow_outside: bool = False) -> Mapping[str, Any]:
    try:
        document = files.parse_json(files.read(path, files.PLAN, allow_outside=allow_outside), file_names=True)
    except files.JsonError as error:
        message = f"`{files.shown_path(path)}` is not a saved plan: {str(error).lower()}"
        raise FineforgeError(Diagnostic("FF521", message)) from None
    if not isinstance(document, dict) or document.get("kind") != _KIND:
        raise FineforgeError(Diagnostic("FF521", f"`{files.shown_path(path)}` is not a saved plan"))
    return document


def consume(path: Path) -> None:
    """A plan is applied at most once: the file is set aside before the first write."""
    try:
        path.replace(path.with_name(path.name + ".applied"))
    except OSError as error:
        raise files.refused(path, error, "set aside") from None


def refuse_changed(made: Plan, spec: Spec, path: Path) -> None:
    """FF523 where the spec, as it is meant at the plan's target, is not the one that was planned: what was reviewed is not what
    is wanted any more."""
    if made.spec_digest == digest(spec.model_dump(mode="json")):
        return
    message = f"`{path}`, or what it is composed of, changed after the plan was created"
    hint = "create a new plan; if the plan used `--var`, pass the same variables here"
    raise FineforgeError(Diagnostic("FF523", message, hint=hint), exit_code=5)


def refuse_elsewhere(made: Plan, here: Workspace) -> None:
    """FF522 where a saved plan meets another workspace than the one it was made for."""
    where = made.facts.get("workspace") or {}
    planned = tuple(str(where.get(part) or "").lower() for part in ("subscription_id", "resource_group", "name"))
    if planned == (here.subscription_id.lower(), here.resource_group.lower(), here.name.lower()):
        return
    there = f"`{here.target}` is `{here.name}` in `{here.resource_group}`"
    message = f"this plan is for the workspace `{planned[2]}` in `{planned[1]}`; {there}"
    raise FineforgeError(Diagnostic("FF522", message, hint="plan again"), exit_code=5)


def _plan(data: Any) -> Plan:
    """Raises ValueError or TypeError where a key is missing, unknown, or of another type: nothing of a plan is guessed."""
    made = _reader().validate_python(data)
    if to_jsonable_python(made) != data:
        raise ValueError("its content does not match the plan format")
    if unknown := {step.key.kind for step in made.steps} - set(KINDS):
        raise ValueError(f"`{min(unknown)}` is not a kind of object")
    saved_facts.Facts.model_validate(made.facts)
    return made


@cache
def _reader() -> TypeAdapter[Plan]:
    return TypeAdapter(Plan)
