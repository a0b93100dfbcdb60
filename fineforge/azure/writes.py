"""Creates, through azure-ai-ml: a rendered YAML goes in as a user would hand it to `az ml`, and nobody waits here.

The SDK prints to both streams and logs much; all of that is kept off the terminal. Threads: an MLClient each, for its thread
safety is documented nowhere.
"""

from __future__ import annotations

import contextlib
import io
import threading
from typing import Any

import yaml

from fineforge.azure.connection import Connection
from fineforge.azure.errors import diagnose, words
from fineforge.azure.quiet import quiet, silence_loggers
from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.core.objects import ResourceKey
from fineforge.resources.kinds import KINDS
from fineforge.resources.kinds.base import Api

_LOCAL = threading.local()


def create(connection: Connection, key: ResourceKey, text: str) -> None:
    """Submits one object, once more where the service takes its token no longer. Raises FF4xx with the service's words; returns
    as soon as the service has accepted it."""
    from azure.core.exceptions import AzureError, HttpResponseError, ServiceRequestError, ServiceResponseError

    try:
        with quiet():
            try:
                _create(connection, key, text)
            except HttpResponseError as error:
                if error.status_code != 401 or not connection.renew():
                    raise
                _create(connection, key, text)
    except HttpResponseError as error:
        raise FineforgeError(_refused(key, error)) from None
    except (ServiceRequestError, ServiceResponseError) as error:
        hint = "run the same command again; completed steps stay completed"
        raise FineforgeError(Diagnostic("FF409", f"`{key}`: the connection broke: {_plain(error)}", hint=hint)) from None
    except AzureError as error:
        raise FineforgeError(Diagnostic("FF400", f"`{key}`: {_plain(error)}")) from None
    except FineforgeError:
        raise
    except Exception as error:  # The SDK raises its own and marshmallow's types; a user must see words, never a traceback.
        raise FineforgeError(Diagnostic("FF418", f"azure-ai-ml rejects the YAML of `{key}`: {_plain(error)}")) from None


def _create(connection: Connection, key: ResourceKey, text: str) -> None:
    api = KINDS[key.kind].api
    if api is None:
        _publish(connection, key, text)
    else:
        _submit(_client(connection), api, text)


def _client(connection: Connection, registry: str | None = None) -> Any:
    """This thread's MLClient for the workspace, or for a registry."""
    clients = _LOCAL.__dict__.setdefault("clients", {})
    if (connection, registry) not in clients:
        from azure.ai.ml import MLClient
        from azure.ai.ml._utils import _azureml_polling

        # Its poller prints a dot per look, whatever `show_progress` says (1.35.2): the name is shadowed in that module only.
        _azureml_polling.print = lambda *_, **__: None
        silence_loggers()
        where = connection.workspace
        place: dict[str, Any] = {"registry_name": registry}
        if registry is None:
            place = {"resource_group_name": where.resource_group, "workspace_name": where.name}
        clients[connection, registry] = MLClient(
            connection.credential,
            where.subscription_id,
            **place,
            enable_telemetry=False,
            show_progress=False,
            **connection.transport,
        )
    return clients[connection, registry]


def _submit(client: Any, api: Api, text: str) -> None:
    from azure.ai import ml

    entity = getattr(ml, api.load)(io.StringIO(text))
    getattr(getattr(client, api.client), api.create)(entity, **api.options)


def _publish(connection: Connection, key: ResourceKey, text: str) -> None:
    """Copies a model into a registry. `models.share` does the same, but takes no proxy to reach the registry through (1.35.2)."""
    from azure.ai.ml.entities import WorkspaceModelReference

    document = yaml.safe_load(text)
    _, name, version = document["model"].split(":")
    workspace = _client(connection).workspaces.get(connection.workspace.name)
    guid = workspace._workspace_id  # what `share` takes it from, too
    asset = f"azureml://locations/{workspace.location}/workspaces/{guid}/models/{name}/versions/{version}"
    reference = WorkspaceModelReference(name=key.name, version=key.version, asset_id=asset)
    _client(connection, key.parent).models.create_or_update(reference)


def _refused(key: ResourceKey, error: Any) -> Diagnostic:
    body = ""
    if error.response is not None:
        with contextlib.suppress(Exception):
            body = error.response.text()
    code, message = words(body) if body else (str(getattr(error.error, "code", "") or ""), str(error.message))
    return diagnose(error.status_code, code, message, key)


def _plain(error: BaseException) -> str:
    text = " ".join(str(getattr(error, "message", None) or error).split())
    return (text or type(error).__name__)[:600]
