"""The kinds that there are: the only registration."""

from __future__ import annotations

from collections.abc import Mapping

from fineforge.emulator.models.base import Body, Key, Kind, Reply
from fineforge.emulator.models.compute import Compute
from fineforge.emulator.models.context import Context
from fineforge.emulator.models.data import Data
from fineforge.emulator.models.deployment import Deployment
from fineforge.emulator.models.endpoint import Endpoint
from fineforge.emulator.models.job import Job
from fineforge.emulator.models.model import Model
from fineforge.emulator.models.references import References
from fineforge.emulator.models.registries import Registry, RegistryResource
from fineforge.emulator.models.registry import RegistryAsset
from fineforge.emulator.models.registry_models import RegistryModel
from fineforge.emulator.models.runs import Metrics, RunDetails
from fineforge.emulator.models.sizes import Usages, VmSizes
from fineforge.emulator.models.workspace import Datastore, Workspace


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
