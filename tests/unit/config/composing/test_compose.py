"""Layers over each other: what wins, what gives way, and where each value is said to be from."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fineforge.config import spec
from fineforge.config.merge import RULES, Merged
from fineforge.core.diagnostics import FineforgeError
from tests.unit.config.composing.texts import SPEC, files, folder, made, place, project, refused


def test_a_spec_alone_is_what_it_says() -> None:
    alone = made(SPEC)
    assert spec.parse(alone) == spec.parse(made(SPEC, target="dev"))
    assert not alone.is_composed
    assert files(alone) == ("spec.yaml",)
    assert {entry.layer.label for entry in alone.provenance()} == {"spec"}


def test_nearer_layers_win_key_by_key() -> None:
    composed = made(
        SPEC + "job: {retries: 3}\noverlays:\n  prod: {job: {nodes: 4}}\n",
        project("  job: {experiment: a, retries: 1, nodes: 1}\n  tags: {team: ml, area: x}\n"),
        folder("job: {retries: 2, nodes: 2}\n", "outer.yaml"),
        folder("job: {nodes: 3}\ntags: {area: y}\n", "inner.yaml"),
        target="prod",
    )
    assert composed.data["job"] == {"experiment": "a", "retries": 3, "nodes": 4}
    assert composed.data["tags"] == {"team": "ml", "area": "y"}
    told = {
        ".".join(map(str, entry.path)): (entry.layer.label, f"{entry.span.file}:{entry.span.line}")
        for entry in composed.provenance()
    }
    assert told["job.experiment"] == ("project defaults", "fineforge.yaml:2")
    assert told["job.retries"] == ("spec", "spec.yaml:10")
    assert told["job.nodes"] == ("overlay prod", "spec.yaml:12")
    assert told["tags.team"] == ("project defaults", "fineforge.yaml:3")
    assert told["tags.area"] == ("folder defaults", "inner.yaml:2")
    assert told["name"] == ("spec", "spec.yaml:2")
    assert "overlays" not in composed.data
    assert files(composed) == ("fineforge.yaml", "outer.yaml", "inner.yaml", "spec.yaml")
    assert spec.parse(composed).job.nodes == 4


def test_the_overlay_of_another_target_stays_away() -> None:
    text = SPEC + "overlays:\n  prod: {job: {nodes: 4}}\n"
    assert "job" not in made(text, target="dev").data
    assert "job" not in made(text).data


def test_lists_and_scalars_are_replaced_whole() -> None:
    lower = folder("lifecycle: {prevent_destroy: [endpoint, model]}\ntags: {a: x}\n")
    composed = made(SPEC + "lifecycle: {prevent_destroy: [job]}\n", lower)
    assert composed.data["lifecycle"] == {"prevent_destroy": ["job"]}


def test_null_takes_a_key_away() -> None:
    lower = project("  deployment: {size: x}\n  endpoint: {auth: key}\n  tags: {a: x, b: y}\n  job: {nodes: 2}\n")
    composed = made(SPEC + "deployment: null\nendpoint:\ntags: {a: null}\njob: {nodes: null}\n", lower)
    assert "deployment" not in composed.data and "endpoint" not in composed.data
    assert composed.data["tags"] == {"b": "y"} and composed.data["job"] == {}
    assert spec.parse(composed).job.nodes == 1


def test_what_was_taken_away_may_come_back() -> None:
    composed = made(SPEC + "job: {nodes: 3}\n", project("  job: {nodes: 2, retries: 1}\n"), folder("job: null\n"))
    assert composed.data["job"] == {"nodes": 3}
    assert composed.span(("job", "nodes")).file == "spec.yaml"
    assert composed.span(("job", "retries")).file == "spec.yaml"


def test_a_null_with_nothing_below_is_still_a_key_without_a_value() -> None:
    with pytest.raises(FineforgeError) as caught:
        spec.parse(made(SPEC + "job: null\n"))
    assert [(problem.code, place(problem)) for problem in caught.value.diagnostics] == [("FF122", "spec.yaml:10:6")]


def test_problems_of_the_result_stand_where_the_value_does() -> None:
    composed = made(
        SPEC + "overlays:\n  prod:\n    deployment: {instances: 0}\n",
        project("  endpoint: {auth: kye}\n"),
        folder("# words\ncompute:\n  tier: cheap\ndeployment: {sizes: 3, size: Standard_DS3_v2}\ntags: {fineforge-x: y}\n"),
        target="prod",
    )
    with pytest.raises(FineforgeError) as caught:
        spec.parse(composed)
    assert [(problem.code, place(problem)) for problem in caught.value.diagnostics] == [
        ("FF122", "fineforge.yaml:2:20"),
        ("FF122", "folder.yaml:3:9"),
        ("FF120", "folder.yaml:4:14"),
        ("FF126", "folder.yaml:5:8"),
        ("FF123", "spec.yaml:12:29"),
    ]


def test_a_missing_key_is_placed_at_the_block_that_lacks_it() -> None:
    with pytest.raises(FineforgeError) as caught:
        spec.parse(made(SPEC, folder("deployment: {instances: 2}\nendpoint: {}\n")))
    assert [place(problem) for problem in caught.value.diagnostics] == ["folder.yaml:1:13"]


def test_anchors_do_not_tie_layers_together() -> None:
    lower = folder("tags: &shared {a: x}\ndataset: {splits: {train: {columns: {prompt: p, response: r}}}}\n")
    composed = made(SPEC + "tags: {b: y}\n", lower)
    assert composed.data["tags"] == {"a": "x", "b": "y"}
    assert lower.data["tags"] == {"a": "x"}
    assert made(SPEC, lower).data["tags"] == {"a": "x"}


ARM_ID = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/g/providers"
    "/Microsoft.ManagedIdentity/userAssignedIdentities/i"
)
LOWER_AND_UPPER = {
    "model.registered": ("model: {name: Phi-4, version: '8'}\ntraining: {x: 1}", "model: {registered: 'azureml:m:1'}"),
    "model.name": ("model: {registered: 'azureml:m:1'}", "model: {name: Phi-4}"),
    "component.id": (
        "component: {name: c, version: '1'}",
        "component: {id: azureml://registries/r/components/c/versions/1}",
    ),
    "component.name": ("component: {id: azureml://registries/r/components/c/versions/1}", "component: {name: c}"),
    "component.version": ("component: {id: azureml://registries/r/components/c/versions/1}", "component: {version: '1'}"),
    "component.registry": ("component: {id: azureml://registries/r/components/c/versions/1}", "component: {registry: r}"),
    "compute.name": ("compute: {serverless: true, size: s, step_sizes: {preprocess: t}}", "compute: {name: gpu}"),
    "compute.serverless": (
        "compute: {name: gpu, size: s, min_nodes: 0, max_nodes: 2, idle_seconds: 60, existing: false, public_ip: true}",
        "compute: {serverless: true}",
    ),
    "compute.identity": (
        f"compute: {{name: gpu, size: s, identity: user_assigned, user_identities: [{ARM_ID}]}}",
        "compute: {identity: system_assigned}",
    ),
    "dataset.splits.validation": (
        "dataset: {source: a, splits: {train: {holdout: 10}}}",
        "dataset: {splits: {validation: {percent: 5}}}",
    ),
    "dataset.splits.train.holdout": (
        "dataset: {source: a, splits: {train: {}, validation: {}}}",
        "dataset: {splits: {train: {holdout: 10}}}",
    ),
    "dataset.splits.*.percent": (
        "dataset: {source: a, splits: {train: {rows: 7}}}",
        "dataset: {splits: {train: {percent: 5}}}",
    ),
    "dataset.splits.*.rows": ("dataset: {source: a, splits: {train: {percent: 7}}}", "dataset: {splits: {train: {rows: 5}}}"),
    "dataset.splits.*.sample": (
        "dataset: {source: a, splits: {train: {sample: random, seed: 3}}}",
        "dataset: {splits: {train: {sample: first}}}",
    ),
    "dataset.splits.*.columns.messages": (
        "dataset: {source: a, splits: {train: {columns: {prompt: p, input: i, response: r}}}}",
        "dataset: {splits: {train: {columns: {messages: m}}}}",
    ),
    "dataset.splits.*.columns.prompt": (
        "dataset: {source: a, splits: {train: {columns: {messages: m}}}}",
        "dataset: {splits: {train: {columns: {prompt: p, response: r}}}}",
    ),
    "dataset.splits.*.columns.response": (
        "dataset: {source: a, splits: {train: {columns: {messages: m}}}}",
        "dataset: {splits: {train: {columns: {prompt: p, response: r}}}}",
    ),
}
"""What a rule is about -> a lower and an upper layer that contradict each other, and no longer do."""

_REST = {
    "model": "model: {name: Phi-4, version: '8'}\n",
    "dataset": "dataset: {source: data.jsonl, splits: {train: {percent: 5}}}\n",
    "compute": "compute: {name: gpu, size: s}\n",
    "register": "register: {name: support}\n",
}


def test_every_rule_has_a_case() -> None:
    said = {".".join((*rule.within, *(str(key) for key in says))) for rule in RULES for says in rule.says}
    assert said == set(LOWER_AND_UPPER)


@pytest.mark.parametrize("rule", LOWER_AND_UPPER)
def test_keys_that_exclude_each_other_give_way(rule: str) -> None:
    lower, upper = LOWER_AND_UPPER[rule]
    rest = "" if "registered: " in upper else "".join(text for key, text in _REST.items() if f"{key}:" not in lower + upper)
    head = "version: 1\nname: support\n" + rest
    spec.parse(made(head + upper, folder(lower)))
    with pytest.raises(FineforgeError) as caught:
        spec.parse(made(head + _joined(lower, upper)))
    assert {problem.code for problem in caught.value.diagnostics} == {"FF125"}


def _joined(lower: str, upper: str) -> str:
    """Both in one layer, where a contradiction stays one."""

    def join(one: Any, two: Any) -> Any:
        both = isinstance(one, dict) and isinstance(two, dict)
        return {**one, **{key: join(one.get(key), value) for key, value in two.items()}} if both else two

    return str(yaml.safe_dump(join(yaml.safe_load(lower), yaml.safe_load(upper)), sort_keys=False))


def test_a_cluster_after_all() -> None:
    lower = folder("compute: {serverless: true, size: s, step_sizes: {preprocess: t}}\n")
    assert (
        made(SPEC + "overlays: {dev: {compute: {serverless: false, name: gpu}}}\n", target="dev").data["compute"]["name"] == "gpu"
    )
    text = SPEC.replace("compute: {name: gpu, size: Standard_NC24ads_A100_v4}", "compute: {serverless: false}")
    assert made(text, lower).data["compute"] == {"serverless": False, "size": "s"}


def test_one_layer_may_say_both_and_hears_of_it() -> None:
    text = SPEC.replace("percent: 5", "percent: 5, rows: 7")
    with pytest.raises(FineforgeError) as caught:
        spec.parse(made(text, folder("dataset: {splits: {train: {sample: random}}}\n")))
    assert [problem.code for problem in caught.value.diagnostics] == ["FF125"]


def test_a_parameter_in_the_other_block_is_the_same_parameter() -> None:
    composed = made(SPEC + "optimization: {apply_lora: true}\n", folder("training: {apply_lora: false, lora_r: 8}\n"))
    assert spec.parse(composed).parameters == {"lora_r": 8, "apply_lora": True}


def test_the_projects_parameters_stay_a_layer_of_their_own() -> None:
    lower = project("  training: {a: 1, b: 1, c: 1, d: 1}\n  optimization: {e: 1, f: 1}\n")
    text = SPEC + "training: {b: null, c: 2, e: 2}\noptimization: {d: 2, f: null}\n"
    composed = made(text, lower, folder("training: {a: 3}\n"))
    assert composed.training == {"a": 1, "c": 1, "d": 1, "e": 1}
    assert spec.parse(composed).parameters == {"a": 3, "c": 2, "e": 2, "d": 2}
    assert "training" not in made(SPEC, lower).data
    assert made(SPEC, lower).training == {"a": 1, "b": 1, "c": 1, "d": 1, "e": 1, "f": 1}
    left = [entry for entry in made(SPEC, lower).provenance() if entry.path[0] in ("training", "optimization")]
    assert [(entry.path[-1], entry.layer.label, entry.span.line) for entry in left][-1] == ("f", "project defaults", 3)
    assert made(SPEC + "training: null\n", lower).training == {"e": 1, "f": 1}


@pytest.mark.parametrize(
    ("overlays", "code", "where", "words"),
    [
        ("{pord: {job: {}}}", "FF163", "spec.yaml:10:12", "did you mean `prod`?"),
        ("{qqqq: {job: {}}}", "FF163", "spec.yaml:10:12", "known: `local`, `dev`, `prod`"),
        ("{dev: {name: x}}", "FF162", "spec.yaml:10:18", "it identifies the spec"),
        ("{dev: {targets: [dev]}}", "FF162", "spec.yaml:10:18", "already applies to one target"),
        ("{dev: {overlays: {}}}", "FF162", "spec.yaml:10:18", "cannot be nested"),
        ("{dev: {jobs: {}}}", "FF120", "spec.yaml:10:18", "did you mean `job`?"),
        ("{dev: 3}", "FF122", "spec.yaml:10:12", ""),
        ("{dev: }", "FF122", "spec.yaml:10:12", "delete the key"),
        ("3", "FF122", "spec.yaml:10:1", ""),
        ("{dev: {tags: {a: '${var.x}'}}}", "FF164", "spec.yaml:10:28", "declare it"),
    ],
)
@pytest.mark.parametrize("target", ["prod", "dev"])
def test_overlays_that_cannot_be(overlays: str, code: str, where: str, words: str, target: str) -> None:
    """Whichever target is meant: who mistypes `prod` hears of it in the plan for `dev`."""
    found = refused(SPEC + f"overlays: {overlays}\n", target=target)
    assert set(found) == {code}
    assert place(found[code][0]) == where and words in found[code][0].hint


def test_an_overlay_for_a_target_that_the_spec_is_not_for() -> None:
    found = refused(SPEC + "targets: [dev]\noverlays: {prod: {}}\n")
    assert place(found["FF163"][0]) == "spec.yaml:11:12"
    assert "never used" in found["FF163"][0].message


def test_defaults_that_cannot_be() -> None:
    found = refused(SPEC, folder("version: 1\nname: x\noverlays: {}\nnaem: x\ntargets: [dev]\n"))
    assert [place(problem) for problem in found["FF162"]] == ["folder.yaml:1:1", "folder.yaml:2:1", "folder.yaml:3:1"]
    assert [place(problem) for problem in found["FF120"]] == ["folder.yaml:4:1"]
    assert set(found) == {"FF162", "FF120"}


_LAYER = st.recursive(
    st.none() | st.integers(0, 3) | st.lists(st.integers(0, 1), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), _LAYER, max_size=3), min_size=1, max_size=4))
def test_what_is_merged_is_what_the_layers_say(layers: list[dict[str, Any]]) -> None:
    """The plain definition, and every value is found again in the layer that it is said to be from."""

    def lay(lower: dict[str, Any], upper: dict[str, Any]) -> dict[str, Any]:
        result = dict(lower)
        for key, value in upper.items():
            if value is None and key in result:
                del result[key]
            elif isinstance(value, dict) and isinstance(result.get(key), dict):
                result[key] = lay(result[key], value)
            else:
                result[key] = value
        return result

    merged, expected = Merged(), {}
    for number, layer in enumerate(layers):
        merged.lay(copy.deepcopy(layer), number)
        expected = lay(expected, layer)
    assert merged.data == expected

    def look(value: Any, path: tuple[str, ...]) -> None:
        number = merged.origin(path)
        assert number is not None
        there: Any = layers[number]
        for key in path:
            assert key in there, (path, number)
            there = there[key]
        if isinstance(value, dict) and value:
            for key, entry in value.items():
                look(entry, (*path, key))
        elif not isinstance(value, dict):
            assert there == value

    for key, value in merged.data.items():
        look(value, (key,))
