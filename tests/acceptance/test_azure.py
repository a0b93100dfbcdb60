"""The acceptance story on a real workspace: `make azure-check`, docs/azure-check.md. Never instead of the local one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

TARGET, SPEC = os.environ.get("FINEFORGE_TEST_AZURE", ""), os.environ.get("FINEFORGE_TEST_SPEC", "")


def fineforge(command: str, *more: str) -> int:
    words = [sys.executable, "-m", "fineforge", command, SPEC, "--target", TARGET, *more]
    return subprocess.run(words, check=False).returncode


@pytest.mark.azure
@pytest.mark.skipif(not TARGET, reason="FINEFORGE_TEST_AZURE is not set")
def test_the_whole_life_of_a_spec() -> None:
    assert SPEC, "set FINEFORGE_TEST_SPEC: docs/azure-check.md"
    try:
        assert fineforge("plan", "--detailed-exitcode") == 2
        assert fineforge("apply", "--auto-approve") == 0
        assert fineforge("plan", "--detailed-exitcode") == 0
        assert fineforge("status") == 0
        assert fineforge("invoke") == 0
    finally:
        assert fineforge("destroy", "--auto-approve") == 0
    assert fineforge("plan", "--destroy", "--detailed-exitcode") == 0
