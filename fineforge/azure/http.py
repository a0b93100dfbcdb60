"""Raw requests through azure-core's pipeline: its retries, its throttling, its tokens; our proxy and certificate authority."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from azure.core.exceptions import AzureError, ClientAuthenticationError, ServiceRequestError, ServiceResponseError
from azure.core.pipeline import Pipeline
from azure.core.pipeline.policies import (
    BearerTokenCredentialPolicy,
    ProxyPolicy,
    RequestIdPolicy,
    RetryPolicy,
    UserAgentPolicy,
)
from azure.core.rest import HttpRequest

from fineforge import __version__
from fineforge.azure.connection import RETRIES, Connection
from fineforge.azure.door import caused, strange
from fineforge.azure.errors import first_line
from fineforge.core.diagnostics import Diagnostic, FineforgeError
from fineforge.core.gateway import LOCAL

ARM = "https://management.azure.com"
ARM_SCOPE = "https://management.azure.com/.default"
ML_SCOPE = "https://ml.azure.com/.default"
"""Audience of registry discovery and run history (azure-ai-ml 1.35.2)."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: Any
    """Decoded JSON, else text."""
    text: str = ""
    """As it came: a log may happen to be JSON."""
    url: str = ""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


class Http:
    """One pipeline per token audience over one pool of connections; safe to use from several threads."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._transport = connection.door()
        self._transport.open()
        self._pipelines = {scope: self._pipeline(scope) for scope in (ARM_SCOPE, ML_SCOPE, None)}

    def send(
        self,
        method: str,
        url: str,
        *,
        scope: str | None = ARM_SCOPE,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        asks: bool = False,
        seconds: float | None = None,
    ) -> Answer:
        """One request, retried as azure-core retries, once more with a new token where the service takes the old one no longer.

        `asks`: a POST that only asks is sent again, too, where the connection broke before the answer came.

        `seconds`: how long the service may take to answer, where that is other than usual.
        Raises FF401, FF402, FF406, FF409 or FF424; any other answer of the service is returned. A redirect is not followed.
        """
        options: dict[str, Any] = {"retry_on_methods": [method]} if asks else {}
        options |= {"read_timeout": seconds} if seconds else {}
        answer = self._send(method, url, scope, json, headers or {}, options)
        if answer.status == 401 and scope is not None and self._connection.renew():
            answer = self._send(method, url, scope, json, headers or {}, options)
        if 300 <= answer.status < 400:
            where = answer.headers.get("Location") or ""
            raise FineforgeError(strange(url, f"it is a redirect ({answer.status}) to `{_host(where) or 'nowhere'}`"))
        return answer

    def close(self) -> None:
        self._transport.close()

    def _send(self, method: str, url: str, scope: str | None, json: Any, headers: Mapping[str, str], options: Any) -> Answer:
        request = HttpRequest(method, url, json=json, headers=dict(headers))
        try:
            response = self._pipelines[scope].run(request, **options).http_response
            text = response.text() if callable(getattr(response, "text", None)) else ""
        except FineforgeError:
            raise
        except ClientAuthenticationError as error:
            raise self._not_signed_in(error) from None
        except (ServiceRequestError, ServiceResponseError) as error:
            raise FineforgeError(self._unreachable(url, error)) from None
        except AzureError as error:
            raise FineforgeError(Diagnostic("FF409", f"`{_host(url)}`: {first_line(error)}")) from None
        return Answer(response.status_code, response.headers, _decode(text), text, url)

    def _not_signed_in(self, error: Exception) -> FineforgeError:
        """azure-identity says that the sign-in was refused, whatever went wrong."""
        for cause in (*caused(error), *self._connection.sign_in_failures()):
            if isinstance(cause, FineforgeError):
                return cause
            if isinstance(cause, ServiceRequestError | ServiceResponseError):
                return FineforgeError(self._unreachable("the sign-in service", cause))
        return FineforgeError(_no_credential(error))

    def _pipeline(self, scope: str | None) -> Pipeline[Any, Any]:
        policies: list[Any] = [
            RequestIdPolicy(),
            UserAgentPolicy(f"fineforge/{__version__}"),
            ProxyPolicy(self._connection.transport.get("proxies")),
            RetryPolicy(**RETRIES),
        ]
        if scope is not None:
            policies.append(BearerTokenCredentialPolicy(self._connection.credential, scope))
        return Pipeline(self._transport, policies)

    def _unreachable(self, url: str, error: Exception) -> Diagnostic:
        target = self._connection.workspace.target
        hint = (
            "`fineforge emulator status` shows whether the emulator is running"
            if target == LOCAL
            else "check the network and the proxy settings"
        )
        return Diagnostic("FF409", f"`{_host(url)}` is unreachable: {first_line(error)}", hint=hint)


def _no_credential(error: Exception) -> Diagnostic:
    """What was tried, and why each could not: a few words of the exception's own text, which runs over a page."""
    hint = "run `az login`, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"
    tried = re.findall(r"(?m)^\W*(\w+Credential): (.+)$", str(error))
    if not tried:
        return Diagnostic("FF402", f"sign-in failed: {first_line(error)}", hint=hint)
    reasons = (re.split(r"\. |\.?$", said.removeprefix(f"{name} "))[0] for name, said in tried)
    listed = ", ".join(f"`{name}` ({reason})" for (name, _), reason in zip(tried, reasons, strict=True))
    return Diagnostic("FF401", f"no credentials for Azure; tried {listed}", hint=hint)


def _host(url: str) -> str:
    return url.split("/")[2] if url.count("/") > 1 else url


def _decode(text: str) -> Any:
    from json import loads

    try:
        return loads(text) if text else None
    except (ValueError, RecursionError):
        return text
