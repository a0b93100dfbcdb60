"""The kinds of Azure objects that fineforge knows. `KINDS` is the only registration.

`desired_all` turns a spec and facts into rendered objects. How one kind looks is in its own file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.core.objects import Desired, Document, Ownership, ResourceKey
from fineforge.resources.fields import field_digests, get
from fineforge.resources.kinds.base import Context, Kind, Wanted
from fineforge.resources.kinds.compute import COMPUTE
from fineforge.resources.kinds.data import DATA
from fineforge.resources.kinds.deployment import DEPLOYMENT
from fineforge.resources.kinds.endpoint import ENDPOINT
from fineforge.resources.kinds.job import JOB
from fineforge.resources.kinds.model import MODEL
from fineforge.resources.kinds.publication import PUBLICATION
from fineforge.resources.ownership import is_owner_tag
from fineforge.resources.templates import Templates

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (COMPUTE, DATA, JOB, MODEL, PUBLICATION, ENDPOINT, DEPLOYMENT)}
"""In the order in which a spec's objects are shown."""

__all__ = ["KINDS", "Context", "Kind", "child_kind", "desired_all", "parent_of"]


def parent_of(key: ResourceKey) -> ResourceKey | None:
    """Return the key of the object that contains this one; None where the kind has no parent."""
    kind = KINDS[key.kind].parent
    return ResourceKey(kind, key.parent or "") if kind else None


def child_kind(kind: str) -> str | None:
    """Return the kind of the objects that an object of this kind contains, if any."""
    return next((other.name for other in KINDS.values() if other.parent == kind), None)


def desired_all(context: Context, templates: Templates) -> tuple[Desired, ...]:
    """Every object of the spec, rendered with its owner tags in it. Raises FF2xx, all templates' errors at once."""
    found: list[Desired] = []
    problems: list[Diagnostic] = []
    for kind in KINDS.values():
        for wanted in kind.wanted(context):
            try:
                found.append(_render(kind, wanted, context, templates))
            except FineforgeError as error:
                problems += error.diagnostics
    if problems:
        raise FineforgeError(*problems)
    return tuple(found)


def _render(kind: Kind, wanted: Wanted, context: Context, templates: Templates) -> Desired:
    digest = context.identity.digests[wanted.key]
    if wanted.existing:
        return Desired(wanted.key, "", {}, digest, path=wanted.path, existing=True)
    text, document, tags = _texts(kind, wanted.key, wanted.variables, context, templates)
    if problems := [*_changed(kind, wanted, document), *([] if digest in text else [_untagged(kind, wanted)])]:
        raise FineforgeError(*problems)
    cheaper = {**wanted.variables, **wanted.fallback}
    fallback = _texts(kind, wanted.key, cheaper, context, templates)[0] if wanted.fallback else ""
    return Desired(wanted.key, text, document, digest, wanted.depends_on, wanted.path, wanted.uploads, tags, fallback)


def _texts(
    kind: Kind, key: ResourceKey, variables: Mapping[str, Any], context: Context, templates: Templates
) -> tuple[str, Document, dict[str, str]]:
    """The text to submit, its document without our tags, and our tags. Rendered twice: the tags hold digests of the document."""
    _, document = templates.render(kind.template, {**variables, "tags": dict(context.tags)})
    digest, fields = context.identity.digests[key], field_digests(document, kind.rules)
    owner = Ownership(context.project, context.spec.name, digest, fields, key.attempt, context.source)
    tags = {**context.tags, **variables.get("lineage", {}), **kind.owner_tags(owner)}
    ours = {name: str(value) for name, value in tags.items() if is_owner_tag(name)}
    return templates.text(kind.template, {**variables, "tags": tags}), document, ours


_NAMES = ("name", "version", "endpoint_name", "registry")


def _changed(kind: Kind, wanted: Wanted, document: Document) -> list[Diagnostic]:
    """A user's template may add, but it may not rename (FF204), nor change what the digest in the name stands for (FF205)."""
    wrong = [place for place, variable in kind.fixed.items() if str(get(document, place)) != str(wanted.variables[variable])]
    names = [f"`{place}`" for place in wrong if place in _NAMES]
    content = [f"`{place}`" for place in wrong if place not in _NAMES]
    if "inputs" in wanted.variables:
        content += _changed_in_job(wanted, document)
    content += [f"`{key}`" for key in sorted(_loading(document) - {place.strip("`") for place in content})]
    found = []
    if names:
        message = f"template `{kind.template}` changes {', '.join(names)} of `{wanted.key}`"
        found.append(Diagnostic("FF204", message, path=wanted.path, hint="the spec decides names; leave them as they are given"))
    if content:
        message = f"template `{kind.template}` changes {', '.join(content)}"
        hint = "set it in the spec: the name stands for the values there"
        found.append(Diagnostic("FF205", message, path=wanted.path, hint=hint))
    return found


_LOADS = frozenset({"code", "build", "conda_file", "command", "scoring_script", "local_path"})
"""Keys of Azure ML's YAML that name files to upload or programs to run (azure-ai-ml 1.35.2 schemas)."""
_FREE = frozenset({"tags", "environment_variables", "inputs", "properties"})
"""Keys whose mappings have keys of the user's own."""


def _loading(document: Document) -> set[str]:
    """Return the keys that would bring in files or programs, but for those that the spec decides.

    Each collection is read once: aliases in a template's output may lead back to themselves.
    """
    found: set[str] = set()
    seen: set[int] = set()
    waiting: list[tuple[object, tuple[str, ...]]] = [(document, ())]
    while waiting:
        value, path = waiting.pop()
        if id(value) in seen or (path and path[-1] in _FREE):
            continue
        if isinstance(value, list):
            waiting += [(entry, path) for entry in value]
        elif isinstance(value, Mapping):
            found |= {str(key) for key in value if key in _LOADS and path != ("code_configuration",)}
            waiting += [(entry, (*path, str(key))) for key, entry in value.items()]
        if isinstance(value, list | Mapping):
            seen.add(id(value))
    return found


def _changed_in_job(wanted: Wanted, document: Document) -> list[str]:
    steps = document.get("jobs")
    step: object = next(iter(steps.values()), None) if isinstance(steps, Mapping) else None
    given: Mapping[str, object] = step if isinstance(step, Mapping) else {}
    want, inputs = wanted.variables["inputs"], given.get("inputs")
    have: Mapping[str, object] = inputs if isinstance(inputs, Mapping) else {}
    wrong = [f"`{name}`" for name in want if str(have.get(name)) != str(want[name])]
    wrong += ["the set of inputs"] if have.keys() - want.keys() else []
    wrong += ["`jobs`"] if isinstance(steps, Mapping) and len(steps) > 1 else []
    wrong += ["`inputs`"] if "inputs" in document else []
    return wrong if given.get("component") == wanted.variables["component"]["id"] else ["`component`", *wrong]


def _untagged(kind: Kind, wanted: Wanted) -> Diagnostic:
    hint = "keep `tags: {{ tags|tojson }}`, or add to what it writes"
    return Diagnostic("FF206", f"template `{kind.template}` drops the owner tags of `{wanted.key}`", path=wanted.path, hint=hint)
