"""Creates, through azure-ai-ml: a rendered YAML goes in as a user would hand it to `az ml`, and nobody waits here.

The SDK prints to both streams and logs much; all of that is kept off the terminal. Threads: an MLClient each, for its thread
safety is documented nowhere.
"""

from __future__ import annotations

import contextlib
import io
import threading
from typing import Any

from fineforge.azure.connection import Connection
from fineforge.azure.errors import diagnose, words
from fineforge.azure.quiet import quiet, silence_loggers
from fineforge.core import ResourceKey
from fineforge.diagnostics import Diagnostic, FineforgeError

_LOCAL = threading.local()


def create(connection: Connection, key: ResourceKey, text: str) -> None:
    """Submits one object. Raises FF4xx with the service's words; returns as soon as the service has accepted it."""
    from azure.core.exceptions import AzureError, HttpResponseError

    try:
        with quiet():
            _submit(_client(connection), key.kind, _load(key.kind, text))
    except HttpResponseError as error:
        raise FineforgeError(_refused(key, error)) from None
    except AzureError as error:
        raise FineforgeError(Diagnostic("FF400", f"`{key}`: {_plain(error)}")) from None
    except FineforgeError:
        raise
    except Exception as error:  # The SDK raises its own and marshmallow's types; a user must see words, never a traceback.
        raise FineforgeError(Diagnostic("FF418", f"azure-ai-ml refuses the YAML of `{key}`: {_plain(error)}")) from None


def _client(connection: Connection) -> Any:
    """This thread's MLClient for the workspace."""
    clients = _LOCAL.__dict__.setdefault("clients", {})
    if connection not in clients:
        from azure.ai.ml import MLClient
        from azure.ai.ml._utils import _azureml_polling

        # Its poller prints a dot per look, whatever `show_progress` says (1.35.2): the name is shadowed in that module only.
        _azureml_polling.print = lambda *_, **__: None
        silence_loggers()
        where = connection.workspace
        clients[connection] = MLClient(
            connection.credential,
            where.subscription_id,
            where.resource_group,
            where.name,
            enable_telemetry=False,
            show_progress=False,
            **connection.transport,
        )
    return clients[connection]


def _load(kind: str, text: str) -> Any:
    from azure.ai import ml

    loaders = {
        "compute": ml.load_compute,
        "data": ml.load_data,
        "job": ml.load_job,
        "model": ml.load_model,
        "endpoint": ml.load_online_endpoint,
        "deployment": ml.load_online_deployment,
    }
    return loaders[kind](io.StringIO(text))


def _submit(client: Any, kind: str, entity: Any) -> None:
    match kind:
        case "compute":
            client.compute.begin_create_or_update(entity)
        case "data":
            client.data.create_or_update(entity)
        case "job":
            client.jobs.create_or_update(entity)
        case "model":
            client.models.create_or_update(entity)
        case "endpoint":
            client.online_endpoints.begin_create_or_update(entity)
        case "deployment":
            client.online_deployments.begin_create_or_update(entity, skip_script_validation=True)


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
