"""Clusters (AmlCompute). Nodes are not emulated: a cluster stays at zero, and jobs do not wait for any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fineforge.catalog import snapshot
from fineforge.catalog.durations import seconds
from fineforge.emulator.rules import checks, identities
from fineforge.emulator.rules.base import Body, Key, Kind, Operation, Reply
from fineforge.emulator.rules.context import Context
from fineforge.emulator.rules.errors import refuse
from fineforge.emulator.rules.sizes import Quota, find

_FIXED = ("vmSize", "vmPriority", "osType", "subnet", "enableNodePublicIp")
"""What an update cannot change. vmPriority may be changed over a failed record, as the official walkthrough does (assumed)."""

_NODES = {f"{state}NodeCount": 0 for state in ("preparing", "running", "idle", "unusable", "leaving", "preempted")}


class Compute(Kind):
    name = "compute"

    def __init__(self, context: Context) -> None:
        self._context = context
        self._quota = Quota(context)

    def get(self, path: Key) -> Reply:
        return Reply(200, self._found(path))

    def list(self, parent: Key, view: str) -> Reply:
        return Reply(200, {"value": [body for _, body in self._context.store.list("compute")]})

    def put(self, path: Key, body: Body) -> Reply:
        checks.compute_name(path[0])
        checks.tags(body.get("tags"))
        properties = checks.mapping(body, "properties")
        if properties.get("computeType") != "AmlCompute":
            raise refuse("field_value", value=properties.get("computeType"), field="computeType", known="AmlCompute")
        wanted = _cluster(checks.mapping(properties, "properties"))
        body = body | {"identity": identities.answered(body.get("identity") or {}, self._context.settings)}
        if self._context.operations.pending("compute", path):
            raise refuse("busy", workspace=self._context.settings.workspace)
        found = self._context.store.get("compute", path)
        return self._update(path, found, body, wanted) if found else self._create(path, body, wanted)

    def patch(self, path: Key, body: Body) -> Reply:
        """Only scale settings (Compute_Update, ClusterUpdateParameters)."""
        found = self._found(path)
        inner = checks.mapping(checks.mapping(body, "properties"), "properties")
        found["properties"]["properties"]["scaleSettings"] |= checks.mapping(inner, "scaleSettings")
        return self.put(path, found)

    def delete(self, path: Key) -> Reply:
        found = self._context.store.get("compute", path)
        if found is None:
            return Reply(204)
        found["properties"]["provisioningState"] = "Deleting"
        self._context.store.put("compute", path, found)
        return Reply(202, None, self._context.operations.begin("compute", path, "delete"))

    def finish(self, operation: Operation) -> Mapping[str, str] | None:
        if operation.action == "delete" and not operation.error:
            self._context.store.delete("compute", operation.path)
            return None
        body = self._found(operation.path)
        properties = body["properties"]
        error = dict(operation.error) if operation.error else None
        properties["provisioningState"] = "Failed" if error else "Succeeded"
        properties["provisioningErrors"] = [{"error": error}] if error else None
        properties["modifiedOn"] = self._context.now()
        if not error:
            # Nodes and their state are there only when done (recorded).
            properties["properties"] |= {
                "currentNodeCount": 0,
                "targetNodeCount": 0,
                "nodeStateCounts": _NODES,
                "allocationState": "Steady",
            }
        self._context.store.put("compute", operation.path, body)
        return error

    def _found(self, path: Key) -> Body:
        found = self._context.store.get("compute", path)
        if found is None:
            raise refuse("compute_missing", name=path[0], workspace=self._context.settings.workspace)
        return found

    def _create(self, path: Key, body: Body, wanted: Body) -> Reply:
        document = self._document(path[0], body, wanted)
        # A refused create leaves a record in state Failed that keeps the name (reported).
        error = self._refusal(wanted)
        self._context.store.put("compute", path, document | {"tags": body.get("tags") or {}})
        return Reply(201, document, self._context.operations.begin("compute", path, "create", error=error))

    def _update(self, path: Key, found: Body, body: Body, wanted: Body) -> Reply:
        current = found["properties"]["properties"]
        failed = found["properties"]["provisioningState"] == "Failed"
        for field in _FIXED:
            if wanted[field] != current[field] and not (failed and field == "vmPriority"):
                raise refuse("vm_size_fixed", field=field, before=current[field], after=wanted[field])
        found["properties"]["properties"] = current | wanted
        found["properties"]["provisioningState"] = "Creating" if failed else "Updating"
        found["properties"]["description"] = body["properties"].get("description")
        found["tags"] = body.get("tags") or {}
        _set_identity(found, body["identity"])
        self._context.store.put("compute", path, found)
        action = "create" if failed else "update"
        return Reply(200, found, self._context.operations.begin("compute", path, action, error=self._refusal(wanted)))

    def _refusal(self, wanted: Body) -> dict[str, str] | None:
        size = find(wanted["vmSize"])
        assert size is not None  # checked by _cluster
        return self._quota.cluster_refusal(size, wanted["scaleSettings"]["minNodeCount"], wanted["vmPriority"] == "LowPriority")

    def _document(self, name: str, body: Body, wanted: Body) -> Body:
        """Recorded: tags are null in this answer and {} in the get."""
        where, now = self._context.settings, self._context.now()
        given = body["properties"]
        nothing = dict.fromkeys(("currentNodeCount", "targetNodeCount", "nodeStateCounts", "allocationState", "errors"))
        document = {
            "id": f"{where.workspace_path}/computes/{name}",
            "name": name,
            "type": "Microsoft.MachineLearningServices/workspaces/computes",
            "location": body.get("location") or where.location,
            "tags": body.get("tags") or None,
            "properties": {
                "createdOn": now,
                "modifiedOn": now,
                "disableLocalAuth": bool(given.get("disableLocalAuth")),
                "description": given.get("description"),
                "resourceId": None,
                "computeType": "AmlCompute",
                "computeLocation": given.get("computeLocation") or where.location,
                "provisioningState": "Creating",
                "provisioningErrors": None,
                "isAttachedCompute": False,
                "properties": wanted | nothing | {"allocationStateTransitionTime": now, "propertyBag": {}},
            },
        }
        _set_identity(document, body["identity"])
        return document


def _set_identity(document: Body, identity: Body) -> None:
    """A cluster without one has no such field (recorded); a PUT without one takes it away."""
    document.pop("identity", None)
    if identity["type"] != "None":
        document["identity"] = identity


def _cluster(given: Mapping[str, Any]) -> Body:
    """A cluster's own fields with the server's defaults and spelling (vmSize upper-cased)."""
    size = find(str(given.get("vmSize") or ""))
    if size is None or not size.training:
        sizes = ", ".join(sorted(known.name.upper() for known in snapshot.sizes().values() if known.training))
        raise refuse("vm_size", size=given.get("vmSize"), sizes=sizes)
    priority = given.get("vmPriority") or "Dedicated"
    if priority not in ("Dedicated", "LowPriority"):
        raise refuse("field_value", value=priority, field="vmPriority", known="Dedicated, LowPriority")
    return {
        "vmSize": str(given["vmSize"]).upper(),
        "vmPriority": priority,
        "scaleSettings": _scale(given.get("scaleSettings") or {}),
        "subnet": given.get("subnet"),
        "remoteLoginPortPublicAccess": given.get("remoteLoginPortPublicAccess") or "NotSpecified",
        "osType": given.get("osType") or "Linux",
        "virtualMachineImage": given.get("virtualMachineImage"),
        "isolatedNetwork": bool(given.get("isolatedNetwork")),
        "enableNodePublicIp": given.get("enableNodePublicIp", True) is not False,
    }


def _scale(given: Mapping[str, Any]) -> Body:
    least, most = given.get("minNodeCount") or 0, given.get("maxNodeCount", 1)
    idle = given.get("nodeIdleTimeBeforeScaleDown") or "PT2M"
    if not (isinstance(least, int) and isinstance(most, int) and 0 <= least <= most and most >= 1):
        raise refuse("scale", reason=f"minNodeCount {least}, maxNodeCount {most}")
    try:
        seconds(idle)
    except ValueError:
        raise refuse("scale", reason=f"nodeIdleTimeBeforeScaleDown {idle}") from None
    return {"maxNodeCount": most, "minNodeCount": least, "nodeIdleTimeBeforeScaleDown": idle}
