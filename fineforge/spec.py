"""The spec: the user's YAML as typed, frozen values.

Here belong the keys, their types, patterns and defaults, and what keys demand of each other. How a wrong shape is said is
`fineforge.shape`; checks that need facts (allow lists, component inputs) are `fineforge.checks` and `fineforge.params`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from fineforge.core import SpecPath
from fineforge.diagnostics import Diagnostic, FineforgeError
from fineforge.shape import ParameterValue, Shape, Version, choose, dotted, fit
from fineforge.source import Source

SPEC_NAME = r"^[a-z][a-z0-9-]{1,29}[a-z0-9]$"
ENDPOINT_NAME = r"^[a-zA-Z](?:-?[a-zA-Z0-9])+$"
"""A letter first, single dashes; 3 to 32 characters: how-to-manage-quotas in the service's documentation."""
COMPUTE_NAME = r"^[a-zA-Z][a-zA-Z0-9-]{1,22}[a-zA-Z0-9]$"
"""3 to 24 characters: how-to-create-attach-compute-cluster."""
ASSET_NAME = r"^[a-zA-Z0-9][a-zA-Z0-9_-]{0,254}$"
"""Dots are refused by the service: `Resource name can only contain alphanumeric characters, dashes, and underscores`."""
COMPONENT_ID = r"^azureml://registries/[^/]+/components/[^/]+/versions/[^/]+$"
REGISTERED = r"^azureml:[^:]+:[^:]+$"

Task = Literal["chat-completion", "text-generation", "text-classification", "summarization"]
Percent = Annotated[int, Field(ge=1, le=100)]
Column = Annotated[str, StringConstraints(min_length=1)]
Tags = dict[str, Annotated[str, StringConstraints(max_length=256)]]


class Component(Shape):
    """The training component. Without a name, the task chooses it."""

    name: str | None = None
    version: Version | None = None
    registry: str = "azureml"
    id: Annotated[str, StringConstraints(pattern=COMPONENT_ID)] | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Component:
        if self.id is not None and self.model_fields_set != {"id"}:
            raise choose("`id` says name, version and registry already")
        return self


class Model(Shape):
    """The base model, or with `registered` a model of the workspace that is deployed without training."""

    name: str | None = None
    registry: str = "azureml"
    version: Version | None = None
    allow_retired: bool = False
    registered: Annotated[str, StringConstraints(pattern=REGISTERED)] | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Model:
        if (self.name is None) == (self.registered is None):
            raise choose("give either `name` or `registered`")
        return self


class Columns(Shape):
    """Which columns of a row become its messages: a list of them, or a prompt and its response."""

    messages: Column | None = None
    """A list of {role, content}, or as ShareGPT has it of {from, value}."""
    prompt: Column | None = None
    input: Column | None = None
    """Added to the prompt after a blank line where it is not empty, as Alpaca has it."""
    response: Column | None = None
    system: Column | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Columns:
        pair = {"prompt", "response"} <= self.model_fields_set
        if (self.messages is None) != pair or (self.messages and self.model_fields_set - {"messages", "system"}):
            raise choose("give either `messages`, or `prompt` and `response`")
        return self


class Split(Shape):
    """Which rows of a source split are used, and what becomes of them; in the order of these keys."""

    source: Annotated[str, StringConstraints(min_length=1)] | None = None
    """Another source than the dataset's."""
    from_: str | None = Field(default=None, alias="from")
    percent: Percent | None = None
    rows: Annotated[int, Field(ge=1)] | None = None
    sample: Literal["first", "random"] = "first"
    seed: Annotated[int, Field(ge=0)] = 0
    """Of `sample: random`."""
    filter: Annotated[str, StringConstraints(min_length=1, max_length=2000)] | None = None
    """Rows for which this expression (CEL) is not true are left out."""
    columns: Columns | None = None
    holdout: Annotated[int, Field(ge=1, le=50)] | None = None
    """Percent of the rows, the last ones, that become the validation split. Only of `train`."""

    @model_validator(mode="after")
    def _one_of(self) -> Split:
        if self.percent is not None and self.rows is not None:
            raise choose("give either `percent` or `rows`")
        if "seed" in self.model_fields_set and self.sample != "random":
            raise choose("`seed` means something with `sample: random` only")
        return self


