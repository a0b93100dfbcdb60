"""Whatever stands in a spec, a lock file, a saved plan or an answer of a registry: it is read or refused, never a traceback.

The same few hundred examples in every run of the tests; `make torture` tries many times as many, others each time. A reader that
does not end is ended by hypothesis' deadline, which is generous: it is for what hangs, not for what is slow.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fineforge.catalog import parse
from fineforge.config import names, source, spec
from fineforge.config import pins as locks
from fineforge.core.diagnostics import FineforgeError
from fineforge.core.objects import SpecPath
from fineforge.engine import planfile
from tests.scenarios.invariants.client import SPECS
from tests.support.offline import SUPPORT

HANGS = timedelta(seconds=20)
FEW, MANY = 100, 5000


def examples(count: int) -> settings:
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
    return settings(max_examples=count, deadline=HANGS, suppress_health_check=checks, derandomize=count == FEW)


WORDS = sorted({word for path in SPECS for word in path.read_text().replace(":", " ").split() if len(word) < 40})
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(WORDS),
    st.sampled_from(
        ["1e999", "-0", "0o17", "2026-02-30", "~", "\u0000", "\ud7ff", "{{ x }}", "!!x", "*a", "&a", "<<", "9" * 400]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)


def places(document: Any, path: SpecPath = ()) -> list[SpecPath]:
    entries = document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    return [path, *(place for key, value in entries for place in places(value, (*path, key)))]


def with_value(document: Any, path: SpecPath, value: Any) -> Any:
    if not path:
        return value
    key, *rest = path
    copy = dict(document) if isinstance(document, dict) else list(document)
    copy[key] = with_value(copy[key], tuple(rest), value)
    return copy


DOCUMENTS = [yaml.safe_load(path.read_text()) for path in SPECS] + [yaml.safe_load(SUPPORT)]


@st.composite
def spoiled(draw: Any, documents: list[Any]) -> Any:
    """One of the documents, with other values in some places."""
    document = draw(st.sampled_from(documents))
    for _ in range(draw(st.integers(1, 3))):
        document = with_value(document, draw(st.sampled_from(places(document))), draw(VALUES))
    return document


@st.composite
def torn(draw: Any, texts: list[bytes]) -> bytes:
    """One of the texts, with bytes lost, doubled or replaced."""
    text = draw(st.sampled_from(texts))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = start + draw(st.integers(0, 20))
        text = (
            text[:start]
            + draw(st.binary(max_size=6) | st.sampled_from([b"\t", b"\r", b": ", b"&a ", b"*a", b"<<: "]))
            + text[end:]
        )
    return text


def reads_or_refuses(read: Callable[[], Any]) -> None:
    try:
        read()
    except FineforgeError as error:
        assert error.diagnostics
        for diagnostic in error.diagnostics:
            assert diagnostic.message and not diagnostic.message.endswith(".")


def a_spec(content: bytes) -> None:
    def read() -> None:
        parsed = source.load(content, "s.yaml")
        spec.parse(parsed)

    reads_or_refuses(read)


def a_lock(folder: Path, content: bytes) -> None:
    (folder / names.LOCK_FILE).write_bytes(content)
    reads_or_refuses(lambda: locks.find(folder))


def a_plan(folder: Path, content: bytes) -> None:
    """Sealed again where it can be, so that the types are what refuses it."""
    with suppress(ValueError, RecursionError, AttributeError):
        content = json.dumps(planfile.sealed(json.loads(content))).encode()
    (folder / "plan.json").write_bytes(content)
    reads_or_refuses(lambda: planfile.load(folder / "plan.json"))


def as_yaml(document: Any) -> bytes:
    return json.dumps(document).encode()


SPEC_TEXTS = [path.read_bytes() for path in SPECS]
FACT = {"id": "azureml://x", "name": "Phi-4", "version": "8", "registry": "azureml", "type": "mlflow_model", "defaults": {"a": 1}}
LOCKS = [
    {
        "version": 1,
        "targets": {
            "local": {
                "models": {"azureml/Phi-4:8": {**FACT, "finetune_sizes": ["a"], "tasks": ["chat-completion"]}},
                "components": {"azureml/c:1": {**FACT, "inputs": {"a": {"type": "string", "affects": "result", "enum": ["x"]}}}},
                "datasets": {"hf://a/b": "8" * 40},
                "sizes": {"standard_nc24ads_a100_v4": {"gpus": 1}},
            }
        },
    }
]
MODELS = [
    {
        "id": "azureml://registries/azureml/models/Phi-4/versions/8",
        "properties": {
            "tags": {"finetune_compute_allow_list": "['a']", "model_specific_defaults": "{'a': 1}", "textContextWindow": "16384"},
            "systemMetadata": {
                "supportedComputes": {"finetuneComputes": "a,b"},
                "deprecation": '{"x": "2025-08-30"}',
                "tasks": "{}",
            },
            "properties": {"finetuning-tasks": "a, b", "fineforge-twin": ""},
            "isArchived": "False",
        },
    }
]
COMPONENTS = [
    {
        "id": "azureml://registries/azureml/components/c/versions/1",
        "properties": {
            "componentSpec": {
                "type": "pipeline",
                "inputs": {
                    "a": {"type": "integer", "optional": "False", "default": "1", "enum": "['1']", "min": "0", "max": "9"}
                },
                "outputs": {"o": {"type": "mlflow_model"}},
            }
        },
    }
]
SIZES = [{"value": [{"name": "Standard_X", "gpus": 1, "vCPUs": 24, "memoryGB": 220, "supportedComputeTypes": ["AmlCompute"]}]}]
ENCODED = VALUES.map(json.dumps) | VALUES.map(repr) | st.text("[](){}'\",:0 \\x", max_size=30)
"""As tags carry them: JSON, Python's literals, and what is neither."""


