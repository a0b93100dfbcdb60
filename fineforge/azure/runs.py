"""Run history and MLflow tracking: a job's logs, its metrics, and why it failed. None of it is in the ARM body of a job.

A pipeline's steps are runs of their own, however deep; the tracking server finds them all by the tag `mlflow.rootRunId`, which
the service puts on each (azureml-examples, the notebooks of the fine-tuning components).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from fineforge.azure import paths
from fineforge.azure.door import Pages, object_of, part_of, rows_of, strange
from fineforge.azure.errors import refusal
from fineforge.azure.http import ML_SCOPE, Answer, Http
from fineforge.core.diagnostics import FineforgeError
from fineforge.core.gateway import Workspace
from fineforge.core.runs import Last, LogPosition, LogText, Run, Series, deciding

RUNS_PAGE, POINTS_PAGE = 100, 1000
"""Rows that are asked for at a time; the tracking API allows 50,000 runs and 25,000 points (MLflow's REST reference)."""

_PIPELINE_LOG = "logs/azureml/executionlogs.txt"
"""What the SDK's stream prints for a pipeline; `user_logs/std_log*.txt` where a run has them."""
_OVER = frozenset({"FINISHED", "FAILED", "KILLED"})


class Runs:
    """The runs of one workspace."""

    def __init__(
        self,
        http: Http,
        workspace: Workspace,
        location: str,
        runs_page: int = RUNS_PAGE,
        points_page: int = POINTS_PAGE,
    ) -> None:
        host, where = f"https://{location}.api.azureml.ms", paths.workspace(workspace)
        self._http, self._runs_page, self._points_page = http, runs_page, points_page
        self._history = f"{host}/history/v1.0{where}"
        self._tracking = f"{host}/mlflow/v1.0{where}/api/2.0/mlflow"

    def read_log(self, job: str, seen: LogPosition) -> tuple[list[LogText], LogPosition]:
        """What is new in the job's own log and in those of its steps. A log that cannot be read yet is no error: it is empty."""
        found, position = self._new_text(Run(job, ""), seen)
        for run, over in self._steps(job):
            if run.id in seen:
                continue
            told, after = self._new_text(run, seen)
            found += told
            position |= after | ({run.id: 1} if over else {})
        return found, {**seen, **position}

    def read_metrics(self, job: str) -> Mapping[str, Series]:
        """Every metric of the job and of its steps, by name. Empty where the tracking server does not know the job yet."""
        root = self._run(job)
        if root is None:
            return {}
        entries = [(Run(job, job), root), *((run, body) for run, body in self._below(job, root))]
        latest: dict[str, list[Last]] = {}
        for run, body in entries:
            for metric in _objects(_object(body.get("data")).get("metrics")):
                latest.setdefault(str(metric.get("key")), []).append(Last(run, _whole(metric.get("timestamp"))))
        return {name: self._series(job, name, found) for name, found in latest.items()}

    def read_error(self, job: str) -> dict[str, str]:
        """Code and message of a failed run."""
        error = _object(_object(self._details(job).get("error")).get("error"))
        return {part: str(error.get(part) or "") for part in ("code", "message")} if error else {}

    def _series(self, job: str, name: str, found: list[Last]) -> Series:
        chosen = deciding(job, found).run
        return Series(chosen, tuple(self._points(chosen.id, name)), tuple(last.run for last in found if last.run != chosen))

    def _points(self, run: str, name: str) -> Iterator[tuple[int, float]]:
        """Every page of a metric's history. Numbers that JSON cannot hold arrive as text: `NaN`."""
        token, pages = "", Pages()
        while True:
            pages.turn(self._tracking, token)
            query = {"run_id": run, "metric_key": name, "max_results": str(self._points_page)} | (
                {"page_token": token} if token else {}
            )
            answer = self._http.send("GET", f"{self._tracking}/metrics/get-history?{urlencode(query)}", scope=ML_SCOPE)
            body = self._good(answer, run)
            for point in rows_of(answer, "metrics", named="") if "metrics" in body else ():
                try:
                    yield int(point.get("step") or 0), float(point["value"])
                except (KeyError, TypeError, ValueError, OverflowError):
                    raise FineforgeError(strange(answer.url, "a value of a metric is not a number")) from None
            token = str(body.get("next_page_token") or "")
            if not token:
                return

    def _steps(self, job: str) -> list[tuple[Run, bool]]:
        """The runs below the job, and whether each is over."""
        root = self._run(job)
        below = self._below(job, root) if root is not None else []
        return [(run, str(_object(body.get("info")).get("status")) in _OVER) for run, body in below]

    def _run(self, run: str) -> Mapping[str, Any] | None:
        answer = self._http.send("GET", f"{self._tracking}/runs/get?{urlencode({'run_id': run})}", scope=ML_SCOPE)
        if _is_unknown(answer):
            return None
        self._good(answer, run)
        found: Mapping[str, Any] = part_of(answer, "run", Mapping, {})
        if not isinstance(found.get("info"), Mapping) or "experiment_id" not in found["info"]:
            raise FineforgeError(strange(answer.url, "`run.info.experiment_id` is missing"))
        return found

    def _below(self, job: str, root: Mapping[str, Any]) -> list[tuple[Run, Mapping[str, Any]]]:
        """Every page of the runs that have the job as their root, itself left out."""
        found: list[tuple[Run, Mapping[str, Any]]] = []
        wanted: dict[str, Any] = {
            "experiment_ids": [str(root["info"]["experiment_id"])],
            "filter": f"tags.mlflow.rootRunId = '{job}'",
            "max_results": self._runs_page,
        }
        pages = Pages()
        while True:
            pages.turn(self._tracking, str(wanted.get("page_token") or ""))
            answer = self._http.send("POST", f"{self._tracking}/runs/search", scope=ML_SCOPE, json=wanted, asks=True)
            body = self._good(answer, job)
            found += [(_named(entry), entry) for entry in (rows_of(answer, "runs", named="") if "runs" in body else ())]
            if not body.get("next_page_token"):
                return [(run, entry) for run, entry in found if run.id != job]
            wanted["page_token"] = body["next_page_token"]

    def _new_text(self, run: Run, seen: LogPosition) -> tuple[list[LogText], dict[str, int]]:
        found: list[LogText] = []
        position: dict[str, int] = {}
        for name, url in _told_files(_object(self._details(run.id).get("logFiles")), run.name == ""):
            if not url.lower().startswith("https://"):
                continue
            answer = self._http.send("GET", url, scope=None)
            at = seen.get(f"{run.id}/{name}", 0)
            if answer.ok and len(answer.text) > at:
                found.append(LogText(f"{run.name}: {name}" if run.name else "", answer.text[at:]))
                position[f"{run.id}/{name}"] = len(answer.text)
        return found, position

    def _details(self, run: str) -> Mapping[str, Any]:
        answer = self._http.send("GET", f"{self._history}/runs/{quote(run, safe='')}/details", scope=ML_SCOPE)
        return {} if _is_unknown(answer) else self._good(answer, run)

    def _good(self, answer: Answer, run: str) -> Mapping[str, Any]:
        if not answer.ok:
            raise refusal(answer.status, answer.body, f"run {run}", answer.headers)
        return object_of(answer)


def _is_unknown(answer: Answer) -> bool:
    """True if the service says, in its own form, that it does not know the run."""
    return answer.status == 404 and isinstance(answer.body, Mapping)


def _object(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}


def _objects(found: Any) -> Sequence[Mapping[str, Any]]:
    return [entry for entry in found if isinstance(entry, Mapping)] if isinstance(found, list) else []


def _whole(found: Any) -> int:
    return found if isinstance(found, int) else 0


def _named(entry: Mapping[str, Any]) -> Run:
    """A step's run is called by the name that people gave it; its id is a number that nobody knows."""
    info = _object(entry.get("info"))
    tags = {str(tag.get("key")): str(tag.get("value")) for tag in _objects(_object(entry.get("data")).get("tags"))}
    identity = str(info.get("run_id") or info.get("run_uuid") or "")
    return Run(identity, tags.get("mlflow.runName") or str(info.get("run_name") or "") or identity)


def _told_files(files: Mapping[str, str], root: bool) -> list[tuple[str, str]]:
    """The files that people read: what the user's program wrote, one a node; of a pipeline itself, its own log."""
    told = sorted((name, url) for name, url in files.items() if isinstance(url, str) and name.startswith("user_logs/std_log"))
    return told or [(name, url) for name, url in files.items() if name == _PIPELINE_LOG and root and isinstance(url, str)]