class Splits(Shape):
    train: Split
    validation: Split | None = None
    test: Split | None = None

    @model_validator(mode="after")
    def _held_out(self) -> Splits:
        others = [name for name in ("validation", "test") if (split := getattr(self, name)) and split.holdout]
        if others:
            raise choose(f"`holdout` of `{others[0]}`: only `train` can hold rows out")
        if self.train.holdout and self.validation is not None:
            raise choose("give either `train.holdout` or `validation`")
        return self

    def given(self) -> dict[str, Split]:
        """The splits that are written, in the order train, validation, test."""
        return {name: split for name in ("train", "validation", "test") if (split := getattr(self, name)) is not None}

    def made(self) -> tuple[str, ...]:
        """The splits that exist once the data is prepared: those that are written, and validation where rows are held out."""
        held = self.train.holdout is not None
        return tuple(name for name in ("train", "validation", "test") if getattr(self, name) or (held and name == "validation"))


class Dataset(Shape):
    """Where rows come from. A split with a source of its own does not read the dataset's."""

    source: Annotated[str, StringConstraints(min_length=1)] | None = None
    config: Annotated[str, StringConstraints(min_length=1)] | None = None
    """The configuration (subset) of an `hf://` dataset that has several."""
    splits: Splits

    @model_validator(mode="after")
    def _sources(self) -> Dataset:
        bare = [name for name, split in self.splits.given().items() if split.source is None]
        if self.source is None and bare:
            raise choose(f"give `source`, or each split its own; `{bare[0]}` has none")
        return self

    def source_of(self, split: str) -> str:
        """What a split is read from. One that is held out of `train` has the source of `train`."""
        given = self.splits.given().get(split) or self.splits.train
        return given.source or self.source or ""


class Compute(Shape):
    """A cluster; or `serverless`, or with `existing` one that somebody else looks after."""

    name: Annotated[str, StringConstraints(pattern=COMPUTE_NAME)] | None = None
    size: str | None = None
    min_nodes: Annotated[int, Field(ge=0, le=100)] = 0
    max_nodes: Annotated[int, Field(ge=1, le=100)] = 1
    idle_seconds: Annotated[int, Field(ge=60, le=86_400)] = 120
    tier: Literal["dedicated", "low_priority", "dedicated_then_low_priority"] = "dedicated"
    existing: bool = False
    serverless: bool = False

    @model_validator(mode="after")
    def _complete(self) -> Compute:
        if self.serverless and self.name:
            raise choose("give either `name` or `serverless: true`")
        if not self.serverless and not self.name:
            raise choose("give `name` and `size`, or `serverless: true`")
        if not self.existing and self.size is None:
            raise choose("give `size`: the VM size of a node")
        if self.min_nodes > self.max_nodes:
            raise choose("`min_nodes` is more than `max_nodes`")
        return self


class Job(Shape):
    display_name: str | None = None
    experiment: str | None = None
    nodes: Annotated[int, Field(ge=1, le=100)] = 1
    retries: Annotated[int, Field(ge=0, le=10)] = 0
    on_superseded: Literal["cancel", "keep"] = "cancel"


class MetricGate(Shape):
    name: str
    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _bounded(self) -> MetricGate:
        if self.min is None and self.max is None:
            raise choose("give `min` or `max`")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise choose("`min` is more than `max`")
        return self


class Message(Shape):
    role: Literal["system", "user", "assistant"]
    content: Annotated[str, StringConstraints(min_length=1)]


class Expect(Shape):
    """What an answer must be. Compared after spaces at both ends are cut."""

    contains: str | None = None
    equals: str | None = None


