"""Several specs in one plan: what they share is read, and made, once; what is wrong with one hides no other."""

from __future__ import annotations

import subprocess
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from fineforge import engine
from fineforge.config import layers
from fineforge.config.loaded import SpecOptions
from fineforge.core.diagnostics import errors
from fineforge.core.events import Outcome
from fineforge.core.gateway import Progress
from fineforge.core.objects import ResourceKey
from fineforge.core.plan import Action, Mode
from fineforge.engine import batch, selection
from fineforge.engine.shared_reads import SharedReads
from fineforge.execution import lease
from fineforge.planner import check_plan
from tests.scenarios.stories.telling import row
from tests.support import single
from tests.support.memory import MemoryGateway, answering
from tests.support.offline import SUPPORT

CLUSTER = ResourceKey("compute", "gpu-a100")


class Repository:
    """A folder of specs, and one workspace in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.gateway = MemoryGateway(folder / "cloud")
        for split, first in (("train", 0), ("validation", 500)):
            file = folder / "specs" / "data" / "support" / f"{split}.jsonl"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("".join(row(number) + "\n" for number in range(first, first + 40)), encoding="utf-8")

    def write(self, name: str, **blocks: Any) -> Path:
        data = {**yaml.safe_load(SUPPORT), "name": name, "register": {"name": name}, **blocks}
        file = self.folder / "specs" / f"{name}.yaml"
        file.write_text(yaml.safe_dump({key: value for key, value in data.items() if value is not None}), encoding="utf-8")
        return file

    def project(self, **more: Any) -> None:
        (self.folder / "specs" / "fineforge.yaml").write_text(yaml.safe_dump({"name": "shop", **more}), encoding="utf-8")

    def load(self, *select: str) -> selection.Batch:
        return selection.load([self.folder / "specs"], select)

    def plan(self, *select: str, mode: Mode = Mode.APPLY) -> batch.Planned:
        planned = batch.plan(self.load(*select), self.gateway, mode)
        assert check_plan(planned.merged) == ()
        return planned

    def apply(self, planned: batch.Planned | None = None) -> Outcome:
        planned = planned or self.plan()
        applied = batch.apply(planned, self.gateway)
        outcome, sound = applied.outcome, {spec.path for spec, _ in planned.sound}
        assert not sound & applied.held_back.keys()
        assert not outcome.failed and not outcome.moved, (outcome.failed, outcome.moved)
        return outcome

    def tags(self, key: ResourceKey) -> dict[str, str]:
        return dict((self.gateway.get(key) or {}).get("tags") or {})


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = Repository(tmp_path)
    made.project()
    return made


def said(planned: batch.Planned) -> dict[str, list[str]]:
    return {path.stem: [found.code for found in errors(problems)] for path, problems in planned.failed.items()}


def on_cluster(planned: batch.Planned) -> list[tuple[str, Action]]:
    return [(made.spec, step.action) for _, made in planned.plans for step in made.steps if step.key == CLUSTER]


def test_a_cluster_that_three_specs_use_is_made_once(repository: Repository) -> None:
    for name in ("one", "two", "three"):
        repository.write(name)
    planned = repository.plan()
    assert on_cluster(planned) == [("one", Action.CREATE), ("three", Action.UPDATE), ("two", Action.UPDATE)]
    merged = {step.id: step for step in planned.merged.steps}
    assert merged["three: update compute/gpu-a100"].depends_on == ("one: create compute/gpu-a100",)
    assert merged["two: update compute/gpu-a100"].depends_on == ("three: update compute/gpu-a100",)
    outcome = repository.apply(planned)
    assert engine.outcome_exit_code(outcome) == 0, outcome
    assert {name for name in repository.tags(CLUSTER) if "used-by" in name} == {
        f"fineforge-used-by-{name}" for name in ("one", "two", "three")
    }
    again = repository.plan()
    assert again.writes == 0 and not again.broken
    writes = Counter(key for _, key in repository.gateway.writes)
    assert len([key for key in writes if key.startswith("job/")]) == 3


def test_what_one_spec_alone_says_of_a_batch_is_the_same(repository: Repository) -> None:
    repository.write("one")
    repository.write("two", compute={"name": "gpu-b", "size": "Standard_NC96ads_A100_v4"})
    planned = repository.plan()
    for loaded, made in planned.plans:
        alone = single.plan(loaded, repository.gateway).plan
        assert made == alone


def test_one_wrong_spec_hides_no_other(repository: Repository) -> None:
    repository.write("good")
    repository.write("retired", model={"name": "Phi-3-mini-4k-instruct", "version": "15"})
    repository.write("odd", training={"num_train_epoch": 1})
    (repository.folder / "specs" / "broken.yaml").write_text("name: [\n", encoding="utf-8")
    (repository.folder / "specs" / "gone.yaml").symlink_to("nowhere.yaml")
    planned = repository.plan()
    assert said(planned) == {"broken": ["FF101"], "odd": ["FF131"]}
    assert [problem.code for problem in planned.problems] == ["FF180"]
    bad = {made.spec: [found.code for found in errors(made.diagnostics)] for _, made in planned.plans if errors(made.diagnostics)}
    assert bad == {"retired": ["FF141"]}
    assert planned.broken
    outcome = repository.apply(planned)
    assert engine.outcome_exit_code(outcome) == 0
    assert [key for _, key in repository.gateway.writes if key.startswith("job/")] == [
        step.key.__str__() for _, made in planned.plans if made.spec == "good" for step in made.steps if step.key.kind == "job"
    ][:1]


def test_a_wrong_spec_makes_no_cluster_for_others(repository: Repository) -> None:
    """It comes first, and would make the cluster; since it cannot, the next one does."""
    repository.write("bad", model={"name": "Phi-3-mini-4k-instruct", "version": "15"})
    for name in ("good", "well"):
        repository.write(name)
    planned = repository.plan()
    assert on_cluster(planned)[1:] == [("good", Action.CREATE), ("well", Action.UPDATE)]
    assert engine.outcome_exit_code(repository.apply(planned)) == 0
    assert repository.plan("good", "well").writes == 0


@pytest.mark.parametrize(("why", "exit_code"), [("lease", 5), ("data", 1)])
def test_who_is_held_back_holds_back_whom_it_shares_with(why: str, exit_code: int, repository: Repository) -> None:
    """Its plan says that it makes the cluster, theirs that they use it then; whoever has a cluster alone goes on."""
    for name in ("one", "two", "three"):
        repository.write(name)
    repository.write("alone", compute={"name": "gpu-b", "size": "Standard_NC96ads_A100_v4"})
    planned = repository.plan()
    if why == "lease":
        assert repository.gateway.leases().take("shop/one", "11111111-1111-1111-1111-111111111111", 60)
    else:
        (repository.folder / "specs" / "data" / "support" / "other.jsonl").write_text(row(1) + "\n{\n", encoding="utf-8")
        bad = {"source": "./data/support", "splits": {"train": {"from": "other"}}}
        repository.write("one", dataset=bad)
        planned = repository.plan()
    applied = batch.apply(planned, repository.gateway)
    outcome, held_back = applied.outcome, applied.held_back
    found = {path.stem: (error.diagnostics[0].code, error.exit_code) for path, error in held_back.items()}
    assert found.pop("one")[1] == exit_code
    assert found == {"three": ("FF185", exit_code), "two": ("FF185", exit_code)}
    assert engine.outcome_exit_code(outcome) == 0 and len(repository.gateway.submitted) == 1
    assert repository.gateway.get(CLUSTER) is None


@pytest.mark.parametrize(
    ("blocks", "code", "words"),
    [
        ({"endpoint": {"name": "the-desk"}}, "FF183", "endpoint `the-desk`"),
        ({"register": {"name": "desk"}}, "FF183", "model `desk`"),
    ],
)
def test_two_specs_that_want_one_name(repository: Repository, blocks: dict[str, Any], code: str, words: str) -> None:
    one, two = repository.write("one", **blocks), repository.write("two", **blocks)
    repository.write("three")
    planned = repository.plan()
    assert said(planned) == {"one": [code], "two": [code]}
    assert [made.spec for _, made in planned.plans] == ["three"]
    for path, other in ((one, two), (two, one)):
        (found,) = planned.failed[path]
        assert words in found.message and f"{other}:" in found.message
        assert found.span is not None and found.span.file == str(path)


def test_two_specs_of_one_name(repository: Repository) -> None:
    first = repository.write("one", endpoint={"name": "desk-one"}, register={"name": "one"})
    second = repository.folder / "specs" / "copy.yaml"
    second.write_text(
        first.read_text(encoding="utf-8")
        .replace("desk-one", "desk-two")
        .replace("register:\n  name: one", "register:\n  name: two"),
        encoding="utf-8",
    )
    assert said(repository.plan()) == {"copy": ["FF183"], "one": ["FF183"]}


def test_a_spec_that_is_not_selected_keeps_its_name(repository: Repository) -> None:
    repository.write("one")
    file = repository.write("two", register={"name": "another"})
    file.write_text(file.read_text(encoding="utf-8").replace("name: two", "name: one"), encoding="utf-8")
    planned = repository.plan("two.yaml")
    assert set(said(planned)["two"]) == {"FF183"} and not planned.plans


def test_one_cluster_that_two_specs_describe_otherwise(repository: Repository) -> None:
    repository.write("one")
    repository.write("two", compute={"name": "gpu-a100", "size": "Standard_NC48ads_A100_v4"})
    assert said(repository.plan()) == {"one": ["FF184"], "two": ["FF184"]}
    repository.write("two", compute={"name": "gpu-a100", "size": "Standard_NC96ads_A100_v4", "existing": True})
    assert said(repository.plan()) == {}


def test_a_change_of_a_shared_cluster_is_written_once(repository: Repository) -> None:
    for name in ("one", "two"):
        repository.write(name)
    repository.apply()
    for name in ("one", "two", "new"):
        repository.write(name, compute={"name": "gpu-a100", "size": "Standard_NC96ads_A100_v4", "max_nodes": 4})
    planned = repository.plan()
    assert not planned.broken
    assert on_cluster(planned) == [("new", Action.UPDATE), ("one", Action.UPDATE), ("two", Action.READ)]
    assert engine.outcome_exit_code(repository.apply(planned)) == 0
    assert repository.plan().writes == 0


def test_a_cluster_goes_with_the_last_spec(repository: Repository) -> None:
    for name in ("one", "two"):
        repository.write(name)
    repository.apply()
    assert engine.outcome_exit_code(repository.apply(repository.plan("one", mode=Mode.DESTROY))) == 0
    assert repository.gateway.get(CLUSTER) is not None


def test_specs_for_other_targets_are_left_out(repository: Repository) -> None:
    repository.write("one")
    repository.write("two", targets=["prod"])
    assert [loaded.spec.name for loaded in selection.TargetedBatch.of(repository.load(), "dev").specs] == ["one"]


def test_selections(repository: Repository) -> None:
    repository.write("one", tags={"team": "a"})
    repository.write("two", tags={"team": "b"})
    repository.write("three", tags={"team": "b"})

    def names(*select: str) -> list[str]:
        return sorted(loaded.spec.name for loaded in repository.load(*select).specs)

    assert names("t*") == ["three", "two"]
    assert names("one,three") == ["one", "three"]
    assert names("tag:team=b") == ["three", "two"]
    assert names("two.yaml", "tag:team=a") == ["one", "two"]
    assert names("nobody") == [] and repository.load("nobody").selected


def test_a_selection_by_git_knows_what_a_spec_is_made_of(repository: Repository, tmp_path: Path) -> None:
    specs = repository.folder / "specs"
    repository.write("one")
    team = specs / "team"
    team.mkdir()
    repository.write("two").rename(team / "two.yaml")
    names = ("values.yaml", "policies/rules.yaml", "team/fineforge.defaults.yaml")
    for name in names:
        (specs / name).parent.mkdir(exist_ok=True)
        (specs / name).write_text("{}\n", encoding="utf-8")
    (team / "data").symlink_to(specs / "data")
    repository.project(variables={"a": {"default": "b"}})
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "all"]):
        subprocess.run(["git", *words], cwd=specs, check=True)

    def names_of_changed() -> list[str]:
        given = layers.read_given({}, [specs / "values.yaml"])
        found = selection.load([specs / "one.yaml", team], ["changed-since:HEAD"], options=SpecOptions(given=given))
        return sorted(loaded.spec.name for loaded in found.specs)

    assert names_of_changed() == []
    (team / "fineforge.defaults.yaml").unlink()
    assert names_of_changed() == ["two"], "what is gone has changed as well"
    for name in ("values.yaml", "policies/rules.yaml"):
        before = (specs / name).read_text(encoding="utf-8")
        (specs / name).write_text(before + "# changed\n", encoding="utf-8")
        assert names_of_changed() == ["one", "two"], name
        (specs / name).write_text(before, encoding="utf-8")


def test_saved_plans_of_several_specs(repository: Repository, tmp_path: Path) -> None:
    from fineforge.engine import planfile

    for name in ("one", "two"):
        repository.write(name)
    planned = repository.plan()
    planfile.save([(loaded.path, made) for loaded, made in planned.plans], tmp_path / "plan.json")
    again = batch.saved(planfile.load(tmp_path / "plan.json"))
    assert again.merged == planned.merged
    assert engine.outcome_exit_code(repository.apply(again)) == 0
    assert repository.plan().writes == 0


class Counting(MemoryGateway):
    """Counts what is asked."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.asked: Counter[str] = Counter()

    def get(self, key: ResourceKey) -> Any:
        self.asked[f"get {key}"] += 1
        return super().get(key)

    def list(self, kind: str, parent: str | None = None) -> Any:
        self.asked[f"list {kind} {parent}"] += 1
        return super().list(kind, parent)

    def read_model(self, registry: str, name: str, version: str | None) -> Any:
        self.asked[f"model {name}"] += 1
        return super().read_model(registry, name, version)

    def read_sizes(self) -> Any:
        self.asked["sizes"] += 1
        return super().read_sizes()


