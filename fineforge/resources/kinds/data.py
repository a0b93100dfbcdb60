"""Data assets: one per split, its version the digest of the recipe that prepared it."""

from __future__ import annotations

from collections.abc import Iterable

from fineforge.core.objects import SpecPath, Upload
from fineforge.resources.fields import Change, FieldRule
from fineforge.resources.kinds.base import PROVISIONING, USER_TAGS, Api, Context, End, Kind, Wanted, identity_rules
from fineforge.resources.naming import upload_path


def _wanted(context: Context) -> Iterable[Wanted]:
    for split, key in context.identity.data.items():
        if context.facts.datasets[split].asset:
            yield Wanted(key, {}, ("dataset",), existing=True)
            continue
        destination = upload_path(context.spec, context.facts.datasets[split])
        variables = {
            "name": key.name,
            "version": key.version,
            "path": f"azureml://datastores/workspaceblobstore/paths/{destination}",
        }
        yield Wanted(key, variables, _path(context, split), uploads=(Upload(split, destination),))


def _path(context: Context, split: str) -> SpecPath:
    """Rows that are held out of `train` are described there."""
    dataset = context.spec.dataset
    given = dataset is not None and split in dataset.splits.given()
    return ("dataset", "splits", split if given else "train")


DATA = Kind(
    name="data",
    rules=(
        *identity_rules("$schema", "name", "version"),
        FieldRule("type", "properties.dataType", Change.FIXED, "caseless", reason="a version's content never changes"),
        FieldRule(
            "path",
            "properties.dataUri",
            Change.FIXED,
            "asset",
            reason="a version's content never changes; the service answers the long form of the path (recorded)",
        ),
        USER_TAGS,
    ),
    wanted=_wanted,
    state="properties.provisioningState",
    states=PROVISIONING,
    end=End.ARCHIVE,
    api=Api("data/{name}/versions/{version}", "2023-04-01-preview", "load_data", "data", list_query="&listViewType=All"),
    end_order=50,
    fixed={"name": "name", "version": "version", "path": "path"},
)
