"""Run history: a job's log, its metrics, and why it failed. None of it is in the ARM body of a job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fineforge.azure import paths
from fineforge.azure.errors import refusal
from fineforge.azure.http import ML_SCOPE, Http
from fineforge.gateway import Workspace

_LOG = "logs/azureml/executionlogs.txt"
"""What the SDK's stream prints for a pipeline; `user_logs/std_log*.txt` where a run has them."""


def read_log(http: Http, workspace: Workspace, location: str, job: str, offset: int) -> tuple[str, int]:
    """New text since `offset` characters. A log that cannot be read yet is no error: it is empty."""
    details = _details(http, workspace, location, job)
    files = details.get("logFiles") or {}
    name = next((entry for entry in sorted(files) if entry.startswith("user_logs/std_log")), _LOG)
    if name not in files:
        return "", offset
    answer = http.send("GET", files[name], scope=None)
    text = answer.body if isinstance(answer.body, str) else ""
    return (text[offset:], len(text)) if answer.ok else ("", offset)


def read_metrics(http: Http, workspace: Workspace, location: str, job: str) -> Mapping[str, Sequence[tuple[int, float]]]:
    """Metric name -> (step, value). From the workspace's MLflow tracking endpoint, child runs of the pipeline included."""
    found: dict[str, list[tuple[int, float]]] = {}
    for run in (job, *_children(http, workspace, location, job)):
        root = f"https://{location}.api.azureml.ms/mlflow/v1.0{paths.workspace(workspace)}/api/2.0/mlflow"
        answer = http.send("GET", f"{root}/runs/get?run_id={run}", scope=ML_SCOPE)
        if not answer.ok or not isinstance(answer.body, Mapping):
            continue
        for name in {entry["key"] for entry in ((answer.body.get("run") or {}).get("data") or {}).get("metrics") or ()}:
            history = http.send("GET", f"{root}/metrics/get-history?run_id={run}&metric_key={name}", scope=ML_SCOPE)
            points = history.body.get("metrics") or () if history.ok and isinstance(history.body, Mapping) else ()
            found.setdefault(name, []).extend((int(point.get("step", 0)), float(point["value"])) for point in points)
    return found


def read_error(http: Http, workspace: Workspace, location: str, job: str) -> dict[str, str]:
    """Code and message of a failed run."""
    error = (_details(http, workspace, location, job).get("error") or {}).get("error") or {}
    return {part: str(error.get(part) or "") for part in ("code", "message")} if error else {}


def _details(http: Http, workspace: Workspace, location: str, job: str) -> Mapping[str, Any]:
    url = f"https://{location}.api.azureml.ms/history/v1.0{paths.workspace(workspace)}/runs/{job}/details"
    answer = http.send("GET", url, scope=ML_SCOPE)
    if answer.status == 404:
        return {}
    if not answer.ok:
        raise refusal(answer.status, answer.body, f"run {job}", answer.headers)
    return answer.body if isinstance(answer.body, Mapping) else {}


def _children(http: Http, workspace: Workspace, location: str, job: str) -> list[str]:
    url = f"https://{location}.api.azureml.ms/history/v1.0{paths.workspace(workspace)}/runs/{job}/children"
    answer = http.send("GET", url, scope=ML_SCOPE)
    rows = answer.body.get("value") or () if answer.ok and isinstance(answer.body, Mapping) else ()
    return [str(row.get("runId")) for row in rows if row.get("runId")]
