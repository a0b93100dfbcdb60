"""Secrets are in nothing that fineforge writes: known ones are planted wherever one can come from, then everything is searched.

What must hold secrets is left out of the search: the emulator's own state, and `emulator.json`, which is how a client signs in.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fineforge.cli.failures import ending
from fineforge.cli.output import Output
from fineforge.core.plan import Mode
from tests.scenarios.invariants.client import Client, inventory
from tests.support.running_emulator import RunningEmulator

PLANTED = {
    "AZURE_CLIENT_SECRET": "planted-client-secret-1f6b",
    "AZURE_CLIENT_CERTIFICATE_PASSWORD": "planted-certificate-password-2c7d",
    "HF_TOKEN": "hf_plantedhubtoken3e8f",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "planted-oidc-request-4a9c",
    "SYSTEM_ACCESSTOKEN": "planted-pipelines-token-5b0d",
    "AZURE_STORAGE_KEY": "plantedstoragekey6c1e==",
}
"""Environment variable -> secret."""
SIGNATURE, ROW = "planted-signature-7d2f", "planted row of data 8e3a"
JWT = re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}")
"""Any token at all."""
LIFE = (
    "validate spec.yaml",
    "render spec.yaml",
    "lock spec.yaml --target local",
    "plan spec.yaml --target local --out plan.json",
    "plan spec.yaml --target local --json",
    "apply plan.json",
    "plan spec.yaml --target local --detailed-exitcode",
    "status spec.yaml --target local --json",
    "logs spec.yaml --target local",
    "logs spec.yaml --target local --deployment",
    "metrics spec.yaml --target local",
    "invoke spec.yaml hello --target local",
    "explain spec.yaml",
    "lease list spec.yaml --target local",
    "destroy spec.yaml --target local --auto-approve",
    "apply spec.yaml --target local --auto-approve --json",
)


@pytest.fixture
def surroundings(emulator: RunningEmulator, project: Path, tmp_path: Path) -> dict[str, str]:
    """Every secret in its place, and every folder that fineforge writes to below one."""
    home = tmp_path / "home"
    home.mkdir()
    places = {name: str(home / name.lower()) for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")}
    return {**os.environ, **PLANTED, **places, "HOME": str(home), "FINEFORGE_EMULATOR_HOME": str(emulator.home)}


def run(words: str, project: Path, environment: dict[str, str], **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fineforge", *words.split()],
        cwd=project,
        env={**environment, **more},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def known(emulator: RunningEmulator) -> dict[str, str]:
    """What the service hands out, by name: the client's secret, keys of the storage and of every endpoint."""
    found = {**PLANTED, "the emulator's client secret": emulator.facts["client_secret"]}
    for body in ({}, {"expirableSecret": True, "expireAfterHours": 1}):
        answer = emulator.send("POST", "datastores/workspaceblobstore/listSecrets", body).json()
        found |= {
            f"storage {name}": value for name, value in answer.items() if name in ("key", "sasToken") and len(str(value)) > 20
        }
    for path in inventory(emulator):
        if re.fullmatch(r"onlineEndpoints/[^/]+", path):
            found |= emulator.send("POST", f"{path}/listKeys").json()
    return {name: value.rpartition("sig=")[2] for name, value in found.items()}


def written(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path), path.read_bytes().decode("utf-8", "replace")


def test_in_the_whole_life_of_a_spec(emulator: RunningEmulator, project: Path, surroundings: dict[str, str]) -> None:
    said: list[tuple[str, str]] = []
    secrets: dict[str, str] = {}
    for words in LIFE:
        ran = run(words, project, surroundings, **({"FINEFORGE_LOG": "debug"} if words.startswith("apply") else {}))
        assert ran.returncode in (0, 2), (words, ran.stdout[-1500:], ran.stderr[-3000:])
        said += [(f"stdout of {words}", ran.stdout), (f"stderr of {words}", ran.stderr)]
        secrets |= known(emulator)
    assert len(secrets) >= len(PLANTED) + 4, "the service handed some out"
    said += [*written(project), *written(Path(surroundings["HOME"]))]
    assert any(place.endswith("plan.json.applied") for place, _ in said)
    said.append(("the emulator's log", (emulator.home / "emulator.log").read_text(errors="replace")))
    for place, text in said:
        assert not [name for name, value in secrets.items() if value in text], place
        assert not JWT.search(text), place
        assert "sig=" not in text.replace("sig=***", ""), place