class SmokeGate(Shape):
    messages: Annotated[tuple[Message, ...], Field(min_length=1, strict=False)]
    parameters: dict[str, ParameterValue] = Field(default_factory=dict)
    expect: Expect = Expect()


class Gates(Shape):
    metrics: Annotated[tuple[MetricGate, ...], Field(strict=False)] = ()
    smoke: Annotated[tuple[SmokeGate, ...], Field(strict=False)] = ()


class Register(Shape):
    name: Annotated[str, StringConstraints(pattern=ASSET_NAME)]


class Endpoint(Shape):
    name: Annotated[str, StringConstraints(pattern=ENDPOINT_NAME, min_length=3, max_length=32)] | None = None
    auth: Literal["key", "aml_token", "aad_token"] = "key"
    existing: bool = False

    @model_validator(mode="after")
    def _named(self) -> Endpoint:
        if self.existing and self.name is None:
            raise choose("an existing endpoint needs its `name`")
        return self


class Probe(Shape):
    """Seconds. The service's defaults are 10, 10, 2, and 30 failures."""

    initial_delay: Annotated[int, Field(ge=1)] = 10
    period: Annotated[int, Field(ge=1)] = 10
    timeout: Annotated[int, Field(ge=1)] = 2
    success_threshold: Annotated[int, Field(ge=1)] = 1
    failure_threshold: Annotated[int, Field(ge=1)] = 30


class Request(Shape):
    timeout_ms: Annotated[int, Field(ge=1, le=180_000)] = 5000
    max_concurrent_per_instance: Annotated[int, Field(ge=1)] = 1


class Deployment(Shape):
    size: str
    instances: Annotated[int, Field(ge=1, le=50)] = 1
    probe: Probe | None = None
    request: Request | None = None
    environment: dict[str, str] = Field(default_factory=dict)
    rollout: Literal["blue_green", "recreate", "in_place"] = "blue_green"
    traffic_steps: Annotated[tuple[Percent, ...], Field(strict=False, min_length=1)] = (100,)
    keep_previous: Annotated[int, Field(ge=0, le=18)] = 0

    @model_validator(mode="after")
    def _rising(self) -> Deployment:
        if list(self.traffic_steps) != sorted(set(self.traffic_steps)) or self.traffic_steps[-1] != 100:
            raise choose("`traffic_steps` must rise and end with 100")
        return self


class Lifecycle(Shape):
    prevent_destroy: Annotated[tuple[str, ...], Field(strict=False)] = ()
    ignore: Annotated[tuple[str, ...], Field(strict=False)] = ()
    allow_unlisted: bool = False


class Spec(Shape):
    version: Literal[1]
    name: Annotated[str, StringConstraints(pattern=SPEC_NAME)]
    task: Task = "chat-completion"
    targets: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] | None = None
    component: Component = Component()
    model: Model
    dataset: Dataset | None = None
    compute: Compute | None = None
    training: dict[str, ParameterValue] = Field(default_factory=dict)
    optimization: dict[str, ParameterValue] = Field(default_factory=dict)
    job: Job = Job()
    gates: Gates = Gates()
    register_: Register | None = Field(default=None, alias="register")
    endpoint: Endpoint | None = None
    deployment: Deployment | None = None
    tags: Tags = Field(default_factory=dict)
    lifecycle: Lifecycle = Lifecycle()

    @property
    def trains(self) -> bool:
        """Whether a job is wanted; `model.registered` deploys without one."""
        return self.model.registered is None

    @property
    def parameters(self) -> dict[str, ParameterValue]:
        """`training` and `optimization` are one namespace."""
        return {**self.training, **self.optimization}


def parse(source: Source) -> Spec:
    """The typed spec. Raises FineforgeError with every error at once, each placed in the file."""
    data = source.data
    spec, found = fit(Spec, source, PATTERNS)
    found += [*_namespace(data), *_blocks(data), *tag_problems(data.get("tags"), ("tags",))]
    if spec is None or found:
        raise FineforgeError(*sorted((source.place(diagnostic) for diagnostic in found), key=_position))
    return spec