def test_nothing_is_read_twice_and_lists_replace_many_reads(repository: Repository, tmp_path: Path) -> None:
    repository.gateway = Counting(tmp_path / "counting")
    for number in range(10):
        repository.write(f"desk{number}", deployment=None, endpoint=None)
    repository.apply()
    assert isinstance(repository.gateway, Counting)
    repository.gateway.asked.clear()
    assert repository.plan().writes == 0
    asked = repository.gateway.asked
    assert max(asked.values()) == 1, asked.most_common(3)
    assert asked["list compute None"] == asked["list job None"] == 1
    assert not [what for what in asked if what.startswith(("get compute", "get job"))]
    assert len([what for what in asked if what.startswith("get ")]) == 10 * 3, "two splits and a model each"
    reads = SharedReads(repository.gateway, 10)
    parted = [list(reads.list("job", f"shop/desk{number}")) for number in range(10)]
    assert {keys[0] for keys in parted} == set(reads.list("job")) and all(len(keys) == 1 for keys in parted)
    assert reads.list("job", "shop/desk") == {} and asked["list job None"] == 2


def test_a_cluster_that_is_only_named_is_looked_at_in_a_batch_too(repository: Repository) -> None:
    repository.write("one")
    repository.write("two", compute={"name": CLUSTER.name, "existing": True})
    repository.apply(repository.plan("one"))
    told = {made.spec: {found.code for found in made.diagnostics} for _, made in repository.plan().plans}
    assert "FF156" in told["two"] and "FF156" not in told["one"]


