"""A muted thread prints nothing; what other threads print meanwhile is not lost, and the streams are as before."""

from __future__ import annotations

import logging
import sys
import threading

import pytest

from fineforge.azure.quiet import quiet, silence_loggers


def test_only_the_muted_thread_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    before = (sys.stdout, sys.stderr)
    with quiet():
        print("from the SDK")
        print("from the SDK", file=sys.stderr)
        other = threading.Thread(target=lambda: print("an event", file=sys.stderr))
        other.start()
        other.join()
    assert (sys.stdout, sys.stderr) == before
    print("afterwards")
    assert capsys.readouterr() == ("afterwards\n", "an event\n")


def test_several_at_the_same_time(capsys: pytest.CaptureFixture[str]) -> None:
    """The first to leave does not unmute the others."""
    before = sys.stdout
    inside, left = threading.Event(), threading.Event()

    def long() -> None:
        with quiet():
            inside.set()
            assert left.wait(10)
            print("still muted")

    thread = threading.Thread(target=long)
    with quiet():
        thread.start()
        assert inside.wait(10)
    left.set()
    thread.join()
    assert sys.stdout is before
    assert capsys.readouterr() == ("", "")


def test_a_failure_unmutes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="refused"), quiet():
        raise ValueError("refused")
    print("here")
    assert capsys.readouterr().out == "here\n"


def test_the_loggers_of_the_sdk_bring_no_handlers(capfd: pytest.CaptureFixture[str]) -> None:
    import azure.ai.ml  # noqa: F401

    silence_loggers()
    logger = logging.getLogger("azure.ai.ml")
    logger.info("uploading")
    assert not logger.handlers and logger.propagate
    assert capfd.readouterr().err == ""
