"""The kinds that there are: the only registration."""

from __future__ import annotations

from collections.abc import Mapping

from fineforge.emulator.rules.base import Body, Key, Kind, Reply
from fineforge.emulator.rules.compute import Compute
from fineforge.emulator.rules.context import Context
from fineforge.emulator.rules.data import Data
from fineforge.emulator.rules.deployment import Deployment
from fineforge.emulator.rules.endpoint import Endpoint
from fineforge.emulator.rules.job import Job
from fineforge.emulator.rules.model import Model
from fineforge.emulator.rules.references import References
from fineforge.emulator.rules.registries import Registry, RegistryResource
from fineforge.emulator.rules.registry import RegistryAsset
from fineforge.emulator.rules.registry_models import RegistryModel
from fineforge.emulator.rules.runs import Metrics, RunDetails
from fineforge.emulator.rules.sizes import Usages, VmSizes
from fineforge.emulator.rules.workspace import Datastore, Workspace


class OperationStatus(Kind):
    """Path (id,): the status body of a long operation, in the form of its family."""

    name = "operation"

    def __init__(self, context: Context) -> None:
        self._context = context

    def get(self, path: Key) -> Reply:
        operation = self._context.operations.find(path[0])
        over = operation.status != "Running"
        error: Body = {"error": dict(operation.error)} if over and operation.error else {}
        percent = {"percentComplete": 100.0 if over else 0.0}
        if operation.family == "compute":
            # No id or name here, unlike the other family (recorded).
            return Reply(200, {"status": operation.status if over else "InProgress", **percent, **error})
        body = {
            "id": f"{self._context.settings.location_path}/mfeOperationsStatus/{operation.id}",
            "name": operation.id,
            "startTime": self._context.lifecycle.timestamp(operation.started),
            **percent,
            # `Updating`, not InProgress (recorded).
            "status": operation.status if over else "Updating",
        }
        return Reply(200, body | error)


def all_kinds(context: Context) -> Mapping[str, Kind]:
    data, model = Data(context), Model(context)
    models = RegistryModel(context, model)
    components = RegistryAsset(context, "registry_component", "components")
    references = References(context, data, model, models, components)
    kinds: tuple[Kind, ...] = (
        Workspace(context),
        Datastore(context),
        Compute(context),
        data,
        Job(context, references),
        RunDetails(context),
        Metrics(context),
        model,
        Endpoint(context),
        Deployment(context, references),
        Registry(context),
        RegistryResource(context),
        models,
        components,
        VmSizes(),
        Usages(context),
        OperationStatus(context),
    )
    return {kind.name: kind for kind in kinds}
