"""Checks that depend on facts which no shipped catalog entry has, on the date, or on the target. The others are spec cases."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fineforge.config import source, spec
from fineforge.core.diagnostics import Diagnostic, Severity
from fineforge.core.facts import Facts
from fineforge.planner import checks
from fineforge.resources import facts as registry_facts

SPEC = """\
version: 1
name: support
component: {version: "0.0.82"}
model: {name: Phi-4, version: "8"}
dataset: {source: data, splits: {train: {}}}
compute: {name: gpu-a100, size: Standard_NC96ads_A100_v4}
register: {name: support}
endpoint: {}
deployment: {size: Standard_NC24ads_A100_v4}
"""


def check(*changes: tuple[str, str], today: str = "2026-11-24", target: str = "local", **model: Any) -> tuple[Diagnostic, ...]:
    """What is said about the spec with texts replaced, the date set, and fields of the model's facts replaced."""
    text = SPEC
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    wanted = spec.parse(source.load(text.encode(), "s.yaml"))
    facts, unknown = registry_facts.snapshot_facts(wanted, today, {}, "/offline")
    assert not unknown
    return checks.check(wanted, _with(facts, model), {}, target)


def _with(facts: Facts, changes: dict[str, Any]) -> Facts:
    return replace(facts, model=replace(facts.model, **changes)) if facts.model and changes else facts


def said(found: tuple[Diagnostic, ...]) -> list[tuple[str, str]]:
    return [(diagnostic.code, diagnostic.severity.value) for diagnostic in found]


def test_nothing_to_say() -> None:
    assert check() == ()
    assert check(("Standard_NC96ads_A100_v4", "STANDARD_NC96ADS_a100_v4")) == ()


@pytest.mark.parametrize("size", ["Standard_NC6", "Standard_NC12", "Standard_NC24", "Standard_NC24r"])
def test_without_a_list_the_k80_sizes_are_refused(size: str) -> None:
    found = check(("Standard_NC96ads_A100_v4", size), finetune_sizes=None)
    assert said(found) == [("FF153", "error")]
    assert "K80" in found[0].message


def test_without_lists_that_is_said_aloud() -> None:
    found = check(finetune_sizes=None, inference_sizes=None)
    assert said(found) == [("FF154", "warning")] * 2
    assert [diagnostic.path for diagnostic in found] == [("compute", "size"), ("deployment", "size")]
    assert "carries no list of sizes for fine-tuning" in found[0].message and "for serving" in found[1].message


def test_an_empty_list_allows_nothing() -> None:
    found = check(finetune_sizes=())
    assert said(found) == [("FF153", "error")]
    assert found[0].hint == "listed: none that is still offered"


def test_allow_unlisted_turns_missing_entries_into_warnings() -> None:
    found = check(("register:", "lifecycle: {allow_unlisted: true}\nregister:"), finetune_sizes=(), inference_sizes=())
    assert said(found) == [("FF153", "warning")] * 2


@pytest.mark.parametrize(
    ("today", "expected"),
    [
        ("2025-06-29", []),
        ("2025-06-30", [("FF142", "warning")]),
        ("2025-08-29", [("FF142", "warning")]),
        ("2025-08-30", [("FF141", "error"), ("FF142", "warning")]),
    ],
)
def test_the_days_of_a_models_end(today: str, expected: list[tuple[str, str]]) -> None:
    """Deprecation warns, retirement refuses, from its day on; retirement for inference matters to a deployment only."""
    dates = {"finetune_deprecation": "2025-06-30", "finetune_retirement": "2025-08-30", "inference_retirement": "2025-08-30"}
    assert said(check(today=today, **dates)) == expected
    without = [("endpoint: {}\n", ""), ("deployment: {size: Standard_NC24ads_A100_v4}\n", "")]
    only_training = [(code, severity) for code, severity in expected if (code, today) != ("FF142", "2025-08-30")]
    assert said(check(*without, today=today, **dates)) == only_training


def test_allow_retired() -> None:
    change = ('version: "8"}', 'version: "8", allow_retired: true}')
    found = check(change, finetune_retirement="2025-08-30")
    assert said(found) == [("FF141", "warning")]


def test_a_size_that_will_be_retired() -> None:
    change = ("{size: Standard_NC24ads_A100_v4}", "{size: Standard_NC24s_v3}")
    assert said(check(change, today="2025-09-29", inference_sizes=("standard_nc24s_v3",))) == [("FF151", "warning")]
    assert said(check(change, today="2025-09-30", inference_sizes=("standard_nc24s_v3",))) == [("FF151", "error")]


def test_what_the_metadata_does_not_say() -> None:
    [note] = check(notes=("`tasks` is not a mapping",))
    assert (note.code, note.severity) == ("FF143", Severity.WARNING)
    assert note.message == "metadata of `Phi-4`: `tasks` is not a mapping"
    assert said(check(tasks=())) == [("FF144", "error")]


def test_targets() -> None:
    limited = ("register:", "targets: [local]\nregister:")
    assert check(limited) == ()
    [refused] = check(limited, target="prod")
    assert (refused.code, refused.message) == ("FF140", "this spec is for `local`, not for `prod`")


def test_a_component_of_ones_own_is_not_judged_by_its_name() -> None:
    text = SPEC.replace('{version: "0.0.82"}', "{id: azureml://registries/ours/components/chat_completion_extra/versions/3}")
    wanted = spec.parse(source.load(text.encode(), "s.yaml"))
    facts, _ = registry_facts.snapshot_facts(spec.parse(source.load(SPEC.encode(), "s.yaml")), "2026-11-24", {}, "/offline")
    assert facts.component is not None
    ours = replace(facts, component=replace(facts.component, name="chat_completion_extra"))
    assert checks.check(wanted, ours, {}, "local") == ()
    theirs = replace(facts, component=replace(facts.component, name="summarization_pipeline"))
    assert said(checks.check(wanted, theirs, {}, "local")) == [("FF144", "error")]


def test_a_model_that_is_registered_already_needs_a_size_for_endpoints_only() -> None:
    def deployed(size: str) -> list[tuple[str, str]]:
        text = f'version: 1\nname: again\nmodel: {{registered: "azureml:m:1"}}\nendpoint: {{}}\ndeployment: {{size: {size}}}\n'
        wanted = spec.parse(source.load(text.encode(), "s.yaml"))
        facts, unknown = registry_facts.snapshot_facts(wanted, "2026-11-24", {}, "/offline")
        assert not unknown and facts.model is None
        return said(checks.check(wanted, facts, {}, "local"))

    assert deployed("Standard_NV36ads_A10_v5") == []
    assert deployed("Standard_ND96isr_H200_v5") == [("FF152", "error")]
