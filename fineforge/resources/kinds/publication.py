"""Publications: copies of a registered model in a registry, from which other workspaces deploy it.

The service copies files, tags and all; so a publication is never changed, and stays when its spec is destroyed: what other
workspaces rely on, no spec of this one takes away.
"""

from __future__ import annotations

from collections.abc import Iterable

from fineforge.resources.fields import Change, FieldRule
from fineforge.resources.kinds.base import PROVISIONING, Context, End, Kind, Wanted, identity_rules

_COPIED = "a copy is made once, and never changed"


def _wanted(context: Context) -> Iterable[Wanted]:
    key, model = context.identity.publication, context.identity.model
    if key is None or model is None:
        return
    variables = {
        "name": key.name,
        "version": key.version,
        "registry": key.parent,
        "model": f"azureml:{model.name}:{model.version}",
    }
    yield Wanted(key, variables, ("register", "registry"), (model,))


PUBLICATION = Kind(
    name="publication",
    rules=(
        *identity_rules("name", "version", "registry"),
        FieldRule("model", change=Change.IGNORE, reason="the copy does not say what it was copied from"),
        FieldRule("tags.*", change=Change.IGNORE, reason=_COPIED),
    ),
    wanted=_wanted,
    state="properties.provisioningState",
    states=PROVISIONING,
    end=End.STAY,
    api=None,
    end_order=70,
    is_output=True,
    fixed={"name": "name", "version": "version", "registry": "registry", "model": "model"},
)
