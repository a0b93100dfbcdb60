"""How requests to the storage are tried again: as azure-storage-blob does, and where it throttles.

Loaded with the first request to a storage, for the package is slow to import.
"""

from __future__ import annotations

from typing import Any

from azure.storage.blob import LinearRetry

from fineforge.host.retry_after import seconds_of

LONGEST = 10.0
"""Seconds that a storage may ask for: an apply lease must be renewed in time."""


class Patience(LinearRetry):  # type: ignore[misc]
    """The package tries again after 408 and faults of the service, but takes 429 for an answer (12.31)."""

    def __init__(self, seconds: float, retries: int) -> None:
        super().__init__(backoff=seconds, retry_total=retries, random_jitter_range=0)
        self._seconds, self._retries = seconds, retries

    def send(self, request: Any) -> Any:
        """Bodies are bytes: a file is read piece by piece before any of it is sent."""
        for left in range(self._retries, -1, -1):
            response = super().send(request)
            if response.http_response.status_code != 429 or not left:
                return response
            request.context.transport.sleep(self._asked(response.http_response.headers))
        raise AssertionError  # The last time returns.

    def _asked(self, headers: Any) -> float:
        seconds = seconds_of(str(headers.get("Retry-After") or ""))
        return self._seconds if seconds is None else min(seconds, LONGEST)