def test_the_loss_of_any_lease_stops_what_is_to_come(repository: Repository) -> None:
    """Also of the last spec's: the outcome says whose, and that is why the rest was not started."""
    for name in ("calls", "desk"):
        repository.write(name)
    noticed, wait = threading.Event(), repository.gateway.wait

    def waiting(key: ResourceKey, progress: Progress, stopped: Callable[[], bool]) -> object:
        if key.kind == "job":
            lease.end(repository.gateway, "shop/desk")
            assert noticed.wait(60)
        return wait(key, progress, stopped)

    terms = lease.Terms(tell=lambda _: noticed.set(), renew_seconds=0.01)
    gateway: Any = answering(repository.gateway, wait=waiting)
    applied = batch.apply(repository.plan(), gateway, batch.ApplyOptions(lease=terms))
    outcome, held_back = applied.outcome, applied.held_back
    assert not held_back and outcome.lost is not None
    assert outcome.lost.code == "FF531" and "shop/desk" in outcome.lost.message
    assert {name.partition(":")[0] for name in outcome.skipped} == {"calls", "desk"}
    assert engine.outcome_exit_code(outcome) == 5


def test_a_failure_is_told_to_everybody_who_asks() -> None:
    class Failing:
        calls, parallel = 0, 1

        def read_sizes(self) -> Any:
            self.calls += 1
            raise OSError("the network is gone")

    failing = Failing()
    reads = SharedReads(failing)  # type: ignore[arg-type]
    for _ in range(3):
        with pytest.raises(OSError, match="gone"):
            reads.read_sizes()
    assert failing.calls == 1
