"""GitHub on loopback: the endpoints that the action uses, over real HTTP, with the shapes of https://docs.github.com/rest."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "ghs_of-the-workflow"
BOT = {"login": "github-actions[bot]", "type": "Bot"}
REPOSITORY = "shop/models"


@dataclass
class GitHub:
    """What it keeps, and what it was asked."""

    comments: list[dict[str, Any]] = field(default_factory=list)
    issues: list[dict[str, Any]] = field(default_factory=list)
    deployments: list[dict[str, Any]] = field(default_factory=list)
    """Newest first, with their `states`."""
    merged: set[str] = field(default_factory=set)
    """Commits that are part of what they are compared with."""
    failures: list[tuple[int, dict[str, str], bool]] = field(default_factory=list)
    """For the next requests: status, headers, and whether the work is done all the same."""
    requests: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""

    def writes(self) -> list[tuple[str, str]]:
        return [(method, path) for method, path in self.requests if method != "GET"]

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        """Status and document."""
        if path == "/user":
            return 403, {"message": "Resource not accessible by integration"}
        inside = path.removeprefix(f"/repos/{REPOSITORY}")
        match method, inside.strip("/").split("/"):
            case "GET", ["issues", number, "comments"]:
                return 200, _page([row for row in self.comments if row["issue"] == int(number)], query)
            case "POST", ["issues", number, "comments"]:
                return 201, self._add(self.comments, {"issue": int(number), "body": body["body"], "user": BOT})
            case "PATCH", ["issues", "comments", number]:
                return self._change(self.comments, int(number), body)
            case "GET", ["issues"]:
                return 200, _page([row for row in self.issues if row["state"] == query["state"][0]], query)
            case "POST", ["issues"]:
                return 201, self._add(self.issues, {**body, "state": "open", "user": BOT})
            case "PATCH", ["issues", number]:
                return self._change(self.issues, int(number), body)
            case "GET", ["deployments"]:
                return 200, _page([row for row in self.deployments if row["environment"] == query["environment"][0]], query)
            case "GET", ["deployments", number, "statuses"]:
                (found,) = [row for row in self.deployments if row["id"] == int(number)]
                return 200, _page([{"state": state} for state in found["states"]], query)
            case "GET", ["compare", span]:
                return 200, {"status": "ahead" if span.split("...")[0] in self.merged else "diverged"}
        return 404, {"message": "Not Found"}

    def _add(self, rows: list[dict[str, Any]], row: dict[str, Any]) -> dict[str, Any]:
        number = len(rows) + 1
        rows.append({"id": number, "number": number, "html_url": f"https://github.example/{number}", **row})
        return rows[-1]

    def _change(self, rows: list[dict[str, Any]], number: int, body: Any) -> tuple[int, Any]:
        (found,) = [row for row in rows if row["id"] == number]
        if found["user"] != BOT:
            return 403, {"message": "Must have admin rights to Repository."}
        found.update(body)
        return 200, found


def _page(rows: list[Any], query: dict[str, list[str]]) -> list[Any]:
    size, number = int(query["per_page"][0]), int(query["page"][0])
    return rows[size * (number - 1) : size * number]


@contextmanager
def serving() -> Iterator[GitHub]:
    github = GitHub()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def handle_one(self) -> None:
            asked = urlsplit(self.path)
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            github.requests.append((self.command, asked.path))
            if self.headers["Authorization"] != f"Bearer {TOKEN}":
                return self.send(401, {"message": "Bad credentials"}, {})
            status, headers, done = github.failures.pop(0) if github.failures else (0, {}, True)
            found = github.answer(self.command, asked.path, parse_qs(asked.query), json.loads(data or b"null")) if done else None
            if status:
                return self.send(status, {"message": "try again"}, headers)
            assert found is not None
            return self.send(*found, {})

        do_GET = do_POST = do_PATCH = handle_one

        def send(self, status: int, document: Any, headers: dict[str, str]) -> None:
            text = json.dumps(document).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(text))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    github.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield github
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def outputs(text: str) -> dict[str, str]:
    """What a runner reads from the file of GITHUB_OUTPUT."""
    return {name: value for name, _, value in re.findall(r"^([\w-]+)<<(\S+)\n(.*?)\n\2$", text, re.MULTILINE | re.DOTALL)}
