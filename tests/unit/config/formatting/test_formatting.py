"""The canonical form of files: keys in order, comments where they belong, nothing else changed."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fineforge.cli.init import _files
from fineforge.config import format, source
from fineforge.core.diagnostics import FineforgeError

ROOT = Path(__file__).parents[4]


def fmt(text: str, name: str = "spec.yaml") -> str:
    made = format.formatted(text.encode(), name, name).decode()
    assert format.formatted(made.encode(), name, name).decode() == made, "once is enough"
    return made


OURS = [*sorted((ROOT / "specs").glob("*.yaml")), *sorted((ROOT / "examples").rglob("*.yaml"))]


def test_our_own_specs_are_found() -> None:
    assert len([path for path in OURS if path.parent.name == "specs"]) >= 3


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_our_own_specs_are_in_order(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert path.name == "fineforge.lock.yaml" or ".github" in path.parts or fmt(text, path.name) == text


CASES = {
    "keys move with what stands above and behind them": (
        """\
# About the file.

name: a   # its name
# The format.
version: 1

# Where it runs.
compute:
  # how big
  size: A
  name: c  # whose
  # - spare: true

# What it learns from.

model: {version: "8", name: Phi-4}  # the base
""",
        """\
# About the file.

# The format.
version: 1
name: a   # its name

# What it learns from.

model: {name: Phi-4, version: "8"}  # the base

# Where it runs.
compute:
  name: c  # whose
  # how big
  size: A
  # - spare: true
""",
    ),
    "values stay as they are written": (
        "version: 1\nname: 'a'\ntraining: {z: 5.0e-6, b: 0x10, a: \"1\"}\ntags: {b: x, a: 'y'}\nmodel: {registry: r,  name: m}\n",
        "version: 1\nname: 'a'\nmodel: {name: m,  registry: r}\ntraining: {z: 5.0e-6, b: 0x10, a: \"1\"}\ntags: {b: x, a: 'y'}\n",
    ),
    "entries of lists": (
        """\
version: 1
gates:
  # what must hold
  smoke:
    # the first
    - expect: {equals: x, contains: y}
      # as a customer asks
      messages:
      - {content: hi, role: user}
      -   content: ho
          role: user
  metrics: [{max: 1, name: eval_loss}]
""",
        """\
version: 1
gates:
  metrics: [{name: eval_loss, max: 1}]
  # what must hold
  smoke:
    # the first
    # as a customer asks
    - messages:
      - {role: user, content: hi}
      -   role: user
          content: ho
      expect: {contains: y, equals: x}
