"""Files that fineforge and its emulator leave: whole or not there, and readable by nobody who need not."""

from __future__ import annotations

from pathlib import Path

import pytest

from fineforge.config import names
from fineforge.config import pins as locks
from fineforge.engine import planfile
from tests.scenarios.invariants.client import Client
from tests.support import single
from tests.support.running_emulator import RunningEmulator


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_plan_is_its_owners_alone_and_whole(emulator: RunningEmulator, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader of the old file keeps the old bytes: a new one takes its place, nothing is written over."""
    monkeypatch.setenv("FINEFORGE_EMULATOR_HOME", str(emulator.home))
    file = project / "plan.json"
    file.write_text("an older one")
    file.chmod(0o644)
    with file.open() as reader:
        made = Client(emulator, project / "spec.yaml").plan()
        planfile.save([(project / "spec.yaml", made)], file)
        assert reader.read() == "an older one"
    assert mode(file) == 0o600
    assert planfile.load(file) == [(project / "spec.yaml", made)]
    assert [path.name for path in project.iterdir() if path.name.startswith(".plan")] == []


def test_a_lock_is_everybodys_to_read_and_whole(project: Path) -> None:
    file = project / names.LOCK_FILE
    file.write_text("version: 1\n")
    with file.open() as reader:
        locks.write(locks.Lock(file, {"local": locks.Pins(datasets={"hf://a/b": "8" * 40})}))
        assert reader.read() == "version: 1\n"
    assert mode(file) == 0o644
    assert single.load(project / "spec.yaml").lock.at("local").datasets == {"hf://a/b": "8" * 40}
    assert [path.name for path in project.iterdir() if path.name.startswith(".lock")] == []


def test_the_emulators_files(emulator: RunningEmulator) -> None:
    """The key of its authority, and the file that says how to sign in, are its owner's; so is the folder with all the rest."""
    keys = [path for path in emulator.home.rglob("*.pem") if b"PRIVATE KEY" in path.read_bytes()]
    assert keys and all(mode(path) == 0o600 for path in keys)
    assert mode(emulator.home / "emulator.json") == 0o600
    assert mode(emulator.home) & 0o077 == 0


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="asks Linux which sockets a process has")
def test_the_emulator_listens_on_loopback_only(emulator: RunningEmulator) -> None:
    assert emulator.process is not None
    held = {str(entry.readlink()) for entry in Path(f"/proc/{emulator.process.pid}/fd").iterdir() if entry.is_symlink()}
    listening = []
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{emulator.process.pid}/net/{table}").read_text().splitlines()[1:]:
            local, state, inode = line.split()[1], line.split()[3], line.split()[9]
            if f"socket:[{inode}]" in held and (state == "0A" or table.startswith("udp")):
                listening.append(local)
    assert listening == [f"0100007F:{emulator.port:04X}"]
