"""Specs for what exists already: a job, an endpoint, a deployment, described as a spec would.

Reads through the gateway and writes nothing, here or there. `job` and `serving` say what an object would be in a spec, `writing`
makes text of it; what a spec cannot say becomes a comment.
"""

from __future__ import annotations

from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.core.gateway import Reader
from fineforge.core.objects import ResourceKey
from fineforge.importing import job, serving
from fineforge.importing.writing import Draft, text


def spec_of(word: str, gateway: Reader, today: str, name: str | None = None) -> str:
    """The text of a spec for `JOB`, `endpoint/NAME` or `deployment/ENDPOINT/NAME`; `name` is what it is to be called.

    Raises FF422 where there is no such object, FF423 where no spec can say what it is.
    """
    draft = _draft(word, gateway, today, name)
    draft.head.insert(0, f"Written from `{word}` of `{gateway.workspace.name}` by `fineforge import`. Nothing was changed there.")
    return text(draft)


def _draft(word: str, gateway: Reader, today: str, name: str | None) -> Draft:
    match word.split("/"):
        case ["job", found] | [found] if found:
            return job.draft(ResourceKey("job", found), gateway, today, name)
        case ["endpoint", found] if found:
            return serving.of_endpoint(found, gateway, name)
        case ["deployment", endpoint, found] if endpoint and found:
            return serving.of_deployment(ResourceKey("deployment", found, parent=endpoint), gateway, name)
    hint = "use the name of a job, `endpoint/NAME`, or `deployment/ENDPOINT/NAME`"
    raise FineforgeError(Diagnostic("FF422", f"`{word}` cannot be imported", hint=hint))
