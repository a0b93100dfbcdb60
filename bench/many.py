"""A thousand specs: planned against recorded answers, with nothing to change; Terraform's plan of as many resources beside it.

python -m bench.many record FOLDER COUNT     specs, and the answers of a workspace in which all of them were applied
python -m bench.many plan FOLDER             plans them all; prints CPU seconds, MiB, objects and requests
"""

from __future__ import annotations

import gc
import json
import os
import pickle
import resource
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from rich.table import Table

from fineforge import cli, engine
from fineforge.catalog import snapshot
from fineforge.core.gateway import READS, Workspace
from fineforge.core.objects import Raw, ResourceKey
from fineforge.engine import batch, selection
from tests.support import azure_bodies

ROOT = Path(__file__).parent.parent
WORKSPACE = Workspace("dev", "00000000-0000-0000-0000-000000000001", "rg-models", "models-dev")


def write_specs(folder: Path, count: int) -> None:
    """As many specs of one project, one cluster in ten shared by ten of them."""
    (folder / "fineforge.yaml").write_text("name: shop\n", encoding="utf-8")
    shutil.copytree(ROOT / "specs" / "data", folder / "data")
    base = yaml.safe_load((ROOT / "specs" / "quickstart.yaml").read_text(encoding="utf-8"))
    base.pop("targets")
    for number in range(count):
        name = f"desk-{number:04d}"
        cluster = {**base["compute"], "name": f"gpu-{number // 10:03d}"}
        spec = {**base, "name": name, "register": {"name": name}, "compute": cluster, "gates": {}}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(spec, sort_keys=False), encoding="utf-8")


class Recorded:
    """Answers questions from what was recorded, and counts them."""

    def __init__(self, objects: Mapping[ResourceKey, Raw]) -> None:
        self.objects = objects
        self.asked: Counter[str] = Counter()
        self._models = {(body["name"], body["id"].rsplit("/", 1)[1]): body for body in snapshot.model_bodies()}
        self._components = {body["id"]: body for body in snapshot.component_bodies()}

    workspace = WORKSPACE
    parallel = READS

    def location(self) -> str:
        return "eastus"

    def get(self, key: ResourceKey) -> Raw | None:
        self.asked[str(key)] += 1
        return self.objects.get(key)

    def list(self, kind: str, parent: str | None = None) -> Mapping[ResourceKey, Raw]:
        self.asked[f"list {kind} {parent}"] += 1
        if kind == "deployment":
            return dict(self._of("deployment").get(parent or "", {}))
        return {key: raw for key, raw in self.objects.items() if key.kind == kind}

    def _of(self, kind: str) -> dict[str, dict[ResourceKey, Raw]]:
        if not hasattr(self, "_inside"):
            self._inside: dict[str, dict[ResourceKey, Raw]] = {}
            for key, raw in self.objects.items():
                if key.kind == kind:
                    self._inside.setdefault(key.parent or "", {})[key] = raw
        return self._inside

    def read_model(self, registry: str, name: str, version: str | None) -> Raw | None:
        return self._models.get((name, version or ""))

    def read_component(self, registry: str, name: str, version: str | None) -> Raw | None:
        return self._components.get(f"azureml://registries/{registry}/components/{name}/versions/{version}")

    def read_sizes(self) -> Raw:
        self.asked["sizes"] += 1
        types = ["AmlCompute", "MIR"]
        return {
            "value": [
                {"name": size.name, "gpus": size.gpus, "supportedComputeTypes": types} for size in snapshot.sizes().values()
            ]
        }


def record(folder: Path, count: int) -> None:
    write_specs(folder, count)
    objects: dict[ResourceKey, Raw] = {}
    used: dict[ResourceKey, list[str]] = {}
    for loaded in selection.load([folder]).specs:
        nothing = Recorded({})
        planned = engine.plan_apply(loaded.at(nothing.workspace.target), nothing)  # type: ignore[arg-type]
        answers = azure_bodies.answers(planned.desired)
        for want in planned.desired:
            raw = answers[want.key]
            if want.key.kind == "compute":
                used.setdefault(want.key, []).append(loaded.spec.name)
                if want.key in objects:
                    continue
            if want.key.kind == "endpoint":
                name = next(other.key.name for other in planned.desired if other.key.kind == "deployment")
                raw["properties"]["traffic"] = {name: 100}
            objects[want.key] = raw
    for key, names in used.items():
        objects[key]["tags"] |= {f"fineforge-used-by-{name}": "true" for name in names}
    (folder / "answers.pickle").write_bytes(pickle.dumps(objects))


