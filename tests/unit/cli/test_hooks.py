"""The hook for pre-commit."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import yaml

from fineforge.cli import run

ROOT = Path(__file__).parents[3]
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))


def test_pre_commit_accepts_the_manifest() -> None:
    command = [sys.executable, "-m", "pre_commit", "validate-manifest", ".pre-commit-hooks.yaml"]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert finished.returncode == 0, finished.stdout
    assert [hook["id"] for hook in HOOKS] == ["fineforge-validate"]


def test_the_hook_gets_specs_only_and_fails_for_an_invalid_one(tmp_path: Path) -> None:
    hook = HOOKS[0]
    files = ["specs/one.yaml", "specs/fineforge.defaults.yaml", "fineforge.yaml", "fineforge.lock.yaml", "policies/prod.yaml"]
    selected = [name for name in files if re.search(hook["files"], name) and not re.search(hook["exclude"], name)]
    assert selected == ["specs/one.yaml"]
    spec = tmp_path / "one.yaml"
    spec.write_text("version: 1\nname: abc\n", encoding="utf-8")
    assert run([*hook["entry"].split()[1:], str(spec)]) == 1
