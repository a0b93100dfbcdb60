"""What the workflow asked for, as the environment says it. Reading and judging the inputs is here, doing what they say is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

COMMANDS = ("validate", "policies", "plan", "apply", "resume", "drift", "approved")


class Unusable(Exception):
    """An input that cannot be followed, in words for who wrote the workflow."""


@dataclass(frozen=True, slots=True)
class Inputs:
    command: str
    folder: Path
    """The working directory, whole."""
    place: str
    """The same, as the workflow names it."""
    paths: tuple[str, ...]
    target: str
    select: tuple[str, ...]
    arguments: tuple[str, ...]
    plan_file: str
    comment: bool
    report: bool
    detach: bool
    lock_timeout: str
    environment: str
    token: str = field(repr=False)


def read(environment: Mapping[str, str]) -> Inputs:
    """The inputs. Raises Unusable for a command that there is not, a flag that is neither true nor false, a missing folder."""
    given = {name: environment.get(f"INPUT_{name.upper()}", "").strip() for name in _NAMES}
    if given["command"] not in COMMANDS:
        raise Unusable(f"unknown command `{given['command']}`: {', '.join(COMMANDS)}")
    folder = Path(environment.get("GITHUB_WORKSPACE", "."), given["working_directory"]).resolve()
    if not folder.is_dir():
        raise Unusable(f"`working-directory` is `{given['working_directory']}`, and there is no such folder; check out first")
    return Inputs(
        command=given["command"],
        folder=folder,
        place=given["working_directory"] or ".",
        paths=_paths(given["paths"]),
        target=given["target"],
        select=_lines(given["select"]),
        arguments=_lines(given["arguments"]),
        plan_file=given["plan_file"],
        comment=_flag("comment", given["comment"], True),
        report=_flag("report", given["report"], True),
        detach=_flag("detach", given["detach"], True),
        lock_timeout=given["lock_timeout"],
        environment=given["environment"],
        token=given["token"],
    )


_NAMES = (
    "command", "working_directory", "paths", "target", "select", "arguments", "plan_file", "comment", "report", "detach",
    "lock_timeout", "environment", "token",
)  # fmt: skip


def _paths(text: str) -> tuple[str, ...]:
    """A path that begins with a dash would be an option."""
    return tuple(f"./{path}" if path.startswith("-") else path for path in _lines(text)) or (".",)


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _flag(name: str, text: str, otherwise: bool) -> bool:
    if text.lower() not in ("", "true", "false"):
        raise Unusable(f"`{name}` is `{text}`: true or false")
    return text.lower() == "true" if text else otherwise