""",
    ),
    "keys that nobody knows come last": ("zoo: 1\nname: a\nversion: 1\n", "version: 1\nname: a\nzoo: 1\n"),
    "targets have the order of a spec": (
        "name: a\noverlays:\n  prod: {deployment: {instances: 2, size: A}, compute: {size: B}}\nversion: 1\n",
        "version: 1\nname: a\noverlays:\n  prod: {compute: {size: B}, deployment: {size: A, instances: 2}}\n",
    ),
    "long text moves as it is": (
        "name: a\ngates:\n  smoke:\n    - expect:\n        equals: |\n          # no comment  \n\n          two\n"
        "      messages: []\nversion: 1\n",
        "version: 1\nname: a\ngates:\n  smoke:\n    - messages: []\n"
        "      expect:\n        equals: |\n          # no comment  \n\n          two\n",
    ),
    "aliases come after what they repeat": (
        "compute: &c {size: A, name: b}\nversion: 1\nmodel: *c\n",
        "compute: &c {size: A, name: b}\nversion: 1\nmodel: *c\n",
    ),
    "braces over several lines": (
        "version: 1\nmodel: {\n  version: '8',\n  name: Phi-4\n}\ncompute: {\n  size: A,  # big\n  name: b\n}\n",
        "version: 1\nmodel: {\n  name: Phi-4,\n  version: '8'\n}\ncompute: {\n  size: A,  # big\n  name: b\n}\n",
    ),
    "the whole file in braces": ("{name: a, version: 1}\n", "{version: 1, name: a}\n"),
    "a comment below, before an empty line": (
        "name: a\n# name: b\n\nversion: 1\n\n\n# the end\n\n",
        "version: 1\n\nname: a\n# name: b\n\n\n# the end\n",
    ),
    "a document that is marked": ("# x\n---\nname: a\nversion: 1", "# x\n---\nversion: 1\nname: a\n"),
    "spaces at the ends of lines": ("version: 1  \nname: a \t# b  \n  \n", "version: 1\nname: a \t# b\n"),
    "a text without its end stays": ("gates: |\n  x\nversion: |\n  y", "gates: |\n  x\nversion: |\n  y"),
    "windows": ("name: a\r\nversion: 1\r\n", "version: 1\r\nname: a\r\n"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_spec(name: str) -> None:
    before, after = CASES[name]
    assert fmt(before) == after


OTHERS = {
    "fineforge.yaml": (
        "policies:\n  - message: x\n    deny: 'true'\n    name: abc\ndefaults: {tags: {b: x, a: y}, training: {x: 1}}\n"
        "targets:\n  dev: {workspace: w, subscription_id: s, resource_group: r}\nname: shop\n",
        "name: shop\ntargets:\n  dev: {subscription_id: s, resource_group: r, workspace: w}\n"
        "defaults: {training: {x: 1}, tags: {b: x, a: y}}\npolicies:\n  - name: abc\n    deny: 'true'\n    message: x\n",
    ),
    "fineforge.defaults.yaml": (
        "tags: {team: x}\ncompute: {size: A, name: b}\n",
        "compute: {name: b, size: A}\ntags: {team: x}\n",
    ),
    "prod.yaml": (
        "tests:\n  - expect: {warn: [], deny: []}\n    name: x\n    spec: {name: b, deployment: {}}\n"
        "rules:\n  - with: {b: 1, a: 2}\n    use: abc\n",
        "rules:\n  - use: abc\n    with: {b: 1, a: 2}\n"
        "tests:\n  - name: x\n    spec: {name: b, deployment: {}}\n    expect: {deny: [], warn: []}\n",
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_files(name: str) -> None:
    before, after = OTHERS[name]
    assert fmt(before, name) == after


def test_what_init_writes_is_in_order() -> None:
    written = {name: text for name, text in _files("first-model", "Phi-4", True).items() if name.endswith(".yaml")}
    assert len(written) >= 2
    for name, text in written.items():
        assert fmt(text, Path(name).name) == text


@pytest.mark.parametrize(
    "text", ["name: [", "name: a\n\tversion: 1\n", "- a\n", "", "name: a\nname: b\n", "a: !!python/name:x y\n"]
)
def test_what_is_no_spec_at_all(text: str) -> None:
    with pytest.raises(FineforgeError):
        format.formatted(text.encode(), "spec.yaml", "spec.yaml")


QUICKSTART = (ROOT / "specs" / "quickstart.yaml").read_text(encoding="utf-8")


def chunks(text: str) -> list[str]:
    """A spec cut before the comments of each top-level key."""
    return [part + "\n" for part in text.split("\n\n")]


@settings(deadline=None, max_examples=60)
@given(st.randoms(use_true_random=False))
def test_however_a_spec_is_shuffled(shuffle: random.Random) -> None:
    """Blocks change places with the comments that stand above them, and come back with them."""
    head, first, *blocks = chunks(QUICKSTART)
    keys = first.rstrip("\n").split("\n")
    shuffled = [*blocks]
    shuffle.shuffle(shuffled)
    shuffle.shuffle(keys)
    text = "\n".join([head, "\n".join(keys) + "\n", *(part if part.endswith("\n") else part + "\n" for part in shuffled)])
    made = fmt(text)
    assert source.load(made.encode(), "").data == source.load(QUICKSTART.encode(), "").data
    assert list(source.load(made.encode(), "").data) == list(source.load(QUICKSTART.encode(), "").data)
    lines = made.splitlines()
    assert Counter(line for line in lines if line) == Counter(line for line in QUICKSTART.splitlines() if line)
    for comment in (line for line in QUICKSTART.splitlines() if line.startswith("# ")):
        before = QUICKSTART.splitlines()
        assert lines[lines.index(comment) + 1] == before[before.index(comment) + 1], comment