def an_answer(document: Any, encoded: str) -> None:
    parse.parse_model(document, "azureml", "live")
    parse.parse_component(document, "azureml", "live")
    parse.parse_sizes(document, {})
    tagged = {"id": "x", "properties": {"tags": {"model_specific_defaults": encoded, "finetune_compute_allow_list": encoded}}}
    parse.parse_model(tagged, "azureml", "live")


def plans() -> list[Any]:
    """A small saved plan, as JSON."""
    step = {
        "id": "create job/j", "key": {"kind": "job", "name": "j", "version": None, "parent": None}, "action": "create",
        "reason": "", "changes": [{"path": "a", "before": 1, "after": 2, "action": "update", "reason": "spec"}],
        "text": "", "spec": "s", "merged": False,
        "tags": {}, "gate": {"metrics": [{"name": "loss", "min": None, "max": 1.0}]},
        "expected": "", "depends_on": [], "only_if": "", "uploads": [{"split": "train", "destination": "x"}], "fallback": None,
        "usd_hour": None, "path": ["training"],
    }  # fmt: skip
    span = {"file": "s", "line": 1, "column": 1, "end_line": 1, "end_column": 2, "snippet": ""}
    note = {"code": "FF136", "message": "m", "severity": "note", "path": [], "span": span, "hint": ""}
    plan = {
        "format": planfile.PLAN_FORMAT, "mode": "apply", "target": "local", "spec": "s", "spec_digest": "d", "facts": {},
        "steps": [step], "drift": [step], "diagnostics": [note],
    }  # fmt: skip
    head = {"kind": "fineforge-plan", "format": planfile.PLAN_FORMAT, "cli_version": "0", "commit": ""}
    return [{**head, "plans": [{"spec_path": "s.yaml", "plan": plan}]}, {**head, "spec_path": "s.yaml", "plan": plan}]


DEPTH = pytest.mark.parametrize("count", [FEW, pytest.param(MANY, marks=pytest.mark.torture)])


@DEPTH
def test_specs(count: int) -> None:
    examples(count)(given(spoiled(DOCUMENTS).map(as_yaml) | torn(SPEC_TEXTS) | st.binary(max_size=200))(a_spec))()


@DEPTH
def test_locks(count: int, tmp_path: Path) -> None:
    contents = spoiled(LOCKS).map(as_yaml) | torn([yaml.safe_dump(LOCKS[0]).encode()])
    examples(count)(given(contents)(lambda content: a_lock(tmp_path, content)))()


@DEPTH
def test_plans(count: int, tmp_path: Path) -> None:
    contents = spoiled(plans()).map(as_yaml) | torn([json.dumps(plans()[0]).encode()])
    examples(count)(given(contents)(lambda content: a_plan(tmp_path, content)))()


@DEPTH
def test_answers(count: int) -> None:
    examples(count)(given(spoiled([*MODELS, *COMPONENTS, *SIZES]), ENCODED)(an_answer))()


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "(" * 5000, "{'a':" * 3000, "-" * 50_000 + "1", "1" + "+1j" * 20_000, "9" * 100_000]
)
def test_what_is_deep_or_long_in_a_tag(text: str) -> None:
    """Python's own parser has given up on such texts with a crash of the process."""
    an_answer({}, text)
    an_answer({"properties": {"tags": {"textContextWindow": text}}}, text)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "a: " * 1000, "- " * 50_000, "? " * 10_000, "&a " * 1000 + "x", "{" * 100_000, "'" * 99_999]
)
def test_what_is_deep_or_long_in_a_spec(text: str, tmp_path: Path) -> None:
    a_spec(text.encode())
    a_lock(tmp_path, text.encode())
    a_plan(tmp_path, b'{"kind": "fineforge-plan", "x": ' + text.encode())