def tag_problems(tags: Any, path: SpecPath) -> list[Diagnostic]:
    """FF126: what ARM refuses in the names of tags, and what fineforge keeps for itself."""
    if not isinstance(tags, dict):
        return []
    found: list[Diagnostic] = []
    seen: set[str] = set()
    if len(tags) > MAX_TAGS:
        found.append(Diagnostic("FF126", f"`{dotted(path)}` has {len(tags)} tags, at most {MAX_TAGS} fit", path=path))
    for name in tags:
        problem = _tag_problem(name, seen)
        seen.add(name.lower())
        if problem:
            what = f"the tag `{name[:60]}`" if name else "a tag's name"
            found.append(Diagnostic("FF126", f"{what} {problem}", path=(*path, name)))
    return found


MAX_TAGS = 40
"""An ARM object has at most 50; the others are for owner tags and for the tags that clusters get per spec."""

_NOT_IN_TAGS = frozenset("<>%&\\?/")


def _tag_problem(name: str, seen: set[str]) -> str:
    if bad := sorted(_NOT_IN_TAGS & set(name)):
        return f"has `{bad[0]}`, which Azure refuses"
    if name.lower().startswith("fineforge-"):
        return "begins with `fineforge-`, which is for owner tags"
    if name.lower() in seen:
        return "differs from another one in capitals only"
    return "" if 1 <= len(name) <= 512 else "must have 1 to 512 characters"


def _namespace(data: Mapping[str, Any]) -> list[Diagnostic]:
    training, optimization = data.get("training"), data.get("optimization")
    if not isinstance(training, dict) or not isinstance(optimization, dict):
        return []
    message = "`{}` stands in `training` and in `optimization`"
    twice = (key for key in optimization if key in training)
    return [Diagnostic("FF124", message.format(key), path=("optimization", key), hint="keep one of them") for key in twice]


_NEEDED = {
    "dataset": "it names the data to train on",
    "compute": "it says where the job runs",
    "register": "it names the trained model",
}
"""Blocks that training needs, and what for."""

_ONLY_TO_TRAIN = ("component", "dataset", "compute", "training", "optimization", "job", "register")
"""Blocks without a meaning where `model.registered` deploys a model that exists."""


def _blocks(data: Mapping[str, Any]) -> list[Diagnostic]:
    """Blocks that depend on each other."""
    found = []
    model = data.get("model")
    if isinstance(model, dict) and "name" in model and "registered" not in model:
        found += [Diagnostic("FF121", f"`{block}` is missing", hint=why) for block, why in _NEEDED.items() if block not in data]
    if isinstance(model, dict) and "registered" in model and "name" not in model:
        found += [
            Diagnostic(
                "FF125", f"`{block}` means nothing beside `model.registered`", path=(block,), hint="nothing is trained: delete it"
            )
            for block in _ONLY_TO_TRAIN
            if block in data
        ]
    if "deployment" in data and "endpoint" not in data:
        found.append(Diagnostic("FF121", "`endpoint` is missing", path=("deployment",), hint="a deployment needs an endpoint"))
    return found


def _position(diagnostic: Diagnostic) -> tuple[int, int, str]:
    span = diagnostic.span
    return (span.line, span.column, diagnostic.code) if span else (0, 0, diagnostic.code)


PATTERNS = {
    SPEC_NAME: "3 to 31 characters: lower-case letters, digits and dashes, a letter first",
    ENDPOINT_NAME: "3 to 32 characters: letters, digits and single dashes, a letter first",
    COMPUTE_NAME: "3 to 24 characters: letters, digits and dashes, a letter first",
    ASSET_NAME: "letters, digits, dashes and underscores; the service refuses dots",
    COMPONENT_ID: "write `azureml://registries/REGISTRY/components/NAME/versions/VERSION`",
    REGISTERED: "write `azureml:NAME:VERSION`",
}
"""What a pattern means, in words."""