def test_rows_stay_where_data_is_kept(emulator: RunningEmulator, project: Path, surroundings: dict[str, str]) -> None:
    """In the prepared data in the cache, whose folders are the user's alone; `fineforge data` shows some on purpose."""
    talk = [{"role": "user", "content": ROW}, {"role": "assistant", "content": ROW}]
    file = project / "data" / "quickstart" / "train.jsonl"
    file.write_text(file.read_text() + json.dumps({"prompt": ROW, "prompt_id": "x", "messages": talk}) + "\n")
    said = []
    for words in ("plan spec.yaml --target local --check-data --out plan.json", "apply plan.json"):
        ran = run(words, project, surroundings, FINEFORGE_LOG="debug")
        assert ran.returncode == 0, ran.stderr[-3000:]
        said += [ran.stdout, ran.stderr]
    kept = [(place, text) for place, text in (*written(project), *written(Path(surroundings["HOME"]))) if ROW in text]
    cache = Path(surroundings["XDG_CACHE_HOME"])
    assert not any(ROW in text for text in said)
    assert {Path(place) for place, _ in kept} > {file}, "it was prepared"
    assert all(Path(place) == file or Path(place).is_relative_to(cache) for place, _ in kept)
    assert all(folder.stat().st_mode & 0o077 == 0 for place, _ in kept if Path(place) != file for folder in [Path(place).parent])


@pytest.mark.parametrize(
    "echoed",
    [
        f"https://acct.blob.core.windows.net/c/b?sv=1&sig={SIGNATURE}&se=2 cannot be read",
        f"AccountName=acct;AccountKey={SIGNATURE};EndpointSuffix=core.windows.net",
        f"Authorization: Bearer {SIGNATURE}",
        f"the secret '{PLANTED['AZURE_CLIENT_SECRET']}' of this application has expired",
    ],
)
@pytest.mark.parametrize("where", [r"/computes/quickstart-gpu\Z", "/train.jsonl", r"/oauth2/v2.0/token\Z"])
def test_that_a_service_repeats(
    echoed: str, where: str, emulator: RunningEmulator, project: Path, surroundings: dict[str, str]
) -> None:
    """A refusal is told in the service's words, without what looks like a secret, or is one of the surroundings'."""
    error = {"error": "invalid_client", "error_description": f"AADSTS7000222: {echoed}"}
    body: dict[str, Any] = (
        error if "token" in where else {"error": {"code": "BadArgument", "message": error["error_description"]}}
    )
    emulator.faults({"what": "error", "status": 400, "method": "PUT|POST", "path": where, "body": body})
    ran = run("apply spec.yaml --target local --auto-approve", project, surroundings, FINEFORGE_LOG="debug")
    emulator.faults()
    assert ran.returncode == 1 and "AADSTS7000222" in ran.stderr, ran.stderr[-2000:]
    told = [ran.stdout, ran.stderr, *(text for _, text in written(Path(surroundings["HOME"])))]
    assert not any(SIGNATURE in text or PLANTED["AZURE_CLIENT_SECRET"] in text for text in told)


def test_in_the_report_of_a_failure_of_our_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever an exception says: what looks like a secret, and the values of variables whose names say that they are one."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    for name, value in PLANTED.items():
        monkeypatch.setenv(name, value)
    words = f"no {' '.join(PLANTED.values())} at ?sig={SIGNATURE}"
    try:
        raise RuntimeError(words)
    except RuntimeError as error:
        assert ending(error, Output(sys.stdout, sys.stderr, json=False), ["apply", PLANTED["HF_TOKEN"]]) == 1
    (report,) = tmp_path.rglob("error-*.txt")
    told = [report.read_text(), *capsys.readouterr()]
    assert "Traceback" in told[0] and "RuntimeError" in told[0]
    assert not [value for value in (*PLANTED.values(), SIGNATURE) if any(value in text for text in told)]


def test_a_signature_in_an_address_is_refused_before_it_is_written_anywhere(project: Path, surroundings: dict[str, str]) -> None:
    spec = project / "spec.yaml"
    address = f"https://acct.blob.core.windows.net/c/rows.jsonl?sv=1&sig={SIGNATURE}"
    spec.write_text(spec.read_text().replace("source: ./data/quickstart", f"source: {address}"))
    for words in (
        "validate spec.yaml",
        "validate spec.yaml --json",
        "plan spec.yaml --target local",
        "lock spec.yaml --target local",
    ):
        ran = run(words, project, surroundings)
        assert ran.returncode == 1
        assert SIGNATURE not in ran.stdout + ran.stderr, words
    others = [*written(project), *written(Path(surroundings["HOME"]))]
    assert [place for place, text in others if SIGNATURE in text] == [str(spec)]


def test_a_plan_asks_for_none(applied: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may read the workspace may plan: no key and no signature is asked for, changes or not."""
    monkeypatch.setenv("FINEFORGE_EMULATOR_HOME", str(applied.emulator.home))
    assert applied.pending() == []
    assert applied.pending(Mode.DESTROY)
    asked = {entry["path"].rsplit("/", 1)[-1] for entry in applied.emulator.requests() if entry["method"] != "GET"}
    assert asked <= {"token", "search"}, asked
