"""The kinds of Azure objects that fineforge knows. `KINDS` is the only registration.

`desired_all` turns a spec and facts into rendered objects. How one kind looks is in its own file.
"""

from __future__ import annotations

from collections.abc import Mapping

from fineforge.core import Desired, Ownership
from fineforge.diagnostics import Diagnostic, FineforgeError
from fineforge.fields import field_digests
from fineforge.kinds.base import Context, Kind, Wanted
from fineforge.kinds.compute import COMPUTE
from fineforge.kinds.data import DATA
from fineforge.kinds.deployment import DEPLOYMENT
from fineforge.kinds.endpoint import ENDPOINT
from fineforge.kinds.job import JOB
from fineforge.kinds.model import MODEL
from fineforge.render import Templates

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (COMPUTE, DATA, JOB, MODEL, ENDPOINT, DEPLOYMENT)}
"""In the order in which a spec's objects are shown."""

__all__ = ["KINDS", "Context", "Kind", "desired_all"]


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
    """Twice: the first document tells the fields' digests, which the text that is submitted carries among its tags."""
    digest = context.identity.digests[wanted.key]
    _, document = templates.render(kind.template, {**wanted.variables, "tags": dict(context.tags)})
    _same_identity(kind, wanted, document)
    attempt = context.identity.attempt if kind.name == "job" else 1
    owner = Ownership(context.project, context.spec.name, digest, field_digests(document, kind.rules), attempt)
    text = templates.text(kind.template, {**wanted.variables, "tags": {**context.tags, **kind.owner_tags(owner)}})
    return Desired(wanted.key, text, document, digest, wanted.depends_on, wanted.path, wanted.uploads)


def _same_identity(kind: Kind, wanted: Wanted, document: Mapping[str, object]) -> None:
    """A user's template may add, but it may not rename, nor change the inputs that the job's digest stands for (FF204, FF205)."""
    if document.get("name") != wanted.key.name or str(document.get("version", wanted.key.version)) != str(wanted.key.version):
        raise FineforgeError(
            Diagnostic("FF204", f"template `{kind.template}` changes the name of `{wanted.key}`", path=wanted.path)
        )
    if "inputs" not in wanted.variables:
        return
    steps = document.get("jobs")
    step: object = next(iter(steps.values()), None) if isinstance(steps, Mapping) else None
    inputs: Mapping[str, object] = (step.get("inputs") or {}) if isinstance(step, Mapping) else {}
    wrong = [
        name
        for name in {**wanted.variables["inputs"], **inputs}
        if str(inputs.get(name)) != str(wanted.variables["inputs"].get(name))
    ]
    if wrong:
        names = ", ".join(f"`{name}`" for name in sorted(wrong))
        hint = "set it in the spec: the job's name stands for the values there"
        raise FineforgeError(
            Diagnostic("FF205", f"template `{kind.template}` changes the inputs {names}", path=wanted.path, hint=hint)
        )