def plan(folder: Path) -> dict[str, Any]:
    """CPU seconds of the whole process, as the commands run it; but for reading the answers, which a network would bring."""
    gc.set_threshold(*cli.COLLECTING)
    begin = time.process_time()
    answers = Recorded(pickle.loads((folder / "answers.pickle").read_bytes()))
    reading = time.process_time() - begin
    planned = batch.plan(selection.load([folder]), answers)  # type: ignore[arg-type]
    seconds = time.process_time() - reading
    assert planned.writes == 0 and not planned.broken, "the recorded world is not what the specs want"
    mebibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "cpu": seconds,
        "mib": mebibytes,
        "objects": len(answers.objects),
        "requests": sum(answers.asked.values()),
        "twice": max(answers.asked.values()),
    }


def terraform(folder: Path, count: int) -> Path:
    """As many resources of Terraform's own that need no provider, in chains of five, and the state in which they all stand."""
    blocks, resources = [], []
    for number in range(count):
        before = f"\n  depends_on = [terraform_data.r{number - 1}]" if number % 5 else ""
        blocks.append(
            f'resource "terraform_data" "r{number}" {{\n  input = {{ name = "object-{number}", team = "x" }}{before}\n}}\n'
        )
        typed = {"value": {"name": f"object-{number}", "team": "x"}, "type": ["object", {"name": "string", "team": "string"}]}
        attributes = {"id": f"id-{number}", "input": typed, "output": typed, "triggers_replace": None}
        instance: dict[str, Any] = {"schema_version": 0, "attributes": attributes, "sensitive_attributes": []}
        if number % 5:
            instance["dependencies"] = [f"terraform_data.r{other}" for other in range(number - number % 5, number)]
        provider = 'provider["terraform.io/builtin/terraform"]'
        resources.append(
            {"mode": "managed", "type": "terraform_data", "name": f"r{number}", "provider": provider, "instances": [instance]}
        )
    state = {"version": 4, "serial": 1, "lineage": "bench", "outputs": {}, "resources": resources, "check_results": None}
    (folder / "main.tf").write_text("".join(blocks), encoding="utf-8")
    (folder / "terraform.tfstate").write_text(json.dumps({**state, "terraform_version": "1.0.0"}), encoding="utf-8")
    return folder


def table(folder: Path, counts: tuple[int, ...] = (100, 1000)) -> Table:
    """Ours, and Terraform's row beside it where it is on the PATH."""
    made = Table(title="plan of many specs with nothing to change, answers recorded; one process each")
    for name in ("what", "objects", "CPU s", "MiB", "Terraform, as many resources: CPU s", "ratio", "goal"):
        made.add_column(name, justify="left" if name in ("what", "goal") else "right")
    for count in counts:
        ours, theirs = folder / f"specs{count}", folder / f"terraform{count}"
        ours.mkdir()
        theirs.mkdir()
        subprocess.run([sys.executable, "-m", "bench.many", "record", str(ours), str(count)], check=True, cwd=ROOT)
        ran = subprocess.run(
            [sys.executable, "-m", "bench.many", "plan", str(ours)], check=True, cwd=ROOT, capture_output=True, text=True
        )
        found = json.loads(ran.stdout)
        peer = _terraform_plan(terraform(theirs, found["objects"])) if shutil.which("terraform") else None
        beside = (f"{peer:.1f}", f"{peer / found['cpu']:.1f}x") if peer is not None else ("not on the PATH", "")
        goal = "half of Terraform's CPU, 400 MiB" if count == counts[-1] else "linear"
        made.add_row(f"{count} specs", f"{found['objects']:,}", f"{found['cpu']:.1f}", f"{found['mib']:.0f}", *beside, goal)
    return made


def _terraform_plan(folder: Path) -> float:
    """CPU seconds of a plan that must find nothing to do."""
    environment = {**os.environ, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}
    subprocess.run(["terraform", "init", "-no-color"], cwd=folder, env=environment, check=True, capture_output=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ran = subprocess.run(
        ["terraform", "plan", "-no-color", "-detailed-exitcode"], cwd=folder, env=environment, capture_output=True, text=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if ran.returncode:
        raise SystemExit(f"terraform plan ended with {ran.returncode}: {ran.stderr[-2000:]}{ran.stdout[-2000:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    if sys.argv[1] == "record":
        record(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        print(json.dumps(plan(Path(sys.argv[2]))))
