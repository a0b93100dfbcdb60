"""Where the emulator's state is: JSON documents in SQLite, by collection and path, in order of creation.

It knows no rule and no kind. A file survives restarts (WAL); `:memory:` is for tests that run many histories.
Every method may be called from any thread; `transaction()` makes several calls one.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Key = tuple[str, ...]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    collection TEXT NOT NULL,
    path TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (collection, path)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counter (next INTEGER NOT NULL);
INSERT INTO counter SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM counter);
"""

_SEPARATOR = "\x1f"
"""Between the parts of a path; no name of Azure may hold it."""

_AFTER_SEPARATOR, _LAST = "\x20", "\U0010ffff"
"""Upper bounds: of what is below a path, and of everything. With them a list reads an index range."""


class Store:
    def __init__(self, location: Path | str = ":memory:") -> None:
        self._lock = threading.RLock()
        self._depth = 0
        # Transactions are explicit (isolation_level None): sqlite3's implicit ones commit at moments of its own choice.
        self._connection = sqlite3.connect(location, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.executescript(_SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; an inner one joins the outer one. Other threads wait."""
        with self._lock:
            if self._depth:
                yield
                return
            self._connection.execute("BEGIN IMMEDIATE")
            self._depth = 1
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            else:
                self._connection.execute("COMMIT")
            finally:
                self._depth = 0

    def get(self, collection: str, path: Key) -> dict[str, Any] | None:
        row = self._one("SELECT body FROM documents WHERE collection = ? AND path = ?", collection, _join(path))
        return None if row is None else json.loads(row[0])

    def put(self, collection: str, path: Key, body: dict[str, Any]) -> None:
        """Writes a document; one that exists keeps its place in the order of creation."""
        text = json.dumps(body, separators=(",", ":"))
        with self.transaction():
            changed = self._connection.execute(
                "UPDATE documents SET body = ? WHERE collection = ? AND path = ?", (text, collection, _join(path))
            )
            if not changed.rowcount:
                self._connection.execute(
                    "INSERT INTO documents VALUES (?, ?, ?, ?)", (collection, _join(path), self._next_number(), text)
                )

    def delete(self, collection: str, path: Key) -> bool:
        """Whether there was one."""
        with self.transaction():
            changed = self._connection.execute(
                "DELETE FROM documents WHERE collection = ? AND path = ?", (collection, _join(path))
            )
            return bool(changed.rowcount)

    def list(self, collection: str, parent: Key = ()) -> list[tuple[Key, dict[str, Any]]]:
        """Documents below a path, oldest first."""
        first, after = (_join(parent) + end for end in (_SEPARATOR, _AFTER_SEPARATOR)) if parent else ("", _LAST)
        with self._lock:
            rows = self._connection.execute(
                "SELECT path, body FROM documents WHERE collection = ? AND path >= ? AND path < ? ORDER BY sequence",
                (collection, first, after),
            ).fetchall()
        return [(tuple(path.split(_SEPARATOR)), json.loads(body)) for path, body in rows]

    def snapshot(self, path: Path) -> None:
        """Writes everything to a file; the store may go on."""
        with self._lock:
            target = sqlite3.connect(path)
            try:
                self._connection.backup(target)
            finally:
                target.close()

    def restore(self, path: Path) -> None:
        """Makes everything what it was at the snapshot."""
        with self._lock:
            source = sqlite3.connect(path)
            try:
                source.backup(self._connection)
            finally:
                source.close()

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _one(self, statement: str, *values: str) -> Any:
        with self._lock:
            return self._connection.execute(statement, values).fetchone()

    def _next_number(self) -> int:
        number = self._one("SELECT next FROM counter")[0]
        self._connection.execute("UPDATE counter SET next = next + 1")
        return int(number)


def _join(path: Key) -> str:
    return _SEPARATOR.join(path)
