"""A dataset hub on loopback: the part of the Hugging Face Hub's HTTP API that reading datasets needs, and its bad days.

Datasets are folders, `root/owner/name/...`, all at one commit. Files go out by a redirect to a second host, as large files
of the real hub do, with ranges and ETags. Every request is counted; faults are put into a queue and happen to the
next matching request. The shapes of answers are those of huggingface.co/api, read off the client library
(huggingface_hub 2.4, hf_api.py).
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

COMMIT = "8049631c405ae6576f93f445c6b8166f76f5505a"


@dataclass
class Fault:
    """What happens to a request whose path and range hold `where`."""

    kind: str
    """`status`, `break` (the connection ends half-way), `short` (fewer bytes than were asked for), `garbage`."""
    where: str = ""
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    times: int = 1


@dataclass
class Request:
    method: str
    path: str
    range: str
    host: str
    authorization: str
    sent: int = 0
    """Bytes of the body."""


@dataclass
class Hub:
    root: Path
    faults: list[Fault] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    gated: dict[str, str] = field(default_factory=dict)
    """Dataset -> the token that may read it."""
    commit: str = COMMIT
    no_ranges: bool = False
    etags: bool = True
    url: str = ""
    cdn: str = ""
    digests: dict[tuple[Path, int, int], str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def files(self, name: str) -> dict[str, Path] | None:
        base = self.root / name
        if not base.is_dir():
            return None
        return {str(path.relative_to(base)): path for path in sorted(base.rglob("*")) if path.is_file()}

    def digest(self, path: Path) -> str:
        stat = path.stat()
        key = (path, stat.st_mtime_ns, stat.st_size)
        if key not in self.digests:
            self.digests[key] = hashlib.sha256(path.read_bytes()).hexdigest()
        return self.digests[key]

    def data(self) -> list[Request]:
        """Requests for files' bytes."""
        return [
            request
            for request in self.requests
            if request.sent and request.path.startswith("/cdn/") and "README" not in request.path
        ]

    @property
    def sent(self) -> int:
        """Bytes of all files that went out, the README's left out."""
        return sum(request.sent for request in self.data())

    def fault(self, text: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.where in text and fault.times > 0:
                    fault.times -= 1
                    return fault
        return None


@contextmanager
def running(root: Path, port: int = 0) -> Iterator[Hub]:
    hub = Hub(root)
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = _Server(("127.0.0.1", port), handler)
    number = server.server_address[1]
    hub.url, hub.cdn = f"http://127.0.0.1:{number}", f"http://localhost:{number}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that are killed on purpose are no news."""


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length) if length else b""
        headers = self.headers
        self.seen = Request(
            self.command,
            self.path,
            headers.get("Range", ""),
            headers.get("Host", "").split(":")[0],
            headers.get("Authorization", ""),
        )
        with self.hub.lock:
            self.hub.requests.append(self.seen)
        fault = self.hub.fault(f"{self.command} {self.path} {self.seen.range}")
        if fault is not None and fault.kind == "status":
            self._json({"error": "as the test wants it"}, fault.status, fault.headers)
            return
        url = urlsplit(self.path)
        for pattern, route in _ROUTES:
            if match := re.fullmatch(pattern, unquote(url.path)):
                route(self, fault, parse_qs(url.query), *match.groups())
                return
        self._json({"error": "not found"}, 404)

    # --- the API

    def _info(self, fault: Fault | None, query: dict[str, list[str]], name: str, revision: str | None) -> None:
        files = self._open(name, revision)
        if files is None:
            return
        siblings: list[dict[str, Any]] = [{"rfilename": file} for file in files]
        if query.get("blobs"):
            siblings = [{"rfilename": file, **self._blob(path)} for file, path in files.items()]
        info = {"_id": "1", "id": name, "author": name.split("/")[0], "sha": self.hub.commit, "private": False, "gated": False}
        self._json({**info, "disabled": False, "tags": [], "downloads": 0, "likes": 0, "siblings": siblings})

    def _tree(self, fault: Fault | None, query: dict[str, list[str]], name: str, revision: str, below: str | None) -> None:
        files = self._open(name, revision)
        if files is None:
            return
        prefix = f"{below.strip('/')}/" if below and below.strip("/") else ""
        entries, folders = [], set()
        for file, path in files.items():
            if not file.startswith(prefix):
                continue
            parts = file[len(prefix) :].split("/")
            folders |= {prefix + "/".join(parts[:depth]) for depth in range(1, len(parts))}
            if len(parts) == 1 or query.get("recursive", [""])[0].lower() == "true":
                entries.append(self._entry(file, path))
        if prefix and not entries and not folders:
            self._json({"error": "Entry not found"}, 404, {"X-Error-Code": "EntryNotFound"})
            return
        self._json([{"type": "directory", "oid": "0" * 40, "size": 0, "path": folder} for folder in sorted(folders)] + entries)

    def _paths(self, fault: Fault | None, query: dict[str, list[str]], name: str, revision: str) -> None:
        files = self._open(name, revision)
        if files is None:
            return
        try:
            asked = json.loads(self.body)["paths"]
        except ValueError:
            asked = parse_qs(self.body.decode()).get("paths", [])
        asked = [asked] if isinstance(asked, str) else asked
        found = [self._entry(file, path) for file, path in files.items() if file in asked]
        folders = [path for path in asked if any(file.startswith(f"{path.rstrip('/')}/") for file in files)]
        self._json(found + [{"type": "directory", "oid": "0" * 40, "size": 0, "path": path} for path in folders])

    def _refs(self, fault: Fault | None, query: dict[str, list[str]], name: str) -> None:
        branch = {"name": "main", "ref": "refs/heads/main", "targetCommit": self.hub.commit}
        self._json({"branches": [branch], "tags": [], "converts": [], "pullRequests": []})

    def _resolve(self, fault: Fault | None, query: dict[str, list[str]], name: str, revision: str, file: str) -> None:
        files = self._open(name, revision)
        if files is None:
            return
        if file not in files:
            self._json({"error": "Entry not found"}, 404, {"X-Error-Code": "EntryNotFound"})
            return
        size, digest = files[file].stat().st_size, self.hub.digest(files[file])
        headers = {
            "X-Repo-Commit": self.hub.commit,
            "X-Linked-Size": str(size),
            "X-Linked-ETag": f'"{digest}"',
            "ETag": f'"{digest}"',
        }
        self._send(302, b"", {**headers, "Location": f"{self.hub.cdn}/cdn/{name}/{quote(file)}"})

    # --- bytes: the second host, which is any web server too

    def _file(self, fault: Fault | None, query: dict[str, list[str]], path: str) -> None:
        file = self.hub.root / path
        if not file.is_file():
            self._json({"error": "not found"}, 404)
            return
        size, start, status = file.stat().st_size, 0, 200
        end = size
        headers = {"Content-Type": "application/octet-stream"} | (
            {"ETag": f'"{self.hub.digest(file)}"'} if self.hub.etags else {}
        )
        if not self.hub.no_ranges:
            headers["Accept-Ranges"] = "bytes"
            if match := re.fullmatch(r"bytes=(\d*)-(\d*)", self.seen.range):
                start = int(match[1]) if match[1] else max(0, size - int(match[2]))
                end = min(int(match[2]) + 1, size) if match[1] and match[2] else size
                if start >= end:
                    self._send(416, b"", {"Content-Range": f"bytes */{size}"})
                    return
                status, headers["Content-Range"] = 206, f"bytes {start}-{end - 1}/{size}"
        self._bytes(file, start, end, status, headers, fault)

    def _bytes(self, file: Path, start: int, end: int, status: int, headers: dict[str, str], fault: Fault | None) -> None:
        promised = length = end - start
        if fault is not None and fault.kind in ("break", "short"):
            length //= 2
            promised = length if fault.kind == "short" else promised
            self.close_connection = fault.kind == "break"
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(promised)}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        with file.open("rb") as stream:
            stream.seek(start)
            while length > 0 and (block := stream.read(min(length, 1 << 18))):
                if fault is not None and fault.kind == "garbage":
                    block = bytes(len(block))
                self.wfile.write(block)
                self.seen.sent += len(block)
                length -= len(block)

    # --- what routes share

    def _open(self, name: str, revision: str | None) -> dict[str, Path] | None:
        """The dataset's files; None where the request has been refused."""
        token = self.seen.authorization.removeprefix("Bearer ")
        files = self.hub.files(name)
        if files is None:
            self._json({"error": "Repository not found"}, 401 if not token else 404, {"X-Error-Code": "RepoNotFound"})
        elif name in self.hub.gated and token != self.hub.gated[name]:
            words = f"Access to dataset {name} is restricted"
            self._json({"error": words}, 403 if token else 401, {"X-Error-Code": "GatedRepo", "X-Error-Message": words})
        elif revision not in (None, "main", self.hub.commit):
            self._json({"error": "Invalid rev id"}, 404, {"X-Error-Code": "RevisionNotFound"})
        else:
            return files
        return None

    def _entry(self, file: str, path: Path) -> dict[str, Any]:
        blob = self._blob(path)
        return {
            "type": "file",
            "oid": blob["blobId"],
            "size": blob["size"],
            "path": file,
            "lfs": {**blob["lfs"], "oid": blob["lfs"]["sha256"]},
        }

    def _blob(self, path: Path) -> dict[str, Any]:
        size, digest = path.stat().st_size, self.hub.digest(path)
        return {"size": size, "blobId": digest[:40], "lfs": {"sha256": digest, "size": size, "pointerSize": 134}}

    def _json(self, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self._send(
            status,
            json.dumps(value).encode(),
            {"Content-Type": "application/json", "X-Repo-Commit": self.hub.commit, **(headers or {})},
        )

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


_NAME = "([^/]+/[^/]+)"
_ROUTES: tuple[tuple[str, Any], ...] = (
    (rf"/api/datasets/{_NAME}(?:/revision/([^/]+))?", _Handler._info),
    (rf"/api/datasets/{_NAME}/tree/([^/]+)(?:/(.*))?", _Handler._tree),
    (rf"/api/datasets/{_NAME}/paths-info/([^/]+)", _Handler._paths),
    (rf"/api/datasets/{_NAME}/refs", _Handler._refs),
    (rf"/datasets/{_NAME}/resolve/([^/]+)/(.+)", _Handler._resolve),
    (r"/cdn/(.+)", _Handler._file),
)


def main() -> None:
    """`python -m tests.hub FOLDER PORT`: serves until it is killed."""
    import sys

    with running(Path(sys.argv[1]), int(sys.argv[2])) as hub:
        print(hub.url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
