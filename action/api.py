"""GitHub's REST API, as far as the action needs it: comments, issues, deployments. What is said in them is decided elsewhere.

Endpoints and their shapes: https://docs.github.com/rest (issues, deployments, commits), API version 2022-11-28.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import HTTPRedirectHandler, Request, build_opener

Made = TypeVar("Made")
PAGE = 100
ATTEMPTS = 4
_SECONDS = 30
_PATIENCE = 60
"""The longest wait between two attempts, in seconds, whatever the service asks for."""


class Refused(Exception):
    """The service did not do it, in its own words."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class _Passing(Refused):
    """It may do it the next time; `seconds` from now."""

    seconds = 1.0


@dataclass(frozen=True, slots=True)
class Api:
    base: str
    repository: str
    token: str = field(repr=False)

    def comment(self, number: int, key: str, body: str, create: bool = True) -> str:
        """Replaces our comment on a pull request that begins with `key`, or writes it; its address. Where there is none and
        `create` is false, nothing is written and the address is empty."""

        def put() -> str:
            found = self._ours(f"/issues/{number}/comments?", key)
            if found is None:
                return self._written("POST", f"/issues/{number}/comments", {"body": body}) if create else ""
            return self._written("PATCH", f"/issues/comments/{found['id']}", {"body": body})

        return _again(put)

    def issue(self, key: str, title: str, body: str) -> str:
        """Replaces the text of our open issue that begins with `key`, or opens it; its address."""

        def put() -> str:
            found = self._ours("/issues?state=open&", key)
            if found is None:
                return self._written("POST", "/issues", {"title": title, "body": body})
            return self._written("PATCH", f"/issues/{found['number']}", {"title": title, "body": body})

        return _again(put)

    def close(self, key: str, body: str) -> str:
        """Closes our open issue that begins with `key`, with a last text; its address, empty where there is none."""

        def put() -> str:
            found = self._ours("/issues?state=open&", key)
            if found is None:
                return ""
            change = {"body": body, "state": "closed", "state_reason": "completed"}
            return self._written("PATCH", f"/issues/{found['number']}", change)

        return _again(put)

    def approved(self, environment: str) -> str:
        """The commit of the newest deployment to the environment that has begun: one that waits for its approval has not, nor
        one that was refused. Empty where there is none."""
        return _again(lambda: self._approved(environment))

    def is_merged(self, commit: str, into: str) -> bool:
        """Whether a commit is the other one, or among what led to it."""
        found = _again(lambda: self._send("GET", f"/compare/{quote(commit, safe='')}...{quote(into, safe='')}?per_page=1"))
        return found["status"] in ("ahead", "identical")

    def _approved(self, environment: str) -> str:
        for deployment in self._all(f"/deployments?environment={quote(environment, safe='')}&"):
            states = {status["state"] for status in self._all(f"/deployments/{int(deployment['id'])}/statuses?")}
            if states & {"in_progress", "success"}:
                return str(deployment["sha"])
        return ""

    def _ours(self, path: str, key: str) -> Any:
        """What begins with `key` and is by whom the token is for: others may write the key too, and go on changing what they
        wrote."""
        begins = [row for row in self._all(path) if (row.get("body") or "").startswith(key) and "pull_request" not in row]
        name = self._name() if begins else ""
        return next((row for row in begins if _is_by(row.get("user") or {}, name)), None)

    def _name(self) -> str:
        """Who the token is for; empty for an app's, which may not ask."""
        try:
            return str(self._send("GET", "/user", rooted=True)["login"])
        except _Passing:
            raise
        except Refused:
            return ""

    def _all(self, path: str) -> Iterator[Any]:
        for page in range(1, 1000):
            rows = self._send("GET", f"{path}per_page={PAGE}&page={page}")
            yield from rows
            if len(rows) < PAGE:
                return

    def _written(self, method: str, path: str, body: Mapping[str, Any]) -> str:
        return str(self._send(method, path, body)["html_url"])

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None, rooted: bool = False) -> Any:
        url = f"{self.base}{path}" if rooted else f"{self.base}/repos/{self.repository}{path}"
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {self.token}",
            "X-GitHub-Api-Version": "2022-11-28",
            "User-Agent": "fineforge-action",
            **({"Content-Type": "application/json"} if body is not None else {}),
        }
        data = None if body is None else json.dumps(body).encode()
        try:
            with build_opener(_Stay).open(Request(url, data, headers, method=method), timeout=_SECONDS) as answer:
                return json.load(answer)
        except HTTPError as error:
            raise _told(error, f"{method} {url}") from None
        except (URLError, HTTPException, OSError, ValueError) as error:
            raise _Passing(f"{method} {url}: {error}") from None


class _Stay(HTTPRedirectHandler):
    """The token goes nowhere but to the address that the runner named."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _again(work: Callable[[], Made]) -> Made:
    """Does it once more where the failure may pass. What writes looks first, so that an answer that got lost doubles nothing."""
    for left in range(ATTEMPTS - 1, -1, -1):
        try:
            return work()
        except _Passing as error:
            if not left:
                raise
            time.sleep(min(error.seconds, _PATIENCE))
    raise AssertionError("unreachable")


def _is_by(user: Mapping[str, Any], name: str) -> bool:
    return user.get("login") == name if name else user.get("type") == "Bot"


def _told(error: HTTPError, request: str) -> Refused:
    """Passing are failures of the service, and its limits: those say when to come again
    (https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api)."""
    with error:
        text = error.read(20_000).decode("utf-8", "replace")
    try:
        said = str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        said = error.reason
    message = f"{request}: HTTP {error.code}: {said}"
    after = error.headers.get("Retry-After") or ""
    if error.code >= 500 or error.code == 429 or (error.code == 403 and after):
        passing = _Passing(message, error.code)
        passing.seconds = float(after) if after.isdigit() else 1.0
        return passing
    return Refused(message, error.code)
