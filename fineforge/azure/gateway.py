"""The gateway over HTTPS, for Azure and for the emulator alike."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fineforge.azure import paths, runs, storage
from fineforge.azure.connection import Connection
from fineforge.azure.errors import is_missing, refusal
from fineforge.azure.http import ARM, Answer, Http
from fineforge.azure.registry import Registry
from fineforge.core import Raw, ResourceKey, Status
from fineforge.diagnostics import Diagnostic, FineforgeError
from fineforge.gateway import Progress, Workspace
from fineforge.kinds import KINDS


class AzureGateway:
    """Implements `fineforge.gateway.Gateway`. Safe to use from several threads."""

    def __init__(self, connection: Connection, cache: Path) -> None:
        self._connection = connection
        self._http = Http(connection)
        self._registry = Registry(self._http, connection, cache)
        self._location: str | None = None
        self._locating = threading.Lock()

    @property
    def workspace(self) -> Workspace:
        return self._connection.workspace

    def location(self) -> str:
        with self._locating:  # Facts are read at once, and more than one of them asks for the region.
            if self._location is None:
                answer = self._send("GET", paths.workspace(self.workspace), "workspace")
                if not answer.ok:
                    self._fail(answer, f"workspace {self.workspace.name}", workspace=True)
                self._location = str(answer.body["location"])
            return self._location

    def get(self, key: ResourceKey) -> Raw | None:
        answer = self._send("GET", paths.resource(self.workspace, key), key.kind)
        if answer.ok:
            return dict(answer.body)
        if is_missing(answer.status, answer.body):
            return None
        raise refusal(answer.status, answer.body, key, answer.headers)

    def list(self, kind: str, parent: str | None = None) -> Mapping[ResourceKey, Raw]:
        path, parameters = paths.collection(self.workspace, kind, parent)
        url: str | None = f"{ARM}{path}?api-version={paths.API_VERSIONS[kind]}{parameters}"
        found: dict[ResourceKey, Raw] = {}
        while url:
            answer = self._http.send("GET", url)
            if is_missing(answer.status, answer.body):
                return found
            if not answer.ok:
                self._fail(answer, f"list of {kind}")
            found |= {paths.key_of(kind, parent, raw): raw for raw in answer.body.get("value") or ()}
            url = answer.body.get("nextLink")
        return found

    def create(self, key: ResourceKey, text: str) -> None:
        from fineforge.azure import writes

        writes.create(self._connection, key, text)

    def update(self, key: ResourceKey, body: Raw) -> None:
        answer = self._send("PUT", paths.resource(self.workspace, key), key.kind, json=dict(body))
        if not answer.ok:
            self._fail(answer, key)

    def delete(self, key: ResourceKey) -> None:
        suffix = "&underlyingResourceAction=Delete" if key.kind == "compute" else ""
        answer = self._send("DELETE", paths.resource(self.workspace, key), key.kind, suffix=suffix)
        if not answer.ok and not is_missing(answer.status, answer.body):
            self._fail(answer, key)

    def cancel(self, key: ResourceKey) -> None:
        answer = self._send("POST", paths.resource(self.workspace, key) + "/cancel", key.kind)
        if not answer.ok:
            self._fail(answer, key)

    def wait(self, key: ResourceKey, progress: Progress, stopped: Callable[[], bool]) -> Raw | None:
        kind = KINDS[key.kind]
        while True:
            raw = self.get(key)
            if raw is None:
                return None
            status = kind.observe(key, raw).status
            if status not in (Status.BUSY, Status.RUNNING):
                return {**raw, "fineforge-error": self._words(key, raw)} if status is Status.FAILED else raw
            progress(raw)
            if stopped():
                return raw
            time.sleep(self._connection.poll_seconds)

    def upload(self, source: Path, destination: str) -> None:
        storage.upload(self._http, self._connection, source, destination)

    def read_log(self, job: str, offset: int) -> tuple[str, int]:
        return runs.read_log(self._http, self.workspace, self.location(), job, offset)

    def read_metrics(self, job: str) -> Mapping[str, Sequence[tuple[int, float]]]:
        return runs.read_metrics(self._http, self.workspace, self.location(), job)

    def read_model(self, registry: str, name: str, version: str) -> Raw | None:
        return self._registry.read(registry, "models", name, version)

    def read_component(self, registry: str, name: str, version: str) -> Raw | None:
        return self._registry.read(registry, "components", name, version)

    def read_sizes(self) -> Raw:
        subscription = f"/subscriptions/{self.workspace.subscription_id}"
        path = f"{subscription}/providers/Microsoft.MachineLearningServices/locations/{self.location()}/vmSizes"
        answer = self._send("GET", path, "sizes")
        return dict(answer.body) if answer.ok else self._fail(answer, "VM sizes")

    def invoke(self, endpoint: str, deployment: str | None, request: Mapping[str, Any]) -> Any:
        key = ResourceKey("endpoint", endpoint)
        raw = self.get(key)
        uri = ((raw or {}).get("properties") or {}).get("scoringUri")
        if not uri:
            raise FineforgeError(Diagnostic("FF404", f"`{key}` does not exist or has no scoring address yet"))
        verb = "listKeys" if str(raw and raw["properties"].get("authMode", "Key")).lower() == "key" else "token"
        secret = self._send("POST", f"{paths.resource(self.workspace, key)}/{verb}", "endpoint")
        if not secret.ok:
            self._fail(secret, key)
        token = secret.body.get("primaryKey") or secret.body.get("accessToken")
        headers = {"Authorization": f"Bearer {token}", **({"azureml-model-deployment": deployment} if deployment else {})}
        answer = self._http.send("POST", uri, scope=None, json=dict(request), headers=headers)
        if not answer.ok:
            self._fail(answer, f"{key}" + (f" ({deployment})" if deployment else ""))
        return answer.body

    def close(self) -> None:
        self._http.close()

    def _send(self, method: str, path: str, kind: str, json: Any = None, suffix: str = "") -> Answer:
        return self._http.send(method, f"{ARM}{path}?api-version={paths.API_VERSIONS[kind]}{suffix}", json=json)

    def _fail(self, answer: Answer, what: ResourceKey | str, workspace: bool = False) -> Any:
        error = refusal(answer.status, answer.body, what, answer.headers)
        if workspace and answer.status == 404:
            message = error.diagnostics[0].message
            hint = "check subscription, resource group and workspace of the target"
            raise FineforgeError(Diagnostic("FF405", message, hint=hint))
        raise error

    def _words(self, key: ResourceKey, raw: Raw) -> dict[str, str]:
        """Why an object failed. Endpoints and deployments keep the address of their last operation; jobs tell run history."""
        if key.kind == "job":
            return runs.read_error(self._http, self.workspace, self.location(), key.name)
        operation = ((raw.get("properties") or {}).get("properties") or {}).get("AzureAsyncOperationUri")
        if operation:
            answer = self._http.send("GET", operation)
            if answer.ok and isinstance(answer.body, Mapping) and answer.body.get("error"):
                return {part: str(answer.body["error"].get(part, "")) for part in ("code", "message")}
        return {}
