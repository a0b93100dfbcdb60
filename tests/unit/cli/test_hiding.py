"""Values of secret environment variables are hidden in everything that is shown."""

from __future__ import annotations

import pytest

from fineforge.host.secrets import hide


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("AZURE_STORAGE_KEY", "/Zm9vYmFyYmF6cXV4==", "***"),
        ("AZURE_CLIENT_SECRET", "C:\\aB3~secret", "***"),
        ("HF_TOKEN", "https://is-no-token", "***"),
        ("AZURE_FEDERATED_TOKEN_FILE", "/var/run/secrets/token", "/var/run/secrets/token"),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", "https://vstoken.example/x", "https://vstoken.example/x"),
        ("AZURE_STORAGE_KEY", "short", "short"),
    ],
)
def test_the_name_decides_and_not_how_the_value_begins(
    name: str, value: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert hide(f"said {value}.") == f"said {shown}."


def test_a_secret_that_begins_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_TOKEN", "abcdefgh")
    monkeypatch.setenv("B_TOKEN", "abcdefghijkl")
    assert hide("abcdefghijkl") == "***"
